"""The check that a schedule starts: publishes what is pending, and looks for what nobody else would notice."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from csv_importer.afterwards import Pending, Publisher, Tagger, Warn
from csv_importer.datasets import Dataset, Datasets
from csv_importer.events import Source
from csv_importer.ledger import Stalled, Table

BATCHES = 100
"""Batches of what is left to do that one check does."""

NAMED = 10
"""Imports without progress that are named in the log."""

NEAR_THE_END = 80.0
"""Percent of a table's numbers from which on the log names it, as site.yml does."""


class Ledger(Pending, Protocol):
    """What the check reads: see ledger.MySqlLedger."""

    def pending(self) -> tuple[int, int]:
        """Return how many events nobody has published in time, and since when in seconds the oldest waits."""

    def untagged(self) -> tuple[int, int]:
        """Return how many objects are not tagged yet, and since when in seconds the first waits."""

    def newest(self, dataset: str) -> int | None:
        """Return how many seconds ago the newest import of a dataset succeeded; None where none has."""

    def stalled(self, seconds: int, most: int) -> tuple[int, list[Stalled]]:
        """Return how many imports make no progress, and those that have waited longest."""

    def tables(self) -> list[Table]:
        """Return the tables whose rows the server numbers."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a check has found: each is a metric.

    Attributes:
        events_pending: Events that nobody has published in time.
        objects_untagged: Objects of imports that have succeeded which are not tagged yet.
        datasets_overdue: Datasets of which no file has come for longer than they say.
        imports_without_progress: Imports that have not ended, and on which nothing gets on.
        identifiers_used: The share of its numbers that the fullest table has used up, in percent.
    """

    events_pending: int
    objects_untagged: int
    datasets_overdue: int
    imports_without_progress: int
    identifiers_used: float


class Check:
    """One check."""

    def __init__(  # noqa: PLR0913 - all by name
        self,
        *,
        datasets: Datasets,
        source: Source,
        progress_timeout: int,
        after: Sequence[Publisher | Tagger],
        time_left: Callable[[], float],
        warn: Warn,
    ) -> None:
        """Keep what a check needs.

        Args:
            datasets: The datasets.
            source: Where the importer runs.
            progress_timeout: Seconds without progress after which an import is named.
            after: What does what is left to do once imports have ended.
            time_left: Returns how many seconds may still be used.
            warn: Where to report what is found, each with the command to look.
        """
        self._datasets = datasets
        self._source = source
        self._progress_timeout = progress_timeout
        self._after = after
        self._time_left = time_left
        self._warn = warn

    def run(self, opened: AbstractContextManager[Ledger]) -> Findings:
        """Publish what is pending, and look.

        Args:
            opened: The ledger.

        Raises:
            TransientError: The database cannot be used now.
            ConfigurationError: The user lacks a privilege.
        """
        with opened as ledger:
            for each in self._after:
                each.run(ledger, BATCHES, self._time_left)
            tables = ledger.tables()
            return Findings(
                events_pending=self._events(ledger),
                objects_untagged=self._untagged(ledger),
                datasets_overdue=sum(self._is_overdue(ledger, dataset, tables) for dataset in self._datasets.all),
                imports_without_progress=self._stalled(ledger),
                identifiers_used=self._used(tables),
            )

    def _events(self, ledger: Ledger) -> int:
        count, oldest = ledger.pending()
        if count:
            self._warn("Events are not published yet", events=count, oldest_seconds=oldest)
        return count

    def _untagged(self, ledger: Ledger) -> int:
        count, oldest = ledger.untagged()
        if count:
            self._warn(
                "Objects of imports that have succeeded are not tagged yet", objects=count, oldest_seconds=oldest
            )
        return count

    def _is_overdue(self, ledger: Ledger, dataset: Dataset, tables: Sequence[Table]) -> bool:
        if dataset.expected_every is None:
            return False
        seconds = ledger.newest(dataset.name)
        # Where none has come yet, the time counts from the table on.
        since = next((table.seconds for table in tables if table.name == dataset.table), 0)
        waited = since if seconds is None else seconds
        if waited <= dataset.expected_every.total_seconds():
            return False
        self._warn(
            "No file has come for longer than the dataset says (csvToAurora:expectedEvery)",
            dataset=dataset.name,
            seconds=waited,
            expected_every_seconds=int(dataset.expected_every.total_seconds()),
            any_file_yet=seconds is not None,
            look=[self._source.command("imports"), self._source.command("reconcile")],
        )
        return True

    def _stalled(self, ledger: Ledger) -> int:
        count, first = ledger.stalled(self._progress_timeout, NAMED)
        for each in first:
            self._warn(
                "An import makes no progress",
                import_id=each.import_id,
                status=each.status,
                dataset=each.dataset,
                key=each.key,
                seconds=each.seconds,
                look=self._source.command("imports", f"imports_status={each.status}"),
                fix=self._source.command("replay", f"replay={each.import_id}"),
            )
        return count

    def _used(self, tables: Sequence[Table]) -> float:
        for table in tables:
            if table.used >= NEAR_THE_END:
                self._warn(
                    "A table has used up most of its numbers: csvToAurora:idType bigint and csvToAurora:allow copy add"
                    " some",
                    table=table.name,
                    percent=round(table.used, 1),
                    look=self._source.command("plan"),
                )
        return max((table.used for table in tables), default=0.0)
