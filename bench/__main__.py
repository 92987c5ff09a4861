"""Runs the benchmark: python -m bench --help."""

import argparse
import datetime as dt
import gzip
import json
import os
import platform
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import faker
from descriptors import describe, load

from bench.network import Link
from bench.plot import Series, chart
from bench.worker import CUSTOMER, NAMES, dataset_of
from csv_importer.headers import read_header
from csv_importer.parsing import read_blocks
from csv_importer.ports import Credentials
from tests.importer.mysql_server import SHARED, MySqlServer
from tests.importer.schema_tables import LEDGER, migrate
from tools import sample_values

ROOT = Path(__file__).parents[1]
DATABASE = "bench"
TYPED = ROOT / "bench" / "datasets" / "typed.yaml"
KEYED = ROOT / "bench" / "datasets" / "keyed.yaml"
DEFINITIONS = [*(described["definition"] for described in describe([CUSTOMER, TYPED, KEYED])), *LEDGER]
TABLES = tuple(str(definition["name"]) for definition in DEFINITIONS)
BAD_SHARE = 0.005
COLD_STARTS = 5
COLD_START = """
import time; began = time.perf_counter()
import csv_importer.handler, boto3
boto3.client("s3"); boto3.client("secretsmanager")
print(time.perf_counter() - began)
"""

GOALS = {"20 columns": "   (goal: 0.6)", "gzip": "   (goal: 0.7)"}

Numbers = dict[str, float]


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        rows: Rows of the comparison with the limit.
        other_rows: Rows of the comparisons of another dataset, of gzip and of the modes.
        reference_rows: Rows of the reference importer, which would take many minutes for more.
        round_trip: Milliseconds of a network round trip between importer and server, where there is a network.
        rounds: How often each method runs, in turn.
        sizes: Rows of the files for the plot, ascending; memory growth is from the first to the last.
    """

    rows: int
    other_rows: int
    reference_rows: int
    round_trip: float
    rounds: int
    sizes: tuple[int, ...]


class Bench:
    """A server and files to load."""

    def __init__(self, server: MySqlServer, folder: Path) -> None:
        """Create the tables.

        Args:
            server: The server.
            folder: Folder for the files that server and importer read.
        """
        self._server = server
        self._folder = folder
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
    ) -> Numbers:
        """Load a file, in a new process.

        Args:
            method: One of worker.METHODS.
            name: The file.
            port: Another port than the server's, if any.
            descriptor: The dataset's descriptor.
            mode: The dataset's mode.
            before: How often it is loaded before it is measured; the tables are empty at first.
        """
        self._query("SET FOREIGN_KEY_CHECKS = 0")
        for table in TABLES:
            self._query(f"TRUNCATE TABLE {table}")
        job = {
            "method": method,
            "credentials": asdict(
                Credentials(
                    self._server.host, port or self._server.port, self._server.user, self._server.password, DATABASE
                )
            ),
            "ca_file": str(self._server.ca_file),
            "file": str(self._folder / name),
            "server_file": f"{SHARED}/{name}",
            "descriptor": str(descriptor),
            "mode": mode,
            "before": before,
        }
        done = subprocess.run(
            [sys.executable, "-m", "bench.worker"],
            input=json.dumps(job),
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
        if done.returncode:
            raise SystemExit(f"bench: {method} failed:\n{done.stderr}")
        numbers: Numbers = json.loads(done.stdout)
        return numbers

    def link(self, round_trip: float) -> Link:
        """Connect to the server through a network with so many milliseconds a round trip."""
        return Link(self._server.host, self._server.port, round_trip / 2000)

    def write(self, name: str, rows: int, bad_share: float) -> Path:
        """Write a file of so many rows, the same each time."""
        path = self._folder / name
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(",".join(NAMES) + "\n")
            for part in _rows(rows, bad_share):
                file.write(part)
        path.chmod(0o644)
        return path

    def compress(self, name: str) -> None:
        """Write a file beside one, as gzip."""
        with (self._folder / name).open("rb") as plain, gzip.open(self._folder / f"{name}.gz", "wb") as packed:
            shutil.copyfileobj(plain, packed)

    def sample(self, descriptor: Path, name: str, rows: int) -> None:
        """Write sample rows of a dataset, the same each time."""
        path = self._folder / name
        with path.open("wb") as file:
            file.writelines(sample_values.blocks(load(descriptor), rows, 1, 0))
        path.chmod(0o644)

    def stored(self, descriptor: Path, name: str, to: str) -> None:
        """Write what the table holds of a file's rows, so that the server can load it by itself."""
        with (self._folder / name).open("rb") as source, (self._folder / to).open("w", encoding="utf-8") as file:
            header, buffer = read_header(source.read, dataset_of(descriptor))
            file.write(",".join(column.name for column in header.columns) + "\n")
            for block in read_blocks(source.read, header.layout, header.end, buffer):
                file.writelines(",".join(map(_cell, row)) + "\n" for row in block.rows)
        (self._folder / to).chmod(0o644)

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


def compare(bench: Bench, options: Options) -> dict[str, Any]:
    """Run limit, importer and reference in turn, so that a machine that slows down slows all of them.

    Also with a network: one commit for each row costs one round trip each, which one machine does not have.
    """
    bench.write("clean.csv", options.rows, 0)
    bench.write("mixed.csv", options.rows, BAD_SHARE)
    bench.write("reference.csv", options.reference_rows, 0)
    files = {"limit": "clean.csv", "importer": "mixed.csv", "reference": "reference.csv"}
    remote = {"importer, remote": "importer", "reference, remote": "reference"}
    rounds = []
    with bench.link(options.round_trip) as link:
        for number in range(options.rounds):
            results = {method: bench.run(method, name) for method, name in files.items()}
            results |= {title: bench.run(method, files[method], port=link.port) for title, method in remote.items()}
            rounds.append(results)
            rates = "; ".join(f"{title} {numbers['rows_per_second']:,.0f}" for title, numbers in results.items())
            _print(f"round {number + 1} of {options.rounds}, rows a second: {rates}")
    medians = {
        title: {key: statistics.median(each[title][key] for each in rounds) for key in numbers}
        for title, numbers in rounds[0].items()
    }

    def ratio(one: str, other: str) -> float:
        return statistics.median(each[one]["rows_per_second"] / each[other]["rows_per_second"] for each in rounds)

    return {
        "medians": medians,
        "share_of_limit": ratio("importer", "limit"),
        "times_reference": ratio("importer", "reference"),
        "times_reference_remote": ratio("importer, remote", "reference, remote"),
    }


def compare_datasets(bench: Bench, options: Options) -> dict[str, Any]:
    """Run other datasets, gzip and the modes in turn, each with what it is compared with."""
    bench.write("plain.csv", options.other_rows, BAD_SHARE)
    bench.compress("plain.csv")
    bench.sample(TYPED, "typed.csv", options.other_rows)
    bench.stored(TYPED, "typed.csv", "typed-limit.csv")
    bench.sample(KEYED, "keyed.csv", options.other_rows)
    keyed: dict[str, Any] = {"method": "importer", "name": "keyed.csv", "descriptor": KEYED}
    jobs: dict[str, dict[str, Any]] = {
        "20 columns, limit": {"method": "limit", "name": "typed-limit.csv", "descriptor": TYPED},
        "20 columns": {"method": "importer", "name": "typed.csv", "descriptor": TYPED},
        "plain": {"method": "importer", "name": "plain.csv"},
        "gzip": {"method": "importer", "name": "plain.csv.gz"},
        "append, with a key": keyed,
        "upsert, new rows": {**keyed, "mode": "upsert"},
        "upsert, known rows": {**keyed, "mode": "upsert", "before": 1},
        "replace, first": {**keyed, "mode": "replace"},
        "replace, newer": {**keyed, "mode": "replace", "before": 1},
    }
    rounds = []
    for number in range(options.rounds):
        rounds.append({title: bench.run(**job) for title, job in jobs.items()})
        rates = "; ".join(f"{title} {numbers['rows_per_second']:,.0f}" for title, numbers in rounds[-1].items())
        _print(f"round {number + 1} of {options.rounds}, rows a second: {rates}")
    medians = {
        title: {key: statistics.median(each[title][key] for each in rounds) for key in rounds[0][title]}
        for title in jobs
    }
    pairs = {"20 columns": "20 columns, limit", "gzip": "plain"} | {
        title: "append, with a key" for title in jobs if title.startswith(("upsert", "replace"))
    }
    ratios = {
        title: statistics.median(each[title]["rows_per_second"] / each[other]["rows_per_second"] for each in rounds)
        for title, other in pairs.items()
    }
    return {"medians": medians, "ratios": ratios, "compared_with": pairs}


def scale(bench: Bench, options: Options) -> list[Numbers]:
    """Run the importer over files of growing size."""
    results = []
    for rows in options.sizes:
        path = bench.write("size.csv", rows, BAD_SHARE)
        results.append({**bench.run("importer", path.name), "file_bytes": path.stat().st_size})
        path.unlink()
        last = results[-1]
        _print(f"{rows:,} rows: {last['rows_per_second']:,.0f} a second, peak memory {last['peak_memory_mib']:.1f} MiB")
    return results


def cold_start(folder: Path) -> Numbers:
    """Build the zip, and import it in some new processes."""
    output = folder / "function.zip"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    build = [sys.executable, str(ROOT / "files" / "lambda" / "build.py"), "--output", str(output)]
    build += ["--python-version", version, "--architecture", "x86_64"]
    build += ["--ca-file", str(ROOT / "files" / "certs" / "rds-ca.pem")]
    build += ["--dataset", str(ROOT / "datasets" / "customer.yaml")]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    unpacked = folder / "function"
    with zipfile.ZipFile(output) as archive:
        archive.extractall(unpacked)
    environment = {**os.environ, "PYTHONPATH": str(unpacked), "AWS_DEFAULT_REGION": "eu-west-1"}
    seconds = [
        float(subprocess.check_output([sys.executable, "-c", COLD_START], text=True, env=environment, cwd=folder))
        for _ in range(COLD_STARTS)
    ]
    return {"seconds": statistics.median(seconds), "zip_bytes": output.stat().st_size}


def report(results: dict[str, Any]) -> str:
    """Write the results as a table."""
    comparison, sizes, start = results["comparison"], results["sizes"], results["cold_start"]
    lines = ["", f"load average at the start: {results['machine']['load']:.1f} on {results['machine']['cpus']} CPUs"]
    lines += ["", f"{'':16}{'rows/s':>12}{'CPU µs/row':>12}{'peak MiB':>10}"]
    for title, numbers in comparison["medians"].items():
        lines.append(
            f"{title:16}{numbers['rows_per_second']:>12,.0f}{numbers['cpu_microseconds_per_row']:>12.2f}"
            f"{numbers['peak_memory_mib']:>10.1f}"
        )
    remote = f"  the same, with {results['options']['round_trip']:g} ms a round trip:"
    growth = sizes[-1]["peak_memory_mib"] - sizes[0]["peak_memory_mib"]
    others = results["datasets"]
    for title, numbers in others["medians"].items():
        lines.append(
            f"{title:20}{numbers['rows_per_second']:>8,.0f}{numbers['cpu_microseconds_per_row']:>12.2f}"
            f"{numbers['peak_memory_mib']:>10.1f}"
        )
    lines += [
        "",
        *(
            f"{f'{title} / {others["compared_with"][title]}:':52}{ratio:.2f}{GOALS.get(title, '')}"
            for title, ratio in others["ratios"].items()
        ),
        f"importer / limit (LOAD DATA INFILE by the server):  {comparison['share_of_limit']:.2f}   (goal: 0.8)",
        f"importer / reference (INSERT and COMMIT per row):   {comparison['times_reference']:.0f}",
        f"{remote:52}{comparison['times_reference_remote']:.0f}   (goal: 100)",
        f"memory growth from {sizes[0]['rows']:,.0f} to {sizes[-1]['rows']:,.0f} rows:  {growth:.1f} MiB   (goal: 32)",
        f"cold start, imports and clients:  {start['seconds'] * 1000:.0f} ms   zip: {start['zip_bytes'] / 1e6:.2f} MB",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write results."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the importer's speed and memory.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the comparison (default: %(default)s)")
    parser.add_argument(
        "--other-rows", type=int, default=300_000, help="rows of other datasets, gzip, modes (default: %(default)s)"
    )
    parser.add_argument("--reference-rows", type=int, default=5_000, help="default: %(default)s")
    parser.add_argument(
        "--round-trip", type=float, default=1.0, help="milliseconds of network latency (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often each method runs (default: %(default)s)")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000, 10_000_000], help="default: %(default)s"
    )
    parser.add_argument("--output", type=Path, default=ROOT / "bench" / "results" / "latest.json", help="the JSON")
    parser.add_argument("--plot", type=Path, help="an SVG of rate and memory over file size, such as docs/bench.svg")
    given = parser.parse_args()
    options = Options(
        given.rows, given.other_rows, given.reference_rows, given.round_trip, given.rounds, tuple(sorted(given.sizes))
    )
    # So that a signal, too, ends the server.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    folder.chmod(0o755)
    try:
        with MySqlServer(
            shared=folder, durable=True, options=("--innodb-buffer-pool-size=1G", "--innodb-redo-log-capacity=2G")
        ) as server:
            bench = Bench(server, folder)
            results: dict[str, Any] = {
                "when": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
                "machine": {"cpus": os.cpu_count(), "architecture": platform.machine(), "load": os.getloadavg()[0]},
                "python": platform.python_version(),
                "mysql": bench.version(),
                "options": asdict(options),
                "comparison": compare(bench, options),
                "datasets": compare_datasets(bench, options),
                "sizes": scale(bench, options),
            }
        results["cold_start"] = cold_start(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    if given.plot:
        given.plot.write_text(plot(results), encoding="utf-8")
    _print(report(results))
    _print(f"\nwritten: {given.output}")


def plot(results: dict[str, Any]) -> str:
    """Draw rate and memory over file size."""
    sizes = results["sizes"]
    return chart(
        [each["rows"] for each in sizes],
        [
            Series("rows a second", [each["rows_per_second"] for each in sizes]),
            Series("peak memory, MiB", [each["peak_memory_mib"] for each in sizes]),
        ],
        x_title="rows in the file",
    )


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
