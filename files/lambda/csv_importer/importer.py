"""Imports one file version: decides what is read, stored, committed, tried again and given up."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from csv_importer.columns import Column
from csv_importer.errors import FileRefused, TransientFault
from csv_importer.files import FileVersion
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

BATCH_ROWS = 50_000
"""A transaction ends after so many rows: each commit waits for the disk."""

BATCH_REJECTS = 10_000
"""It ends earlier after so many rejects, whose text is held in memory until then."""

LOCK_PATIENCE = 90.0
"""How long to wait for a lock in seconds: longer than the server keeps the session of a client that died."""

RETRY_PATIENCE = 90.0
"""How long faults that pass are waited for without any progress, in seconds: a failover takes half of it."""

NOTHING = Counts()

type Log = Callable[..., None]
"""Writes a message with keys and values; never one out of a file."""


class Result(StrEnum):
    """How a run ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNFINISHED = "unfinished"
    """Time is short: somebody has to go on."""
    DUPLICATE = "duplicate"
    """It had ended before."""
    ELSEWHERE = "elsewhere"
    """Another invocation is at work on it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        result: How it ended.
        entry: The ledger's row afterwards.
        added: What this run stored, and counted, itself.
    """

    result: Result
    entry: Entry
    added: Counts = NOTHING


class Importer:
    """Imports file versions with the given means."""

    def __init__(  # noqa: PLR0913 - all by name
        self,
        *,
        store: ObjectStore,
        database: Database,
        time_left: Callable[[], float],
        log: Log,
        max_reject_ratio: float | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Keep the means.

        Args:
            store: The bucket.
            database: The database.
            time_left: Tells how many seconds may still be worked.
            log: Where to report progress.
            max_reject_ratio: The highest share of rows that may be rejected, 0 to 1; None for any.
            sleep: Waits for some seconds.
        """
        self._store = store
        self._database = database
        self._time_left = time_left
        self._log = log
        self._max_reject_ratio = max_reject_ratio
        self._sleep = sleep

    def run(self, version: FileVersion, *, replay: bool = False) -> Outcome:
        """Import a file version, from wherever it stands.

        Args:
            version: The file version.
            replay: Whether to run it again if it had failed.

        Returns:
            How it ended; a file that cannot be loaded is an outcome, not an error.

        Raises:
            TransientFault: A fault outlasted all patience, or the time there is.
            Misconfigured: The database is out of reach until a person mends something.
        """
        run = _Run(self._store, self._time_left, self._log, self._max_reject_ratio)
        waited, attempt, progress = 0.0, 0, 0
        while True:
            try:
                with self._database.open(version, min(LOCK_PATIENCE, self._time_left())) as session:
                    if isinstance(session, Entry):
                        return Outcome(Result.DUPLICATE if session.status.ended else Result.ELSEWHERE, session)
                    return run.go_on(session, version, replay=replay)
            except TransientFault as fault:
                if run.commits > progress:
                    waited, attempt, progress = 0.0, 0, run.commits
                # Full jitter: invocations that failed together do not come back together.
                delay = random.uniform(0.1, min(5.0, 0.2 * 2**attempt))  # noqa: S311
                attempt += 1
                waited += delay
                if waited > RETRY_PATIENCE or delay >= self._time_left():
                    raise
                self._log("A fault that passes: trying again", fault=str(fault), attempt=attempt, delay=round(delay, 2))
                self._sleep(delay)


@dataclass(slots=True)
class _Work:
    """One session's work on one file version; entry is the ledger's row as last committed."""

    session: Session
    version: FileVersion
    entry: Entry


class _Run:
    """One run over one file version, over as many sessions as it takes."""

    def __init__(
        self, store: ObjectStore, time_left: Callable[[], float], log: Log, max_reject_ratio: float | None
    ) -> None:
        self.commits = 0
        self._added = Counts()
        self._careful = False
        self._store = store
        self._time_left = time_left
        self._log = log
        self._max_reject_ratio = max_reject_ratio

    def go_on(self, session: Session, version: FileVersion, *, replay: bool) -> Outcome:
        """Work on the file until it ends, time is short, or a fault."""
        entry = session.claim(replay=replay, checking=self._max_reject_ratio is not None)
        if entry.status.ended:
            return Outcome(Result.DUPLICATE, entry, self._added)
        work = _Work(session, version, entry)
        try:
            while not work.entry.status.ended:
                if not self._read_on(work):
                    return Outcome(Result.UNFINISHED, work.entry, self._added)
        except FileRefused as refusal:
            self._commit(work, _refused(work.entry, str(refusal)))
        result = Result.SUCCEEDED if work.entry.status is Status.SUCCEEDED else Result.FAILED
        return Outcome(result, work.entry, self._added)

    def _read_on(self, work: _Work) -> bool:
        """Read from where the ledger stands; tell whether there was time enough."""
        if work.entry.status is Status.RUNNING:
            work.session.check_table()
        source = self._store.open(work.version, 0)
        try:
            work.entry = replace(work.entry, size=source.size)
            header, buffer = read_header(source.read)
            start = header.end
            if work.entry.position.offset:
                source.close()
                start = work.entry.position
                source, buffer = self._store.open(work.version, start.offset), b""
            blocks = read_blocks(source.read, header.columns, start, buffer) if header.columns else iter(())
            return self._store_blocks(work, header, blocks)
        finally:
            source.close()

    def _store_blocks(self, work: _Work, header: Header, blocks: Iterator[Block]) -> bool:
        if work.entry.status is Status.CHECKING:
            return self._store_batches(work, header, blocks, _Counting())
        fast = work.session.fast
        if fast is None or self._careful:
            return self._store_batches(work, header, blocks, work.session.careful)
        try:
            return self._store_batches(work, header, blocks, fast)
        except RowsAltered as alteration:
            self._careful = True
            self._log("Loading with care from here on", cause=str(alteration), import_id=work.entry.import_id)
            return True

    def _store_batches[T](self, work: _Work, header: Header, blocks: Iterator[Block], loader: Loader[T]) -> bool:
        with Pipeline(blocks, loader.encode) as pipeline:
            while pipeline.peek():
                begun = _begun(work.entry, header)
                batch = _Batch(pipeline, self._time_left)
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
        """Tell what the ledger says once everything has been read."""
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
    """Count the header, and blank lines before it, as dealt with."""
    if entry.position.offset:
        return entry
    return replace(entry, position=header.end, counts=Counts(blank=header.blank))


def _refused(entry: Entry, reason: str) -> Entry:
    if entry.status is Status.CHECKING:
        # What was only checked was neither loaded nor rejected.
        entry = replace(entry, position=Position(0, 0), counts=Counts())
    return replace(entry, status=Status.FAILED, reason=reason)


class _Batch[T]:
    """The blocks of one transaction, summed up as they go by."""

    def __init__(self, pipeline: Pipeline[T], time_left: Callable[[], float]) -> None:
        self.rows = 0
        self.blank = 0
        self.rejects: list[Reject] = []
        self.end = Position(0, 0)
        self.out_of_time = False
        self._pipeline = pipeline
        self._time_left = time_left

    def __iter__(self) -> Iterator[T]:
        while not self.out_of_time and self.rows < BATCH_ROWS and len(self.rejects) < BATCH_REJECTS:
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
    """Loads nothing: a file is checked as a whole before the first row of it is stored."""

    def encode(self, block: Block) -> int:
        """Count the rows that would be stored."""
        return len(block)

    def load(self, contents: Iterator[int], columns: Sequence[Column], import_file: str) -> tuple[int, list[Reject]]:
        """Add the counts up."""
        del columns, import_file
        return sum(contents), []
