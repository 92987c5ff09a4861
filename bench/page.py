"""The results as text: tables for a terminal, and the same tables between the markers of docs/speed.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.function_size import MEGABYTES_PER_PROCESSOR
from bench.large_files import FILES, duration, loading
from bench.latency import EMULATED
from bench.plot import Line, Panel, chart

SESSION_GOALS = {1: 0.8, 2: 0.7, 4: 0.8, 8: 0.6}
"""The share of the limit that a number of sessions should reach; four and more on MANY_CORES at least."""

MANY_CORES = 8
MEMORY_GOAL, MEMORY_GOAL_PER_SESSION = 32, 8
"""MiB above what the process has at first, and for each session."""

OTHER_GOALS = {"20 columns": 0.6, "gzip": 0.7}
NEARLY = 0.95
"""The share of the best rate that is as good as the best one."""

type Results = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A table of the report.

    Attributes:
        name: That of its markers in a page.
        title: What is above it in a terminal.
        head: The titles of the columns.
        rows: The cells.
        notes: Sentences below it.
    """

    name: str
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def text(self) -> str:
        """Return it for a terminal."""
        widths = [max(len(row[column]) for row in (self.head, *self.rows)) for column in range(len(self.head))]
        lines = ["", self.title]
        for row in (self.head, *self.rows):
            first, *others = (
                cell.ljust(width) if not column else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            lines.append("  ".join([first, *others]).rstrip())
        return "\n".join([*lines, *self.notes])

    def markdown(self) -> str:
        """Return it for a page."""
        lines = [_cells(self.head), _cells(["---", *["---:"] * (len(self.head) - 1)]), *map(_cells, self.rows)]
        return "\n".join(["\n".join(lines), *self.notes] if not self.notes else [*lines, "", *self.notes])


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def tables(results: Results) -> list[Table]:
    """Return the tables of what was measured."""
    makers = {
        "comparison": _comparison,
        "datasets": _datasets,
        "sizes": _sizes,
        "sessions": _sessions,
        "networks": _networks,
        "latency": _latency,
        "function_sizes": _function_sizes,
    }
    made = [make(results) for name, make in makers.items() if name in results]
    return [*made, _large_files(results)] if "sessions" in results else made


def report(results: Results) -> str:
    """Return everything for a terminal."""
    return "\n".join(table.text() for table in tables(results))


def write_page(page: Path, results: Results) -> None:
    """Write the tables between their markers in a page, and the plot beside it.

    Raises:
        SystemExit: The page lacks a marker.
    """
    text = page.read_text(encoding="utf-8")
    for table in tables(results):
        # A page may have a place of its own for a machine with more cores.
        names = (f"{table.name}, {results['machine']['cpus']} cores", table.name)
        name = next((name for name in names if f"<!-- bench: {name} -->" in text), table.name)
        begin, end = f"<!-- bench: {name} -->\n", f"<!-- /bench: {name} -->"
        before, marker, rest = text.partition(begin)
        _, other_marker, after = rest.partition(end)
        if not (marker and other_marker):
            raise SystemExit(f"{page}: {begin.strip()} and {end} are missing")
        text = f"{before}{begin}\n{_where(results, table.name)}\n\n{table.markdown()}\n\n{end}{after}"
    page.write_text(text, encoding="utf-8")
    if "sizes" in results and "sessions" in results:
        page.with_suffix(".svg").write_text(plot(results), encoding="utf-8")


def _where(results: Results, name: str) -> str:
    """Say on what a table was measured."""
    machine = results["machine"]
    measured = results["measured"][{"large_files": "sessions"}.get(name, name)]
    return (
        f"{measured['when'][:10]}, {machine['cpus']} cores ({machine['architecture']}), load average"
        f" {measured['load']:.1f} at the start, Python {results['python']}, MySQL {results['mysql']},"
        f" medians of {measured['rounds']}:"
    )


def plot(results: Results) -> str:
    """Draw rate over sessions, and rate and memory over the file's size."""
    sessions, sizes = results["sessions"], results["sizes"]
    numbers = sorted({each["sessions"] for each in sizes})
    xs = [each["file_rows"] for each in sizes if each["sessions"] == numbers[0]]

    def over_size(key: str) -> list[Line]:
        return [Line(_count(number), [each[key] for each in sizes if each["sessions"] == number]) for number in numbers]

    names = {"importer": "importer", "local": "LOAD DATA LOCAL", "limit": "LOAD DATA INFILE by the server"}
    over_sessions = [
        Line(title, [sessions["medians"][f"{name} {number}"]["rows_per_second"] for number in sessions["sessions"]])
        for name, title in names.items()
    ]
    return chart(
        [
            Panel("rows a second", "sessions", sessions["sessions"], over_sessions),
            Panel("rows a second", "rows in the file", xs, over_size("rows_per_second")),
            Panel("peak memory, MiB", "rows in the file", xs, over_size("peak_memory_mib")),
        ]
    )


def _count(sessions: int) -> str:
    return f"{sessions} session{'s' if sessions > 1 else ''}"


def _measured(numbers: dict[str, float]) -> list[str]:
    return [
        f"{numbers['rows_per_second']:,.0f}",
        f"{numbers['cpu_microseconds_per_row']:.2f}",
        f"{numbers['peak_memory_mib']:.1f}",
    ]


MEASURED = ("rows/s", "CPU µs/row", "peak MiB")


def _goal(value: float, goal: float | None) -> str:
    return f"{value:.2f}" + (f" (goal: {goal:g})" if goal else "")


def _comparison(results: Results) -> Table:
    comparison = results["comparison"]
    round_trip = results["measured"]["comparison"]["round_trip"]
    return Table(
        "comparison",
        "one session",
        ("", *MEASURED),
        [[title, *_measured(numbers)] for title, numbers in comparison["medians"].items()],
        [
            f"importer / limit: {comparison['share_of_limit']:.2f} (goal: 0.8).",
            (
                f"importer / reference: {comparison['times_reference']:.0f}; with {round_trip:g} ms a round trip:"
                f" {comparison['times_reference_remote']:.0f} (goal: 100)."
            ),
        ],
    )


def _datasets(results: Results) -> Table:
    others = results["datasets"]
    rows = []
    for title, numbers in others["medians"].items():
        other = others["compared_with"].get(title)
        ratio = f"{_goal(others['ratios'][title], OTHER_GOALS.get(title))} of {other}" if other else ""
        rows.append([title, *_measured(numbers), ratio])
    return Table("datasets", "other datasets, gzip, modes", ("", *MEASURED, "share"), rows)


def _sizes(results: Results) -> Table:
    sizes = results["sizes"]
    rows = [
        [
            f"{each['file_rows']:,}",
            str(each["sessions"]),
            f"{each['rows_per_second']:,.0f}",
            f"{each['peak_memory_mib']:.1f}",
            f"{each['peak_memory_mib'] - each['first_memory_mib']:.1f}",
        ]
        for each in sizes
    ]
    notes = []
    for sessions in sorted({each["sessions"] for each in sizes}):
        first, *_, last = [each for each in sizes if each["sessions"] == sessions]
        growth = last["peak_memory_mib"] - first["peak_memory_mib"]
        notes.append(
            f"{_count(sessions)}: {growth:.1f} MiB more for {last['file_rows']:,} than for {first['file_rows']:,} rows"
            f" (goal: {MEMORY_GOAL})."
        )
    return Table(
        "sizes", "size of the file", ("rows", "sessions", "rows/s", "peak MiB", "more than at first"), rows, notes
    )


def _sessions(results: Results) -> Table:
    sessions, cores = results["sessions"], results["machine"]["cpus"]
    rows = []
    for number in sessions["sessions"]:
        key = str(number)
        runs = {name: sessions["medians"][f"{name} {number}"] for name in ("limit", "local", "importer")}
        goal = SESSION_GOALS.get(number) if number <= 2 or cores >= MANY_CORES else None
        growth = runs["importer"]["peak_memory_mib"] - runs["importer"]["first_memory_mib"]
        rows.append(
            [
                key,
                *(f"{run['rows_per_second']:,.0f}" for run in runs.values()),
                _goal(sessions["share_of_one"][key], 1.3 if number == 2 else None),
                _goal(sessions["share_of_limit"][key], goal),
                _goal(sessions["share_of_local"][key], None),
                _goal(sessions["checked_share"][key], None),
                f"{runs['importer']['cpu_microseconds_per_row']:.2f}",
                f"{growth:.1f} (goal: {MEMORY_GOAL + MEMORY_GOAL_PER_SESSION * number})",
            ]
        )
    head = (
        "sessions",
        "limit",
        "LOAD DATA LOCAL",
        "importer, rows/s",
        "/ 1 session",
        "/ limit",
        "/ LOCAL",
        "checked / importer",
        "CPU µs/row",
    )
    return Table("sessions", f"one file, several sessions, {cores} cores", (*head, "MiB more than at first"), rows)


def _networks(results: Results) -> Table:
    networks = results["networks"]
    rows = [
        [
            f"{round_trip:g} ms",
            *(
                f"{networks['medians'][f'{round_trip:g} ms, {number}']['rows_per_second']:,.0f}"
                for number in networks["sessions"]
            ),
        ]
        for round_trip in networks["round_trips"]
    ]
    head = ("round trip", *(f"{_count(number)}, rows/s" for number in networks["sessions"]))
    return Table("networks", "one file, over a network", head, rows)


def _latency(results: Results) -> Table:
    latency = results["latency"]
    cold, warm = latency["cold"], latency["warm"]
    plain = ("number of statements", "peak_memory_mib")
    rows = [
        [
            f"{name} (emulated)" if name.startswith(EMULATED) else name,
            *(f"{each.get(name, 0) * 1000:.0f}" for each in (cold, warm)),
        ]
        for name in cold
        if name not in plain
    ]
    return Table(
        "latency",
        f"from the event to the rows of a file with {latency['rows']} rows, in milliseconds",
        ("", "cold, ms", "warm, ms"),
        rows,
        [
            (
                f"{cold['number of statements']:.0f} statements cold, {warm['number of statements']:.0f} warm: each of"
                " them is a round trip to the database."
            ),
            f"Peak memory {warm['peak_memory_mib']:.0f} MiB; the zip has {latency['zip_bytes'] / 1e6:.2f} MB.",
        ],
    )


def _function_sizes(results: Results) -> Table:
    sized = results["function_sizes"]
    sizes = sized["sizes"]
    rows = [
        [
            f"{each['megabytes']:,} MB",
            f"{each['processors']:.2f}",
            str(each["sessions"]),
            f"{each['rows_per_second']:,.0f}",
            f"{1e6 / each['rows_per_second']:.1f}",
            f"{100 * each['dollars']:.4f}",
        ]
        for each in sizes
    ]
    cheapest = min(sizes, key=lambda each: each["dollars"])
    best = max(each["rows_per_second"] for each in sizes)
    fast = min((each for each in sizes if each["rows_per_second"] >= NEARLY * best), key=lambda each: each["dollars"])
    notes = [
        f"{title}: {each['megabytes']:,} MB with {_count(each['sessions'])}, {each['rows_per_second']:,.0f} rows a"
        f" second, {100 * each['dollars']:.4f} cents for a million rows."
        for title, each in {"Cheapest": cheapest, f"At least {NEARLY:.0%} of the highest rate": fast}.items()
    ]
    if not sized["measured"]:
        notes.append("The rates are computed from processor time: this machine lets nobody limit a process.")
    head = ("memory", "vCPU", "sessions", "rows/s", "s for a million rows", "US cents for a million rows")
    title = f"size of the function ({MEGABYTES_PER_PROCESSOR:,} MB are one vCPU)"
    return Table("function_sizes", title, head, rows, notes)


def _large_files(results: Results) -> Table:
    sessions = results["sessions"]
    rows = []
    for number in sessions["sessions"]:
        rate = sessions["medians"][f"importer {number}"]["rows_per_second"] * sessions["file_bytes"] / sessions["rows"]
        files = [loading(gigabytes, rate) for gigabytes in FILES]
        rows.append(
            [
                str(number),
                f"{rate / 1e6:.1f}",
                *(f"{duration(file.seconds)}, {file.invocations}" for file in files),
            ]
        )
    head = ("sessions", "MB/s", *(f"{gigabytes} GB: time, invocations" for gigabytes in FILES))
    return Table("large_files", "large files, computed", head, rows)
