"""Loads files with one method, in a process of its own so that its memory can be measured: the last one is measured.

Reads a job as JSON from standard input, prints its measurements as JSON.
"""

import csv
import json
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from bench.parts import CHUNK
from csv_importer.datasets import Dataset, Datasets, Mode
from csv_importer.feed import FEED_NAME, FeedConnection
from csv_importer.importer import Importer, Result
from csv_importer.limits import DEFAULTS
from csv_importer.mysql import MySqlDatabase
from csv_importer.objects import ObjectVersion
from csv_importer.ports import Credentials

CUSTOMER = Path(__file__).parents[1] / "datasets" / "customer.yaml"


def dataset_of(descriptor: Path) -> Dataset:
    """Read a descriptor, whatever the keys of its objects."""
    return replace(Dataset.of(yaml.safe_load(descriptor.read_text(encoding="utf-8"))), key_prefix="")


NAMES = [column.name for column in dataset_of(CUSTOMER).columns]


SESSION_BYTES = 64 * 1024
"""Bytes of the smallest file for each of several sessions."""


class Job:
    """The files to load, their dataset, and the database to load them into.

    Attributes:
        files: The files, as this process reads them: the importer's is one; the others load one in each session.
        server_files: The same, as the server reads them.
        sessions: Sessions at once.
        all_sessions: Whether the importer takes as many for a small file, too.
    """

    def __init__(self, **values: Any) -> None:
        """Take the job's values."""
        self.credentials = Credentials(**values["credentials"])
        self.ca_file = Path(values["ca_file"])
        self.files = [Path(file) for file in values["files"]]
        self.server_files = [str(file) for file in values["server_files"]]
        self.sessions = int(values["sessions"])
        self.all_sessions = bool(values["all_sessions"])
        self.dataset = replace(dataset_of(Path(values["descriptor"])), mode=Mode(values["mode"]))

    def connect(self, **options: Any) -> FeedConnection:
        """Connect as the importer does."""
        return FeedConnection(
            host=self.credentials.host,
            port=self.credentials.port,
            user=self.credentials.user,
            password=self.credentials.password,
            database=self.credentials.database,
            charset="utf8mb4",
            ssl_ca=str(self.ca_file),
            ssl_verify_cert=True,
            ssl_verify_identity=True,
            **options,
        )

    def load_data(self, connection: FeedConnection, source: str) -> int:
        """Load a file, or what stands for one, into the table; the values are taken as they are.

        Args:
            connection: The session.
            source: The statement's words from INFILE on, up to the file's name.
        """
        names = ", ".join(column.name for column in self.dataset.columns)
        stamp = "import_file = 'limit'" + (", import_id = 1" if self.dataset.import_id else "")
        with connection.cursor() as cursor:
            return cursor.execute(
                f"LOAD DATA {source} INTO TABLE {self.dataset.table} CHARACTER SET utf8mb4"
                " FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' LINES TERMINATED BY '\\n' IGNORE 1 LINES"
                f" ({names}) SET {stamp}"
            )

    def side_by_side(self, load: Callable[[FeedConnection, int], int]) -> int:
        """Load all files at the same time, each in a session and a transaction of its own; return the rows.

        Args:
            load: Loads the file of a number.
        """

        def one(number: int) -> int:
            connection = self.connect(local_infile=True)
            rows = load(connection, number)
            connection.commit()
            connection.close()
            return rows

        with ThreadPoolExecutor(len(self.files)) as pool:
            return sum(pool.map(one, range(len(self.files))))


def limit(job: Job) -> int:
    """Let the server load files from its own disk: nothing is sent, validated or recorded."""
    return job.side_by_side(
        lambda connection, number: job.load_data(connection, f"INFILE '{job.server_files[number]}'")
    )


def local(job: Job) -> int:
    """Send files as they are, as importTable of MySQL Shell does: nothing is validated or recorded.

    One process and as many threads as files, over the importer's own connection, whose packets are larger than the
    driver's.
    """

    def load(connection: FeedConnection, number: int) -> int:
        with job.files[number].open("rb") as file:
            connection.feed = _chunks(file)
            return job.load_data(connection, f"LOCAL INFILE '{FEED_NAME}'")

    return job.side_by_side(load)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while data := file.read(CHUNK):
        yield data


def reference(job: Job) -> int:
    """Load as usual importers do: the whole file in memory, one INSERT and one COMMIT per row."""
    connection = job.connect()
    text = job.files[0].read_bytes().decode()
    rows = 0
    with connection.cursor() as cursor:
        for row in csv.DictReader(text.splitlines()):
            cursor.execute(
                "INSERT INTO customer (title, firstname, lastname, status, email, age, import_file)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s)",
                (*(row[name] for name in NAMES), "reference"),
            )
            connection.commit()
            rows += 1
    connection.close()
    return rows


class _FileStream:
    """A local file in place of an object: the speed of S3 is not measured."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.size = size
        self.read = file.read
        self.close = file.close


class _FileStore:
    def __init__(self, path: Path) -> None:
        self._path = path

    def identify(self, version: ObjectVersion) -> ObjectVersion:
        return version

    def open(self, version: ObjectVersion, offset: int) -> _FileStream:
        del version
        file = self._path.open("rb")
        file.seek(offset)
        return _FileStream(file, self._path.stat().st_size)


class _Secret:
    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def credentials(self, *, fresh: bool = False) -> Credentials:
        del fresh
        return self._credentials


def importer(job: Job, max_reject_ratio: float | None = None) -> int:
    """Load with the importer: full validation, rejects, ledger, 50,000 rows per transaction."""
    (file,) = job.files
    importer = Importer(
        datasets=Datasets((job.dataset,)),
        store=_FileStore(file),
        database=MySqlDatabase(_Secret(job.credentials), job.ca_file, "bench"),
        time_left=lambda: 3600.0,
        log=lambda *_, **__: None,
        sessions=job.sessions,
        max_reject_ratio=max_reject_ratio,
        # As many as are asked for: that small files take fewer is measured over their size.
        limits=replace(DEFAULTS, session_bytes=SESSION_BYTES) if job.all_sessions else DEFAULTS,
    )
    outcome = importer.run(ObjectVersion("bench", file.name, str(time.time_ns()), ""))
    if outcome.result is not Result.SUCCEEDED:
        raise SystemExit(f"the import ended as {outcome.result}: {outcome.entry.reason}")
    return outcome.entry.counts.read


def checked(job: Job) -> int:
    """Load with the importer, which counts the rejects of the whole file first, as the role has it by default."""
    return importer(job, max_reject_ratio=0.5)


METHODS: dict[str, Callable[[Job], int]] = {
    "limit": limit,
    "local": local,
    "reference": reference,
    "importer": importer,
    "checked": checked,
}


def peak_memory() -> float:
    """Return this process's peak of resident memory in MiB.

    getrusage includes the parent's, from before exec.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main() -> None:
    """Run one job."""
    job = json.load(sys.stdin)
    method = METHODS[job.pop("method")]
    for _ in range(job.pop("before")):
        method(Job(**job))
    at_first = peak_memory()
    began, cpu = time.perf_counter(), time.process_time()
    rows = method(Job(**job))
    seconds = time.perf_counter() - began
    json.dump(
        {
            "rows": rows,
            "seconds": seconds,
            "rows_per_second": rows / seconds,
            "cpu_microseconds_per_row": (time.process_time() - cpu) / rows * 1e6,
            "first_memory_mib": at_first,
            "peak_memory_mib": peak_memory(),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
