"""Files to import, and a store that holds them in memory."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from descriptors import load

from csv_importer.datasets import Dataset
from csv_importer.objects import ObjectVersion

DATASET_FILE = Path(__file__).parents[2] / "datasets" / "customer.yaml"
DESCRIPTOR = load(DATASET_FILE)
CUSTOMER = Dataset.of(DESCRIPTOR)
COLUMNS = CUSTOMER.columns

HEADER = ",".join(column.name for column in COLUMNS)
GOOD = "Mrs,Ada,Lovelace,1,ada@example.org,36"


def text_of(rows: Iterable[Sequence[str]], **options: Any) -> str:
    """Write rows as CSV with the usual header."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, **{"lineterminator": "\n", **options})
    writer.writerow([column.name for column in COLUMNS])
    writer.writerows(rows)
    return out.getvalue()


def lines_of(*lines: str, end: str = "\n") -> bytes:
    """Join the usual header and lines."""
    return "".join(f"{line}{end}" for line in (HEADER, *lines)).encode()


def version_of(key: str = "customers.csv", version_id: str = "v1") -> ObjectVersion:
    """Name an object version."""
    return ObjectVersion("bucket", key, version_id, "")


class MemoryStream:
    """Bytes that arrive in small pieces, as from a network."""

    def __init__(self, content: bytes, offset: int, piece: int) -> None:
        self.size = len(content)
        self._rest = io.BytesIO(content[offset:])
        self._piece = piece

    def read(self, size: int) -> bytes:
        return self._rest.read(min(size, self._piece))

    def close(self) -> None:
        self._rest.close()


class MemoryStore:
    """A bucket in memory."""

    def __init__(self, content: bytes, piece: int = 1 << 20) -> None:
        self.content = content
        self.piece = piece
        self.offsets: list[int] = []

    def identify(self, version: ObjectVersion) -> ObjectVersion:
        return version

    def open(self, version: ObjectVersion, offset: int) -> MemoryStream:
        del version
        self.offsets.append(offset)
        return MemoryStream(self.content, offset, self.piece)
