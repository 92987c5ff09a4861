"""A real MySQL server, its tables, and files to load into them, each by a method in a process of its own."""

import gzip
import json
import random
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import faker
import sample_values
from descriptors import describe, load

from bench.network import Link
from bench.parts import part_names, split
from bench.share import Share
from bench.worker import CUSTOMER, NAMES, dataset_of
from csv_importer.headers import read_header
from csv_importer.parsing import read_blocks
from csv_importer.ports import Credentials
from tests.importer.mysql_server import MySqlServer
from tests.importer.schema_tables import LEDGER, migrate

ROOT = Path(__file__).parents[1]
DATABASE = "bench"
TYPED = ROOT / "bench" / "datasets" / "typed.yaml"
KEYED = ROOT / "bench" / "datasets" / "keyed.yaml"
DEFINITIONS = [*(described["definition"] for described in describe([CUSTOMER, TYPED, KEYED])), *LEDGER]
TABLES = tuple(str(definition["name"]) for definition in DEFINITIONS)
IMPORTERS = ("importer", "checked")
"""Methods that have one file, whatever the number of sessions."""
BAD_SHARE = 0.005

Numbers = dict[str, float]
type Round = dict[str, Numbers]
"""What each job of a round has measured, by title."""


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        rows: Rows of the comparisons with the limit, with one session and with several, and of networks.
        other_rows: Rows of the comparisons of another dataset, of gzip, of the modes and of the function's sizes.
        reference_rows: Rows of the reference importer, which would take many minutes for more.
        round_trip: Milliseconds of a network round trip between importer and server, where there is a network.
        round_trips: The same, for networks with several sessions.
        rounds: How often each method runs, in turn.
        sizes: Rows of the files for the plot, ascending; memory growth is from the first to the last.
        sessions: Numbers of sessions at once, ascending.
        function_sizes: Memory of the function, in MB, ascending.
    """

    rows: int
    other_rows: int
    reference_rows: int
    round_trip: float
    round_trips: tuple[float, ...]
    rounds: int
    sizes: tuple[int, ...]
    sessions: tuple[int, ...]
    function_sizes: tuple[int, ...]


class Bench:
    """A server and files to load."""

    def __init__(self, server: MySqlServer, folder: Path, shared: str) -> None:
        """Create the tables.

        Args:
            server: The server.
            folder: Folder for the files that server and importer read.
            shared: The same folder, as the server has it.
        """
        self._shared = shared
        self.server = server
        self.folder = folder
        self._admin = server.connect()
        self._query(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4")
        self._admin.select_db(DATABASE)
        migrate(self._admin, DATABASE, DEFINITIONS)

    def version(self) -> str:
        """Return the server's version."""
        with self._admin.cursor() as cursor:
            cursor.execute("SELECT VERSION()")
            return str((cursor.fetchone() or ("",))[0])

    def run(  # noqa: PLR0913 - all but two by name
        self,
        method: str,
        name: str,
        *,
        port: int | None = None,
        descriptor: Path = CUSTOMER,
        mode: str = "append",
        before: int = 0,
        sessions: int = 1,
        all_sessions: bool = True,
        share: Share | None = None,
    ) -> Numbers:
        """Load a file, in a new process.

        Args:
            method: One of worker.METHODS.
            name: The file, or, for more than one session of a method that has parts of it, what split() took.
            port: Another port than the server's, if any.
            descriptor: The dataset's descriptor.
            mode: The dataset's mode.
            before: How often it is loaded before it is measured; the tables are empty at first.
            sessions: Sessions at once.
            all_sessions: Whether the importer takes as many for a small file, too.
            share: The share of the processors that the process gets; all of them by default.

        Raises:
            SystemExit: It failed.
        """
        names = part_names(name, 1 if method in IMPORTERS else sessions)
        self._query("SET FOREIGN_KEY_CHECKS = 0")
        for table in TABLES:
            self._query(f"TRUNCATE TABLE {table}")
        job = {
            "method": method,
            "credentials": asdict(
                Credentials(
                    self.server.host, port or self.server.port, self.server.user, self.server.password, DATABASE
                )
            ),
            "ca_file": str(self.server.ca_file),
            "files": [str(self.folder / each) for each in names],
            "server_files": [f"{self._shared}/{each}" for each in names],
            "sessions": sessions,
            "all_sessions": all_sessions,
            "descriptor": str(descriptor),
            "mode": mode,
            "before": before,
        }
        with subprocess.Popen(
            [sys.executable, "-m", "bench.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        ) as worker:
            if share:
                # Before it reads its job: it measures from there on.
                share.limit(worker.pid)
            output, errors = worker.communicate(json.dumps(job))
        if worker.returncode:
            raise SystemExit(f"bench: {method} failed:\n{errors}")
        numbers: Numbers = json.loads(output)
        return numbers

    def link(self, round_trip: float) -> Link:
        """Connect to the server through a network with so many milliseconds a round trip."""
        return Link(self.server.host, self.server.port, round_trip / 2000)

    def write(self, name: str, rows: int, bad_share: float) -> Path:
        """Write a file of so many rows, the same each time."""
        path = self.folder / name
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(",".join(NAMES) + "\n")
            for part in _rows(rows, bad_share):
                file.write(part)
        path.chmod(0o644)
        return path

    def split(self, name: str, parts: int) -> None:
        """Write the parts of a file for so many sessions."""
        split(self.folder / name, parts)

    def remove(self, name: str) -> None:
        """Remove a file, and its parts."""
        for path in self.folder.glob(f"{name}*"):
            path.unlink()

    def compress(self, name: str) -> None:
        """Write a file beside one, as gzip."""
        with (self.folder / name).open("rb") as plain, gzip.open(self.folder / f"{name}.gz", "wb") as packed:
            shutil.copyfileobj(plain, packed)

    def sample(self, descriptor: Path, name: str, rows: int) -> None:
        """Write sample rows of a dataset, the same each time."""
        path = self.folder / name
        with path.open("wb") as file:
            file.writelines(sample_values.blocks(load(descriptor), rows, 1, 0))
        path.chmod(0o644)

    def stored(self, descriptor: Path, name: str, to: str) -> None:
        """Write what the table holds of a file's rows, so that the server can load it by itself."""
        with (self.folder / name).open("rb") as source, (self.folder / to).open("w", encoding="utf-8") as file:
            header, buffer = read_header(source.read, dataset_of(descriptor))
            file.write(",".join(column.name for column in header.columns) + "\n")
            for block in read_blocks(source.read, header.layout, header.end, buffer):
                file.writelines(",".join(map(_cell, row)) + "\n" for row in block.rows)
        (self.folder / to).chmod(0o644)

    def _query(self, statement: str) -> None:
        with self._admin.cursor() as cursor:
            cursor.execute(statement)


def _cell(value: str | None) -> str:
    """Write a value as LOAD DATA INFILE reads it."""
    return "\\N" if value is None else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _rows(rows: int, bad_share: float) -> Iterator[str]:
    """Make up rows from a list of persons; no value needs quotes."""
    fake = faker.Faker("en_GB")
    fake.seed_instance(1)
    rng = random.Random(1)  # noqa: S311 - the same rows each time
    persons = [
        f"{fake.prefix()},{fake.first_name()},{fake.last_name()},{rng.randint(0, 1)},{fake.free_email()}"
        for _ in range(min(rows, 5_000))
    ]
    part = 10_000
    for start in range(0, rows, part):
        yield "".join(
            f"{rng.choice(persons)},{'n/a' if rng.random() < bad_share else rng.randint(18, 90)}\n"
            for _ in range(min(part, rows - start))
        )


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def run_rounds(bench: Bench, options: Options, jobs: Mapping[str, Mapping[str, Any]]) -> list[Round]:
    """Run each job once a round, in turn, so that a machine that slows down slows all of them.

    Args:
        bench: The server.
        options: How many rounds.
        jobs: The arguments of Bench.run, by title.
    """
    rounds = []
    for number in range(options.rounds):
        rounds.append({title: bench.run(**job) for title, job in jobs.items()})
        rates = "; ".join(f"{title} {numbers['rows_per_second']:,.0f}" for title, numbers in rounds[-1].items())
        say(f"round {number + 1} of {options.rounds}, rows a second: {rates}")
    return rounds


def medians_of(rounds: Sequence[Round]) -> Round:
    """Return the medians of the rounds."""
    return {
        title: {key: statistics.median(each[title][key] for each in rounds) for key in numbers}
        for title, numbers in rounds[0].items()
    }


def ratio_of(rounds: Sequence[Round], one: str, other: str) -> float:
    """Return the median of the ratios of two rates, each within one round."""
    return statistics.median(each[one]["rows_per_second"] / each[other]["rows_per_second"] for each in rounds)
