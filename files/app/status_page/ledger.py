"""What the pages read of the ledger. Each query goes by an index, and nothing reads the tables of datasets.

Statements are constants: what a request says is bound as a parameter, or is one of the choices here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import Any

from status_page.database import Reader, Row

STATUSES = ("checking", "running", "succeeded", "failed", "interrupted")
"""Those of the ledger."""

AT_WORK = ("checking", "running")
FAILED = ("failed", "interrupted")

PAGE = 50
"""Imports of one page, and rejects."""

LATEST = 10
"""Failures of the overview."""

AT_WORK_SHOWN = 20
"""Imports at work of the overview."""

DAYS = 30
"""Days of the charts, today included."""

LONGEST_INVOCATION = 900
"""Seconds that an invocation of Lambda lasts at most: an import without progress for longer is worked on by none."""

LONGEST_KEY = 1024
"""Bytes of an object key."""

# The length of the part of a longer key that import_file begins with: see the importer's objects.py.
_IN_IMPORT_FILE = 83

_COLUMNS = (
    "i.id, i.bucket, i.object_key, i.version_id, i.dataset, i.status, i.size_bytes, i.attempts, i.reason, i.started_at,"
    " i.updated_at, i.finished_at, i.undone_at, i.rows_undone, i.byte_offset + COALESCE(more.bytes, 0) AS bytes_read,"
    " i.rows_read + COALESCE(more.loaded + more.rejected + more.blank, 0) AS rows_read,"
    " i.rows_loaded + COALESCE(more.loaded, 0) AS rows_loaded,"
    " i.rows_rejected + COALESCE(more.rejected, 0) AS rows_rejected,"
    " i.rows_blank + COALESCE(more.blank, 0) AS rows_blank, NOW(3) AS now"
)
# What several sessions have stored beyond the position of the ledger's row: nothing of an import that has ended.
_RANGES = (
    "LEFT JOIN LATERAL (SELECT SUM(end_offset - byte_offset) AS bytes, SUM(rows_loaded) AS loaded,"
    " SUM(rows_rejected) AS rejected, SUM(rows_blank) AS blank FROM csv_import_range WHERE import_id = i.id)"
    " AS more ON TRUE"
)


def _imports(chosen: str, *, by_time: bool = True) -> str:
    """Return the statement that reads the imports with the ids of another one, the newest first.

    Only ids are sorted and counted off: an index has them, and a row of the ledger is wide.
    """
    return (
        f"SELECT {_COLUMNS} FROM ({chosen}) AS chosen JOIN csv_import AS i ON i.id = chosen.id {_RANGES}"  # noqa: S608
        f" ORDER BY {'i.started_at DESC, ' if by_time else ''}i.id DESC"
    )


def _newest(limit: int, where: str) -> str:
    """Return the statement that reads the newest imports of a status by the index that is in this order."""
    return f"(SELECT id, started_at FROM csv_import WHERE {where} ORDER BY started_at DESC, id DESC LIMIT {limit})"  # noqa: S608


def _newest_of(statuses: Sequence[str], limit: int, where: str = "") -> str:
    """Return the statement that reads the newest imports of several statuses: the newest of each, then of those."""
    each = (_newest(limit, f"{where}status = '{status}'") for status in statuses)
    return f"{' UNION ALL '.join(each)} ORDER BY started_at DESC, id DESC LIMIT {limit}"


_AT_WORK = _imports(_newest_of(AT_WORK, AT_WORK_SHOWN))
# Of all: those are old, and the newest are listed.
_WITHOUT_PROGRESS = (
    "SELECT COUNT(*) AS imports FROM csv_import WHERE status IN %s AND updated_at < NOW(3) - INTERVAL %s SECOND"
)
_FAILURES = _imports(_newest_of(FAILED, LATEST))
_ONE = _imports("SELECT id FROM csv_import WHERE id = %s")
# In the order of the index dataset_status_started, which has all of it.
_TOTALS = (
    "SELECT dataset, status, COUNT(*) AS imports, SUM(rows_loaded) AS rows_loaded, SUM(rows_rejected) AS rows_rejected"
    " FROM csv_import GROUP BY dataset, status"
)
_DATASETS = "SELECT DISTINCT dataset FROM csv_import"
_NEWEST = (
    f"SELECT d.dataset, n.id, n.finished_at, n.rows_loaded, NOW(3) AS now FROM ({_DATASETS}) AS d"  # noqa: S608
    " LEFT JOIN LATERAL (SELECT id, finished_at, rows_loaded FROM csv_import AS i"
    " WHERE i.dataset = d.dataset AND i.status = 'succeeded' AND i.undone_at IS NULL"
    " ORDER BY i.started_at DESC, i.id DESC LIMIT 1) AS n ON TRUE ORDER BY d.dataset"
)
_DAYS = (
    "SELECT dataset, DATE(started_at) AS day, COUNT(*) AS imports, SUM(rows_loaded) AS rows_loaded,"
    " SUM(rows_rejected) AS rows_rejected FROM csv_import"
    " WHERE dataset IN %(datasets)s AND status IN %(statuses)s AND started_at >= %(since)s GROUP BY dataset, day"
)
_LAST = "SELECT started_at FROM csv_import WHERE id <= %s ORDER BY id DESC LIMIT 1"
_REJECTS = (
    "SELECT line_number, column_name, reason FROM csv_import_reject WHERE import_id = %s AND line_number > %s"
    " ORDER BY line_number LIMIT %s"
)
# At most as many as an import keeps: importer_max_kept_rejects.
_REASONS = (
    "SELECT column_name, reason, COUNT(*) AS rejects FROM csv_import_reject WHERE import_id = %s"
    " GROUP BY column_name, reason ORDER BY rejects DESC, column_name, reason LIMIT 20"
)
_ENDPOINT = "SELECT @@global.innodb_read_only = 1 AS is_reader"


@dataclass(frozen=True)
class Import:
    """An import, as the ledger has it. Times are in UTC, sizes in bytes."""

    id: int
    bucket: str
    key: str
    version_id: str
    dataset: str
    status: str
    attempts: int
    size_bytes: int
    bytes_read: int
    rows_read: int
    rows_loaded: int
    rows_rejected: int
    rows_blank: int
    reason: str | None
    started_at: dt.datetime
    updated_at: dt.datetime
    finished_at: dt.datetime | None
    undone_at: dt.datetime | None
    rows_undone: int
    now: dt.datetime

    @property
    def at_work(self) -> bool:
        """Whether it has not ended."""
        return self.status in AT_WORK

    @property
    def seconds(self) -> float:
        """How long it has taken, up to now or to its end."""
        end = self.finished_at or (self.updated_at if self.status == "interrupted" else self.now)
        return max((end - self.started_at).total_seconds(), 0.0)

    @property
    def rows_per_second(self) -> int | None:
        """Rows read in a second, on average; None where nothing was read."""
        return round(self.rows_read / self.seconds) if self.rows_read and self.seconds else None

    @property
    def share(self) -> float | None:
        """How much of the file has been read, 0 to 1; None of what has ended, or of a compressed file."""
        # Nobody knows how large the content of a compressed object is.
        if not self.at_work or not self.size_bytes or self.key.endswith(".gz"):
            return None
        return min(self.bytes_read / self.size_bytes, 1.0)

    @property
    def seconds_left(self) -> int | None:
        """How long the rest takes at the average rate since the beginning; None where that is not known."""
        if not self.share or self.attempts > 1:
            return None
        return round(self.seconds * (1 - self.share) / self.share)

    @property
    def idle_seconds(self) -> int | None:
        """For how long an import at work has made no progress, if an invocation cannot last as long."""
        idle = (self.now - self.updated_at).total_seconds()
        return round(idle) if self.at_work and idle > LONGEST_INVOCATION else None

    @property
    def loaded_nothing(self) -> bool:
        """Whether it has succeeded without a row, while rows were rejected."""
        return self.status == "succeeded" and not self.rows_loaded and self.rows_rejected > 0


@dataclass(frozen=True)
class Imports:
    """A page of imports, the newest first.

    Attributes:
        imports: At most PAGE.
        before: What the next page comes before, or None where there is none.
    """

    imports: Sequence[Import]
    before: int | None


@dataclass(frozen=True)
class Choice:
    """Which imports to list; None for all.

    Attributes:
        dataset: A dataset's name; empty for keys that no dataset takes.
        status: One of STATUSES.
        prefix: What the key begins with.
        before: The id of the last import of the page before.
    """

    dataset: str | None = None
    status: str | None = None
    prefix: str = ""
    before: int | None = None


@dataclass(frozen=True)
class Reject:
    """A rejected row, without its text."""

    line: int
    column: str | None
    reason: str


@dataclass(frozen=True)
class Reason:
    """Why rows were rejected, and how many."""

    column: str | None
    reason: str
    rejects: int


@dataclass(frozen=True)
class Rejects:
    """A page of an import's rejects, by line.

    Attributes:
        rejects: At most PAGE.
        after: What the next page comes after, or None where there is none.
        reasons: The most frequent reasons of all that are kept.
    """

    rejects: Sequence[Reject]
    after: int | None
    reasons: Sequence[Reason]


@dataclass(frozen=True)
class Total:
    """Counts of one dataset and status, over the whole ledger."""

    dataset: str
    status: str
    imports: int
    rows_loaded: int
    rows_rejected: int


@dataclass(frozen=True)
class Newest:
    """The newest successful import of a dataset, which has not been undone; without one, its fields are None."""

    dataset: str
    id: int | None
    finished_at: dt.datetime | None
    rows_loaded: int | None
    age_seconds: int | None


@dataclass(frozen=True)
class Day:
    """Counts of the imports that began on a day (UTC)."""

    day: dt.date
    imports: int
    rows_loaded: int
    rows_rejected: int


@dataclass(frozen=True)
class Counts:
    """Totals over the whole ledger.

    Attributes:
        at: When they were read, UTC.
        is_reader: Whether the database that they come from is a reader, which takes no writes.
    """

    at: dt.datetime
    is_reader: bool
    totals: Sequence[Total]


@dataclass(frozen=True)
class Overview:
    """What is new: imports at work, failures, and how old the data is.

    Attributes:
        at_work: The newest AT_WORK_SHOWN.
        failures: The newest LATEST.
        newest: By dataset.
        without_progress: How many of all imports at work no invocation works on.
    """

    at_work: Sequence[Import]
    failures: Sequence[Import]
    newest: Sequence[Newest]
    without_progress: int


def counts(reader: Reader) -> Counts:
    """Read the totals: some 20 ms for 100,000 imports."""
    at = dt.datetime.now(dt.UTC)
    (endpoint,) = reader.rows(_ENDPOINT)
    totals = [
        Total(row["dataset"], row["status"], row["imports"], int(row["rows_loaded"]), int(row["rows_rejected"]))
        for row in reader.rows(_TOTALS)
    ]
    return Counts(at, bool(endpoint["is_reader"]), totals)


def days(reader: Reader) -> dict[str, list[Day]]:
    """Read the last DAYS days of each dataset, in order and without gaps: some 100 ms for 100,000 imports."""
    datasets = sorted(row["dataset"] for row in reader.rows(_DATASETS))
    since = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=DAYS - 1)
    bound = {"datasets": datasets, "statuses": STATUSES, "since": since}
    rows = reader.rows(_DAYS, bound) if datasets else []
    found = {(row["dataset"], row["day"]): row for row in rows}
    return {dataset: [_day(since + dt.timedelta(days=n), found, dataset) for n in range(DAYS)] for dataset in datasets}


def _day(day: dt.date, found: dict[tuple[str, dt.date], Row], dataset: str) -> Day:
    row = found.get((dataset, day))
    return Day(day, row["imports"], int(row["rows_loaded"]), int(row["rows_rejected"])) if row else Day(day, 0, 0, 0)


def all_datasets(by_dataset: Mapping[str, Sequence[Day]]) -> list[Day]:
    """Return the days of all datasets together."""
    every = sorted((day for each in by_dataset.values() for day in each), key=lambda day: day.day)
    return [
        Day(date, sum(d.imports for d in each), sum(d.rows_loaded for d in each), sum(d.rows_rejected for d in each))
        for date, group in groupby(every, key=lambda day: day.day)
        for each in (list(group),)
    ]


def overview(reader: Reader) -> Overview:
    """Read what is new."""
    return Overview(
        [_import(row) for row in reader.rows(_AT_WORK)],
        [_import(row) for row in reader.rows(_FAILURES)],
        newest(reader),
        reader.rows(_WITHOUT_PROGRESS, (AT_WORK, LONGEST_INVOCATION))[0]["imports"],
    )


def newest(reader: Reader) -> list[Newest]:
    """Read the newest successful import of each dataset."""
    return [
        Newest(
            row["dataset"],
            row["id"],
            _utc(row["finished_at"]),
            row["rows_loaded"],
            row["finished_at"] and max(round((row["now"] - row["finished_at"]).total_seconds()), 0),
        )
        for row in reader.rows(_NEWEST)
    ]


def imports(reader: Reader, choice: Choice) -> Imports:
    """Read a page of the ledger, the newest imports first."""
    by_time = not choice.prefix and (choice.dataset is not None or choice.status is not None)
    conditions: list[str] = []
    bound: dict[str, object] = {"dataset": choice.dataset, "status": choice.status, "before": choice.before}
    if choice.dataset is not None:
        conditions.append("dataset = %(dataset)s")
    if choice.status is not None and not by_time:
        conditions.append("status = %(status)s")
    if choice.prefix:
        # The column with an index has the beginning of a long key only.
        conditions.append("import_file LIKE %(beginning)s")
        bound["beginning"] = _beginning_with(choice.prefix[:_IN_IMPORT_FILE])
    if len(choice.prefix) > _IN_IMPORT_FILE:
        conditions.append("object_key LIKE %(prefix)s")
        bound["prefix"] = _beginning_with(choice.prefix)
    if choice.before is not None and by_time:
        last = reader.rows(_LAST, (choice.before,))
        if not last:
            return Imports([], None)
        # The first condition is for the index, the second one for imports that began in the same millisecond.
        conditions.append("started_at <= %(time)s AND (started_at < %(time)s OR id < %(before)s)")
        bound["time"] = last[0]["started_at"]
    elif choice.before is not None:
        conditions.append("id < %(before)s")
    if by_time:
        statuses = STATUSES if choice.status is None else [choice.status]
        chosen = _newest_of(statuses, PAGE + 1, "".join(f"{each} AND " for each in conditions))
    else:
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        # Without the hint, the whole ledger is read from its end until enough are found, which may be none.
        hint = " FORCE INDEX (import_file)" if choice.prefix else ""
        chosen = f"SELECT id FROM csv_import{hint}{where} ORDER BY id DESC LIMIT {PAGE + 1}"  # noqa: S608 - constants
    found = [_import(row) for row in reader.rows(_imports(chosen, by_time=by_time), bound)]
    return Imports(found[:PAGE], found[PAGE - 1].id if len(found) > PAGE else None)


def one_import(reader: Reader, import_id: int) -> Import | None:
    """Read an import, or None where there is none with this id."""
    rows = reader.rows(_ONE, (import_id,))
    return _import(rows[0]) if rows else None


def rejects(reader: Reader, import_id: int, after: int = 0) -> Rejects:
    """Read a page of an import's rejects, those after a line; never their text."""
    rows = reader.rows(_REJECTS, (import_id, after, PAGE + 1))
    found = [Reject(row["line_number"], row["column_name"], row["reason"]) for row in rows]
    reasons = [Reason(row["column_name"], row["reason"], row["rejects"]) for row in reader.rows(_REASONS, (import_id,))]
    return Rejects(found[:PAGE], found[PAGE - 1].line if len(found) > PAGE else None, reasons)


def _beginning_with(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def _import(row: Row) -> Import:
    values: dict[str, Any] = {name: _plain(value) for name, value in row.items()}
    return Import(key=values.pop("object_key"), **values)


def _plain(value: object) -> object:
    """Return sums as whole numbers, and times with their zone."""
    if isinstance(value, Decimal):
        return int(value)
    return value.replace(tzinfo=dt.UTC) if isinstance(value, dt.datetime) else value


def _utc(value: dt.datetime | None) -> dt.datetime | None:
    return value and value.replace(tzinfo=dt.UTC)
