"""Tables with keys, and what has to be in them: a model that stores one row after another."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tables import definition_of

from csv_importer.datasets import Dataset
from csv_importer.objects import ObjectVersion

from .conftest import Database, grants_of
from .files import version_of
from .schema_tables import migrate

FIELDS: list[dict[str, Any]] = [
    {"name": "k", "type": "integer"},
    {"name": "u", "type": "string", "constraints": {"maxLength": 20}},
    {"name": "v", "type": "string", "constraints": {"maxLength": 20}},
]
BEGAN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

type Row = tuple[str, str, str]


def dataset_of(mode: str, *keys: Sequence[str], name: str = "keyed") -> Dataset:
    """Make a dataset of the three columns."""
    schema = {"fields": FIELDS, **({"uniqueKeys": [list(key) for key in keys]} if keys else {})}
    return Dataset.of({"name": name, "csvToAurora:mode": mode, "schema": schema})


def create(database: Database, dataset: Dataset, *more: str) -> None:
    """Create a dataset's table, with the privileges that its mode needs and no others."""
    migrate(database.admin, database.name, [definition_of(dataset)])
    for each in more:
        database.query(f"ALTER TABLE `{dataset.table}` ADD {each}")
    for table, privileges in grants_of("importer", dataset).items():
        database.query(f"GRANT {', '.join(privileges)} ON {database.name}.{table} TO {database.user}")


def csv_of(rows: Iterable[Row]) -> bytes:
    """Write rows as a file."""
    return "".join(f"{','.join(row)}\n" for row in [("k", "u", "v"), *rows]).encode()


def version(number: int, key: str = "keyed.csv", *, second: int = 0, sequencer: str = "") -> ObjectVersion:
    """Name an object version whose upload began so many seconds after the others'."""
    began = BEGAN + dt.timedelta(seconds=second)
    return replace(version_of(key, f"v{number}"), modified=began, sequencer=sequencer)


def stored(database: Database, table: str = "keyed") -> list[tuple[Any, ...]]:
    """Read the rows, sorted, with the versions that they are of."""
    return sorted(
        database.query(
            "SELECT COALESCE(k, ''), COALESCE(u, ''), COALESCE(v, ''), i.object_key, i.version_id"  # noqa: S608 - a table of a test
            f" FROM {table} AS t JOIN csv_import AS i"
            " ON i.id = t.import_id AND i.import_file = t.import_file COLLATE utf8mb4_bin"
        ),
        key=str,
    )


@dataclass
class Model:
    """A table that takes one row after another, as the standard's text has it.

    Attributes:
        keys: The keys: the first one is that of an upsert.
        rows: The rows, each with its writer.
        refused: The writer and line of each that was refused, with the column that is named and the key.
    """

    keys: Sequence[Sequence[str]]
    rows: list[tuple[Row, ObjectVersion]] = field(default_factory=list)
    refused: list[tuple[str, int, str | None, str]] = field(default_factory=list)

    def append(self, rows: Sequence[Row], writer: ObjectVersion) -> None:
        """Add rows."""
        for line, row in enumerate(rows, start=2):
            hurt = next((key for key in self.keys if self._holder(row, key) is not None), None)
            if hurt:
                self._refuse(writer, line, hurt, "a second row with the key {}")
            else:
                self.rows.append((row, writer))

    def upsert(self, rows: Sequence[Row], writer: ObjectVersion) -> None:
        """Add rows, or let them take the places of others."""
        for line, row in enumerate(rows, start=2):
            if not all(self._values(row, self.keys[0])):
                self._refuse(
                    writer, line, self.keys[0], "no value for the key {}, which says whose place the row takes"
                )
                continue
            place = self._holder(row, self.keys[0])
            if place is not None and _order(self.rows[place][1]) > _order(writer):
                continue
            hurt = next((key for key in self.keys[1:] if self._holder(row, key) not in (None, place)), None)
            if hurt:
                self._refuse(writer, line, hurt, "a second row with the key {}")
            elif place is None:
                self.rows.append((row, writer))
            else:
                self.rows[place] = (row, writer)

    def stored(self) -> list[tuple[Any, ...]]:
        """Return the rows as the function stored reads them."""
        return sorted(((*row, writer.key, writer.version_id) for row, writer in self.rows), key=str)

    def _refuse(self, writer: ObjectVersion, line: int, key: Sequence[str], reason: str) -> None:
        column = key[0] if len(key) == 1 else None
        self.refused.append((writer.version_id, line, column, reason.format(", ".join(key))))

    def _holder(self, row: Row, key: Sequence[str]) -> int | None:
        values = self._values(row, key)
        if not all(values):
            return None
        return next((at for at, (other, _) in enumerate(self.rows) if self._values(other, key) == values), None)

    def _values(self, row: Row, key: Sequence[str]) -> list[str]:
        return [row["kuv".index(name)] for name in key]


def _order(writer: ObjectVersion) -> tuple[Any, ...]:
    return writer.modified, writer.sequencer


def refused(database: Database) -> list[tuple[Any, ...]]:
    """Read the rejects, as the model has them."""
    return database.query(
        "SELECT version_id, r.line_number, column_name, r.reason FROM csv_import_reject AS r"
        " JOIN csv_import AS i ON i.id = import_id ORDER BY version_id, r.line_number"
    )
