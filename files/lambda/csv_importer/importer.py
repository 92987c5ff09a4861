"""Imports one object version: decides what is read, stored, committed, retried and given up."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from csv_importer.columns import Column
from csv_importer.errors import FileRefused, TransientError
from csv_importer.limits import DEFAULTS, Limits
from csv_importer.objects import ObjectVersion
from csv_importer.parsing import Block, Header, Position, Reject, read_blocks, read_header
from csv_importer.pipeline import Pipeline
from csv_importer.ports import (
    Counts,
    Database,
    Entry,
    Loader,
    ObjectStore,
    RowsAltered,
    Session,
    Status,
)

NOTHING = Counts()

type Log = Callable[..., None]
"""Writes a message with keys and values; never a value out of a file."""


class Result(StrEnum):
    """How a run ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNFINISHED = "unfinished"
    """Time is up: another invocation has to resume it."""
    DUPLICATE = "duplicate"
    """It had ended before this run."""
    ELSEWHERE = "elsewhere"
    """Another invocation is importing it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a run.

    Attributes:
        result: How it ended.
        entry: The ledger's row afterwards.
        added: What this run itself stored and counted.
    """

    result: Result
    entry: Entry
    added: Counts = NOTHING


class Importer:
    """Imports object versions from a bucket into a database."""

    def __init__(  # noqa: PLR0913 - all by name
        self,
        *,
        store: ObjectStore,
        database: Database,
        time_left: Callable[[], float],
        log: Log,
        max_reject_ratio: float | None = None,
        limits: Limits = DEFAULTS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Keep what an import needs.

        Args:
            store: The bucket.
            database: The database.
            time_left: Returns how many seconds of the invocation may still be used.
            log: Where to report progress.
            max_reject_ratio: The highest share of rows that may be rejected, 0 to 1; None for any.
            limits: Sizes and times.
            sleep: Waits for some seconds.
        """
        self._store = store
        self._database = database
        self._time_left = time_left
        self._log = log
        self._max_reject_ratio = max_reject_ratio
        self._limits = limits
        self._sleep = sleep

    def run(self, version: ObjectVersion, *, replay: bool = False) -> Outcome:
        """Import an object version, from the position in the ledger on.

        Args:
            version: The object version.
            replay: Whether to run it again if it had failed.

        Returns:
            How it ended; a file that cannot be loaded is an outcome, not an error.

        Raises:
            TransientError: An error outlasted the timeout, or the time that is left.
            ConfigurationError: The database cannot be used until an operator fixes something.
        """
        run = _Run(self._store, self._time_left, self._log, self._max_reject_ratio, self._limits)
        lock_timeout, retry_timeout = self._limits.lock_timeout, self._limits.retry_timeout
        waited, attempt, progress = 0.0, 0, 0
        while True:
            try:
                with self._database.open(version, min(lock_timeout, self._time_left())) as session:
                    if isinstance(session, Entry):
                        return Outcome(Result.DUPLICATE if session.status.ended else Result.ELSEWHERE, session)
                    return run.resume(session, version, replay=replay)
            except TransientError as error:
                if run.commits > progress:
                    waited, attempt, progress = 0.0, 0, run.commits
                # Full jitter: invocations that failed together do not come back together.
                delay = random.uniform(0.1, min(5.0, 0.2 * 2**attempt))  # noqa: S311
                attempt += 1
                waited += delay
                if waited > retry_timeout or delay >= self._time_left():
                    raise
                self._log("Transient error: retrying", reason=str(error), attempt=attempt, delay=round(delay, 2))
                self._sleep(delay)


@dataclass(slots=True)
class _Work:
    """One session's work on one object version; entry is the ledger's row as last committed."""

    session: Session
    version: ObjectVersion
    entry: Entry


class _Run:
    """One run over one object version, over as many sessions as it takes."""

    def __init__(
        self,
        store: ObjectStore,
        time_left: Callable[[], float],
        log: Log,
        max_reject_ratio: float | None,
        limits: Limits,
    ) -> None:
        self.commits = 0
        self._added = Counts()
        self._row_by_row = False
        self._store = store
        self._time_left = time_left
        self._log = log
        self._max_reject_ratio = max_reject_ratio
        self._limits = limits

    def resume(self, session: Session, version: ObjectVersion, *, replay: bool) -> Outcome:
        """Import from the position in the ledger to the end of the file, or until time is up."""
        entry = session.claim(replay=replay, checking=self._max_reject_ratio is not None)
        if entry.status.ended:
            return Outcome(Result.DUPLICATE, entry, self._added)
        work = _Work(session, version, entry)
        try:
            while not work.entry.status.ended:
                if not self._read_from_position(work):
                    return Outcome(Result.UNFINISHED, work.entry, self._added)
        except FileRefused as refusal:
            self._commit(work, _refused(work.entry, str(refusal)))
        result = Result.SUCCEEDED if work.entry.status is Status.SUCCEEDED else Result.FAILED
        return Outcome(result, work.entry, self._added)

    def _read_from_position(self, work: _Work) -> bool:
        """Read from the position in the ledger; return whether there was enough time."""
        if work.entry.status is Status.RUNNING:
            work.session.check_table()
        source = self._store.open(work.version, 0)
        try:
            work.entry = replace(work.entry, size=source.size)
            header, buffer = read_header(source.read, limits=self._limits)
            start = header.end
            if work.entry.position.offset:
                source.close()
                start = work.entry.position
                source, buffer = self._store.open(work.version, start.offset), b""
            if not header.columns:
                return self._store_blocks(work, header, iter(()))
            blocks = read_blocks(source.read, header.columns, start, buffer, limits=self._limits)
            return self._store_blocks(work, header, blocks)
        finally:
            source.close()

    def _store_blocks(self, work: _Work, header: Header, blocks: Iterator[Block]) -> bool:
        if work.entry.status is Status.CHECKING:
            return self._store_batches(work, header, blocks, _Counting())
        bulk_loader = work.session.bulk_loader
        if bulk_loader is None or self._row_by_row:
            return self._store_batches(work, header, blocks, work.session.row_loader)
        try:
            return self._store_batches(work, header, blocks, bulk_loader)
        except RowsAltered as alteration:
            self._row_by_row = True
            self._log("Loading row by row from now on", reason=str(alteration), import_id=work.entry.import_id)
            return True

    def _store_batches[T](self, work: _Work, header: Header, blocks: Iterator[Block], loader: Loader[T]) -> bool:
        with Pipeline(blocks, loader.encode, self._limits.blocks_ahead) as pipeline:
            while pipeline.peek():
                begun = _begun(work.entry, header)
                batch = _Batch(pipeline, self._time_left, self._limits)
                with work.session.transaction():
                    loaded, refused = loader.load(iter(batch), header.columns, work.version.import_file)
                    if loaded + len(refused) != batch.rows:
                        raise RowsAltered(f"{batch.rows} rows were sent, {loaded} stored, {len(refused)} refused")
                    rejects = [*batch.rejects, *refused]
                    if begun.status is Status.RUNNING:
                        work.session.reject(begun, rejects)
                    counts = begun.counts + Counts(loaded, len(rejects), batch.blank)
                    after = replace(begun, position=batch.end, counts=counts)
                    work.session.advance(work.entry, after)
                self._committed(work, after)
                if batch.out_of_time:
                    return False
        self._commit(work, self._at_end(_begun(work.entry, header)))
        return True

    def _at_end(self, entry: Entry) -> Entry:
        """Return the ledger's row for when everything has been read."""
        if entry.status is Status.RUNNING:
            return replace(entry, status=Status.SUCCEEDED)
        rows = entry.counts.loaded + entry.counts.rejected
        limit = self._max_reject_ratio
        if limit is not None and entry.counts.rejected > limit * rows:
            share = 100 * entry.counts.rejected / rows
            return _refused(
                entry,
                f"{entry.counts.rejected} of {rows} rows ({share:.3g} %) would be rejected,"
                f" more than MAX_REJECT_RATIO allows ({100 * limit:.3g} %)",
            )
        return replace(entry, status=Status.RUNNING, position=Position(0, 0), counts=Counts())

    def _commit(self, work: _Work, after: Entry) -> None:
        with work.session.transaction():
            work.session.advance(work.entry, after)
        self._committed(work, after)

    def _committed(self, work: _Work, after: Entry) -> None:
        if work.entry.status is Status.RUNNING:
            self._added += after.counts - work.entry.counts
        work.entry = after
        self.commits += 1
        self._log(
            "Committed",
            import_id=after.import_id,
            status=after.status.value,
            byte_offset=after.position.offset,
            size=after.size,
            rows_loaded=after.counts.loaded,
            rows_rejected=after.counts.rejected,
        )


def _begun(entry: Entry, header: Header) -> Entry:
    """Count the header, and blank lines before it, as read."""
    if entry.position.offset:
        return entry
    return replace(entry, position=header.end, counts=Counts(blank=header.blank))


def _refused(entry: Entry, reason: str) -> Entry:
    if entry.status is Status.CHECKING:
        # What was only checked was neither loaded nor rejected.
        entry = replace(entry, position=Position(0, 0), counts=Counts())
    return replace(entry, status=Status.FAILED, reason=reason)


class _Batch[T]:
    """The blocks of one transaction, counted on their way to the loader."""

    def __init__(self, pipeline: Pipeline[T], time_left: Callable[[], float], limits: Limits) -> None:
        self.rows = 0
        self.blank = 0
        self.rejects: list[Reject] = []
        self.end = Position(0, 0)
        self.out_of_time = False
        self._pipeline = pipeline
        self._time_left = time_left
        self._limits = limits

    def __iter__(self) -> Iterator[T]:
        most_rows, most_rejects = self._limits.batch_rows, self._limits.batch_rejects
        while not self.out_of_time and self.rows < most_rows and len(self.rejects) < most_rejects:
            if not self._pipeline.peek():
                return
            parcel = self._pipeline.take()
            self.rows += parcel.rows
            self.blank += parcel.blank
            self.rejects += parcel.rejects
            self.end = parcel.end
            yield parcel.content
            self.out_of_time = self._time_left() <= 0


class _Counting:
    """Loads nothing: a file is checked as a whole before its first row is stored."""

    def encode(self, block: Block) -> int:
        """Count the rows that would be stored."""
        return len(block)

    def load(self, contents: Iterator[int], columns: Sequence[Column], import_file: str) -> tuple[int, list[Reject]]:
        """Return the sum of the counts."""
        del columns, import_file
        return sum(contents), []
