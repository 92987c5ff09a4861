"""Runs the benchmark: python -m bench --help."""

import argparse
import datetime as dt
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.comparisons import compare, compare_datasets, scale
from bench.function_size import compare_function_sizes
from bench.latency import STARTS, measure_latency
from bench.loading import ROOT, Bench, Options, say
from bench.page import plot, report, write_page
from bench.server import running
from bench.sessions import compare_networks, compare_sessions

SECTIONS: dict[str, Callable[[Bench, Options], Any]] = {
    "comparison": compare,
    "datasets": compare_datasets,
    "sizes": scale,
    "sessions": compare_sessions,
    "networks": compare_networks,
    "latency": measure_latency,
    "function_sizes": compare_function_sizes,
}
MOST_SESSIONS = (1, 2, 4, 8)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the importer's speed and memory.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the comparisons (default: %(default)s)")
    parser.add_argument(
        "--other-rows",
        type=int,
        default=300_000,
        help="rows of other datasets, gzip, modes, sizes of the function (default: %(default)s)",
    )
    parser.add_argument("--reference-rows", type=int, default=5_000, help="default: %(default)s")
    parser.add_argument(
        "--round-trip", type=float, default=1.0, help="milliseconds of network latency (default: %(default)s)"
    )
    parser.add_argument(
        "--round-trips",
        type=float,
        nargs="+",
        default=[1.0, 5.0],
        help="the same, with several sessions (default: %(default)s)",
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often each method runs (default: %(default)s)")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000, 10_000_000], help="default: %(default)s"
    )
    cores = os.cpu_count() or 1
    parser.add_argument(
        "--sessions",
        type=int,
        nargs="+",
        default=[number for number in MOST_SESSIONS if number <= max(2, cores)],
        help="numbers of sessions (default: no more than cores, here %(default)s)",
    )
    parser.add_argument(
        "--function-sizes",
        type=int,
        nargs="+",
        default=[128, 256, 512, 1024, 1769, 3008],
        help="MB of the function's memory (default: %(default)s)",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=SECTIONS,
        default=list(SECTIONS),
        help="measure these; keep what --output has of others",
    )
    parser.add_argument("--mysqld", type=Path, help="a mysqld of this machine, where no container can be run")
    parser.add_argument("--output", type=Path, default=ROOT / "bench" / "results" / "latest.json", help="the JSON")
    parser.add_argument("--plot", type=Path, help="an SVG of rate and memory, such as docs/bench.svg")
    parser.add_argument(
        "--page", type=Path, help="a page with markers for the tables, such as docs/speed.md; its plot, too"
    )
    parser.add_argument("--shown", action="store_true", help="measure nothing: show, or write, what --output has")
    return parser.parse_args()


@contextmanager
def _bench(program: Path | None) -> Iterator[Bench]:
    """Start a server, in a container or of a program, with a folder for files."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    folder.chmod(0o755)
    try:
        with running(program, folder) as (server, shared):
            yield Bench(server, folder, shared)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(bench: Bench, options: Options, section: str, results: dict[str, Any]) -> dict[str, Any]:
    """Measure a section, and return its results with those of the others.

    Args:
        bench: The server.
        options: What to measure.
        section: The name of the section.
        results: Earlier results; those of another machine or version are dropped.
    """
    here = {
        "machine": {"cpus": os.cpu_count(), "architecture": platform.machine()},
        "python": platform.python_version(),
        "mysql": bench.version(),
    }
    kept = results if all(results.get(name) == value for name, value in here.items()) else {}
    say(f"{section} ({os.cpu_count()} cores)")
    measured = {
        **asdict(options),
        "when": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "load": os.getloadavg()[0],
        "rounds": {"latency": STARTS, "sizes": 1}.get(section, options.rounds),
    }
    numbers = SECTIONS[section](bench, options)
    # As it will be read: with texts as keys.
    read_again: dict[str, Any] = json.loads(
        json.dumps({**kept, **here, "measured": {**kept.get("measured", {}), section: measured}, section: numbers})
    )
    return read_again


def main() -> None:
    """Measure, print, and write results."""
    given = _arguments()
    options = Options(
        rows=given.rows,
        other_rows=given.other_rows,
        reference_rows=given.reference_rows,
        round_trip=given.round_trip,
        round_trips=tuple(given.round_trips),
        rounds=given.rounds,
        sizes=tuple(sorted(given.sizes)),
        # One session is what the others are compared with.
        sessions=tuple(sorted({1, *given.sessions})),
        function_sizes=tuple(sorted(given.function_sizes)),
    )
    output: Path = given.output
    results = json.loads(output.read_text(encoding="utf-8")) if output.is_file() else {}
    if not given.shown:
        # So that a signal, too, ends the server.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        with _bench(given.mysqld) as bench:
            for section in given.only:
                results = measure(bench, options, section, results)
                output.parent.mkdir(parents=True, exist_ok=True)
                output.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    if given.plot:
        given.plot.write_text(plot(results), encoding="utf-8")
    if given.page:
        write_page(given.page, results)
    say(report(results))
    say(f"\nresults: {output}")


if __name__ == "__main__":
    main()
