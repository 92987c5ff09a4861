"""Imports one object version: decides what is read, stored, committed, retried and given up."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Any

from csv_importer.afterwards import Publisher, Tagger
from csv_importer.compression import USUAL_RATIO, Decompressed, is_compressed
from csv_importer.datasets import IMPORT_FILE_COLUMN, IMPORT_ID_COLUMN, Dataset, Datasets, Mode
from csv_importer.errors import (
    ConfigurationError,
    Contended,
    FileRefused,
    ImporterError,
    TooManyConnections,
    TransientError,
)
from csv_importer.events import has_many_rejects
from csv_importer.fields import Column
from csv_importer.headers import Header, read_header
from csv_importer.limits import DEFAULTS, Limits, pause_after
from csv_importer.objects import ObjectVersion
from csv_importer.parsing import Block, Position, Reject, read_blocks
from csv_importer.pipeline import Pipeline
from csv_importer.ports import (
    ByteStream,
    Counts,
    Database,
    Entry,
    Loader,
    ObjectStore,
    Range,
    RowsAltered,
    Session,
    Stamp,
    Status,
    Superseded,
)
from csv_importer.retention import Retention
from csv_importer.sessions import Content, Gaps, Job, SideBySide
from csv_importer.settings import MAX_KEPT_REJECTS

NOTHING = Counts()

BATCHES = 2
"""Batches of what is left to do that an import does: its own event, and what earlier ones have left."""

NO_BLOCK = "the time of the invocation was up before a block of the file had arrived"

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
        version: The object version, under the bucket's own id.
        entry: The ledger's row afterwards.
        rejects_kept: How many of its rejects are kept.
        many_rejects: Whether so many rows were rejected, or all, that somebody should look at it.
        added: What this run itself stored and counted.
    """

    result: Result
    version: ObjectVersion
    entry: Entry
    rejects_kept: int
    many_rejects: bool = False
    added: Counts = NOTHING


class Importer:
    """Imports object versions from a bucket into a database."""

    def __init__(  # noqa: PLR0913 - all by name
        self,
        *,
        datasets: Datasets,
        store: ObjectStore,
        database: Database,
        time_left: Callable[[], float],
        log: Log,
        sessions: int = 1,
        max_reject_ratio: float | None = None,
        max_kept_rejects: int = MAX_KEPT_REJECTS,
        reject_retention_days: int = 0,
        after: Sequence[Publisher | Tagger] = (),
        retention: Retention | None = None,
        limits: Limits = DEFAULTS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Keep what an import needs.

        Args:
            datasets: What the files have to be.
            store: The bucket.
            database: The database.
            time_left: Returns how many seconds of the invocation may still be used.
            log: Where to report progress.
            sessions: Through how many sessions of the database one file may be stored at once.
            max_reject_ratio: The highest share of rows that may be rejected, 0 to 1; None for any.
            max_kept_rejects: How many rejects of an import are kept, the first ones; the others are counted.
            reject_retention_days: Days after which rejects are deleted; 0 keeps them.
            after: What does what is left to do once imports have ended.
            retention: Deletes old imports from the ledger; None keeps them.
            limits: Sizes and times.
            sleep: Waits for some seconds.
        """
        self._datasets = datasets
        self._store = store
        self._database = database
        self._time_left = time_left
        self._log = log
        self._sessions = sessions
        self._accepted = _Accepted(max_reject_ratio, max_kept_rejects)
        self._retention_days = reject_retention_days
        self._after = after
        self._retention = retention
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
        dataset = self._datasets.taking(version.key)
        run = _Run(
            dataset,
            self._store,
            self._database,
            sessions=self._sessions,
            time_left=self._time_left,
            log=self._log,
            accepted=self._accepted,
            limits=self._limits,
        )
        identified = None
        pauses = _Pauses(self._limits.retry_timeout, self._log)
        try:
            while True:
                try:
                    identified = identified or self._identified(version)
                    return self._attempt(run, identified, dataset, replay=replay)
                except TransientError as error:
                    run.contended = run.contended or isinstance(error, Contended)
                    delay = pauses.after(error, run.commits)
                    if delay >= self._time_left():
                        raise
                    self._sleep(delay)
        except Exception as error:
            if identified:
                self.interrupt(identified, error)
            raise

    def _attempt(self, run: "_Run", version: ObjectVersion, dataset: Dataset | None, *, replay: bool) -> Outcome:
        timeout = min(self._limits.lock_timeout, self._time_left())
        with self._database.open(version, dataset, timeout) as session:
            if isinstance(session, Entry):
                result = Result.DUPLICATE if session.status.ended else Result.ELSEWHERE
                return Outcome(result, version, session, self._accepted.kept(session))
            if not session.locked:
                self._log("Importing without the lock: whoever holds it shows no progress")
            outcome = run.resume(session, version, replay=replay)
            if outcome.entry.status.ended:
                for each in self._after:
                    each.run(session, BATCHES, self._time_left)
            if self._retention_days and outcome.entry.status.ended:
                self._forget(session)
            if self._retention and outcome.result is Result.SUCCEEDED:
                # It has read from the bucket, which therefore exists.
                self._retention.run(session.past, version.bucket)
            return outcome

    def interrupt(self, version: ObjectVersion, error: Exception) -> None:
        """Write into the ledger why an import that this importer began is not worked on now, if that can be done.

        Args:
            version: The object version, under the bucket's own id.
            error: What has ended the work.
        """
        reason = str(error) if isinstance(error, ImporterError) else f"an error of the importer: {type(error).__name__}"
        try:
            self._database.interrupt(version, reason)
        except Exception as failure:  # noqa: BLE001 - the error that has ended the work is the one to be raised
            why = str(failure) if isinstance(failure, ImporterError) else type(failure).__name__
            self._log("The ledger does not say that the import is interrupted", reason=why)

    def _forget(self, session: Session) -> None:
        """Delete old rejects, of any import. An error is logged: this import has ended."""
        deleted = 0
        try:
            for _ in range(self._limits.deletions):
                if self._time_left() <= 0:
                    break
                now = session.forget(self._retention_days, self._limits.delete_rows)
                deleted += now
                if now < self._limits.delete_rows:
                    break
        except (TransientError, ConfigurationError, FileRefused) as error:
            self._log("Old rejects could not be deleted (REJECT_RETENTION_DAYS)", reason=str(error))
        if deleted:
            self._log("Old rejects deleted", rejects=deleted, days=self._retention_days)

    def _identified(self, version: ObjectVersion) -> ObjectVersion:
        """Return an object version under the bucket's own id, or as it is named where it is gone."""
        try:
            return self._store.identify(version)
        except FileRefused:
            # The ledger says so, under the name that the event has for it.
            return version


class _Pauses:
    """How long to wait after each transient error of a run."""

    def __init__(self, timeout: float, log: Log) -> None:
        self._timeout = timeout
        self._log = log
        self._waited = 0.0
        self._attempt = 0
        self._refused = 0
        self._commits = 0

    def after(self, error: TransientError, commits: int) -> float:
        """Return how many seconds to wait before the next attempt: infinitely many, if there is to be none.

        Args:
            error: The error.
            commits: How much has been committed by now.
        """
        if commits > self._commits:
            self._waited, self._attempt, self._commits = 0.0, 0, commits
        if isinstance(error, TooManyConnections):
            # The import stands in a queue, and nothing is wrong with it: it waits for as long as there is time.
            self._refused += 1
            delay = pause_after(self._refused)
            if self._refused == 1:
                self._log("Waiting for a connection", reason=str(error))
            return delay
        self._attempt += 1
        self._refused = 0
        delay = pause_after(self._attempt)
        self._waited += delay
        if self._waited > self._timeout:
            return math.inf
        self._log("Transient error: retrying", reason=str(error), attempt=self._attempt, delay=round(delay, 2))
        return delay


@dataclass(frozen=True, slots=True)
class _Accepted:
    """Which rejects are accepted, and how many are kept.

    Attributes:
        ratio: The highest share of rows that may be rejected; None for any.
        most_kept: How many rejects of an import are kept.
    """

    ratio: float | None
    most_kept: int

    def kept(self, entry: Entry) -> int:
        """Return how many of an import's rejects are kept: the first ones."""
        return min(entry.total.rejected, self.most_kept)

    def left(self, entry: Entry) -> int:
        """Return how many are kept of those after its position; none while it is only checked."""
        return 0 if entry.status is Status.CHECKING else max(0, self.most_kept - entry.counts.rejected)

    def note(self, entry: Entry) -> str | None:
        """Return what the ledger says of an import whose rejects are not all kept."""
        if entry.counts.rejected <= self.most_kept:
            return None
        return (
            f"{self.most_kept} of {entry.counts.rejected} rejects are kept, the first ones: the others are only"
            " counted (MAX_KEPT_REJECTS)"
        )

    def check(self, counts: Counts) -> None:
        """Check the share of rejects.

        Raises:
            FileRefused: It is higher than allowed.
        """
        rows = counts.loaded + counts.rejected
        if self.ratio is not None and counts.rejected > self.ratio * rows:
            raise FileRefused(
                f"{counts.rejected} of {rows} rows ({100 * counts.rejected / rows:.3g} %) would be rejected,"
                f" more than MAX_REJECT_RATIO allows ({100 * self.ratio:.3g} %)"
            )


@dataclass(slots=True)
class _Work:
    """One session's work on one object version; entry is the ledger's row as last committed."""

    session: Session
    version: ObjectVersion
    entry: Entry


class _Run:
    """One run over one object version, over as many sessions as it takes."""

    def __init__(  # noqa: PLR0913 - four by name
        self,
        dataset: Dataset | None,
        store: ObjectStore,
        database: Database,
        *,
        sessions: int,
        time_left: Callable[[], float],
        log: Log,
        accepted: _Accepted,
        limits: Limits,
    ) -> None:
        self.commits = 0
        self.contended = False
        self._added = Counts()
        self._altered = 0
        self._dataset = dataset
        self._replaces = dataset is not None and dataset.mode is Mode.REPLACE
        self._store = store
        self._database = database
        self._sessions = sessions
        self._time_left = time_left
        self._log = log
        self._accepted = accepted
        self._limits = limits

    def resume(self, session: Session, version: ObjectVersion, *, replay: bool) -> Outcome:
        """Import from the position in the ledger to the end of the file, or until time is up."""
        entry = session.claim(replay=replay, checking=self._accepted.ratio is not None)
        if entry.status.ended:
            return self._outcome(Result.DUPLICATE, version, entry)
        work = _Work(session, version, entry)
        try:
            dataset = self._dataset_of(entry)
            while not work.entry.status.ended:
                if not self._read_from_position(work, dataset):
                    return self._outcome(Result.UNFINISHED, version, work.entry)
        except FileRefused as refusal:
            self._commit(work, _ended(work.entry, Status.FAILED, str(refusal)))
        except Superseded as newer:
            # Nobody has to do anything about it: the rows are those of the newer version, as they have to be.
            self._commit(work, _ended(work.entry, Status.SUCCEEDED, str(newer)))
        result = Result.SUCCEEDED if work.entry.status is Status.SUCCEEDED else Result.FAILED
        return self._outcome(result, version, work.entry)

    def _outcome(self, result: Result, version: ObjectVersion, entry: Entry) -> Outcome:
        many = has_many_rejects(entry.total, self._dataset)
        return Outcome(result, version, entry, self._accepted.kept(entry), many, self._added)

    def _dataset_of(self, entry: Entry) -> Dataset:
        """Return the dataset that the import belongs to.

        Raises:
            FileRefused: None takes the object, or another one than that which has rows of it.
        """
        if self._dataset is None:
            raise FileRefused("no dataset takes this key: it begins with none of their key prefixes")
        if entry.dataset != self._dataset.name:
            raise FileRefused(
                f"the import began for the dataset {entry.dataset!r}, and the key belongs to {self._dataset.name!r}"
                " now: upload the file under another key"
            )
        return self._dataset

    def _read_from_position(self, work: _Work, dataset: Dataset) -> bool:
        """Read from the position in the ledger; return whether there was enough time."""
        if self._replaces:
            work.session.check_newest(work.entry)
        if work.entry.status is Status.RUNNING:
            work.session.check_table()
        source = self._open(work.version, 0)
        try:
            work.entry = replace(work.entry, size=source.size)
            header, buffer = read_header(source.read, dataset, limits=self._limits)
            start = header.end
            if work.entry.has_begun:
                source.close()
                start = work.entry.position
                source, buffer = self._open(work.version, start.offset), b""
            return self._store_blocks(work, _File(header, start, buffer, source, _stamp(work, dataset)))
        finally:
            source.close()

    def _open(self, version: ObjectVersion, offset: int) -> ByteStream:
        """Open the content of an object version at an offset."""
        if is_compressed(version.key):
            return Decompressed(self._store.open(version, 0), offset)
        return self._store.open(version, offset)

    def _store_blocks(self, work: _Work, file: "_File") -> bool:
        bulk_loader = next(iter(work.session.bulk_loaders[self._altered :]), None)
        fresh = work.entry.status is Status.CHECKING and not work.entry.position.offset
        if bulk_loader and fresh and self._is_whole(work):
            work.session.check_table()
            begun = replace(_begun(work.entry, file.header), status=Status.RUNNING)
            return self._load(work, file, begun, bulk_loader, whole=True)
        begun = _begun(work.entry, file.header)
        if work.entry.status is Status.CHECKING:
            return self._store_batches(work, file, begun, _Counting(), self._limits)
        if self._replaces and not work.entry.position.offset and not self._remove_outdated(work):
            return False
        if bulk_loader and (more := self._more_sessions(work)):
            return self._load_side_by_side(work, file, begun, bulk_loader, more)
        if bulk_loader:
            return self._load(work, file, begun, bulk_loader)
        return self._store_batches(work, file, begun, work.session.row_loader, self._limits.row_by_row)

    def _more_sessions(self, work: _Work) -> int:
        """Return how many other sessions are worth it for what is left of a file."""
        # Where rows have keys, or take the place of others, what is stored depends on the order.
        if self._sessions == 1 or self._altered or self._dataset is None or not self._dataset.any_order:
            return 0
        packed = is_compressed(work.version.key)
        left = work.entry.size * USUAL_RATIO if packed else work.entry.size - work.entry.position.offset
        more = min(self._sessions, left // self._limits.session_bytes) - 1
        return min(more, work.session.spare_connections()) if more > 0 else 0

    def _load_side_by_side(
        self, work: _Work, file: "_File", begun: Entry, bulk_loader: Loader[bytes], more: int
    ) -> bool:
        """Load through several sessions at once; return whether there was enough time."""
        if begun.position != work.entry.position:
            self._commit(work, begun)
        version, dataset, limits = work.version, self._dataset_of(begun), self._limits
        reopen = None if is_compressed(version.key) else partial(self._open, version)
        content = Content(file.stream, file.start.offset + len(file.buffer), reopen)
        keep_rejects = self._accepted.left(replace(begun, counts=Counts()))
        job = Job(begun, file.header.layout, file.header.columns, file.stamp, keep_rejects)
        gaps = Gaps(content, job, file.buffer, limits)
        self._log("Loading through several sessions", import_id=begun.import_id, sessions=more + 1)
        pipeline = Pipeline(iter(gaps), bulk_loader.encode, limits.blocks_ahead + 2 * more)
        sessions = SideBySide(
            pipeline=pipeline,
            job=job,
            limits=limits,
            time_left=self._time_left,
            committed=partial(self._committed_ranges, begun),
            log=self._log,
        )
        try:
            with pipeline:
                work.entry = sessions.run(work.session, partial(self._database.open_more, version, dataset), more)
                if pipeline.failure:
                    raise pipeline.failure
        except (RowsAltered, FileRefused) as error:
            # What has been stored until then.
            with work.session.transaction():
                work.entry = work.session.fold(job.entry, ())
            if isinstance(error, FileRefused):
                raise
            self._alter(work, error)
            if not sessions.left_alone:
                return True
        finally:
            content.close()
        if pipeline.ended and work.entry.position.offset == gaps.end.offset:
            self._commit(work, self._at_end(work.entry))
            return True
        # What a session that is left alone may still store must not be read again within the same attempt.
        if self._time_left() > 0 and not sessions.left_alone:
            return True
        if not self.commits:
            raise TransientError(NO_BLOCK)
        return False

    def _committed_ranges(self, begun: Entry, ranges: Sequence[Range]) -> None:
        """Report what one of several sessions has committed."""
        counts = sum((each.counts for each in ranges), Counts())
        self._added += counts
        self.commits += 1
        self._log(
            "Committed",
            import_id=begun.import_id,
            status=begun.status.value,
            byte_offset=ranges[-1].end.offset,
            size=begun.size,
            rows_loaded=counts.loaded,
            rows_rejected=counts.rejected,
        )

    def _is_whole(self, work: _Work) -> bool:
        """Return whether all of a file that is not yet checked may be one transaction."""
        limits = self._limits
        size = work.entry.size * (USUAL_RATIO if is_compressed(work.version.key) else 1)
        if size > limits.whole_bytes:
            return False
        return not (self._replaces and work.session.has_outdated(work.entry, limits.remove_rows))

    def _remove_outdated(self, work: _Work) -> bool:
        """Remove rows of older versions, but for the last ones; return whether there was enough time.

        Those are removed together with the first rows of this version.
        """
        most = self._limits.remove_rows
        while work.session.has_outdated(work.entry, most):
            if self._time_left() <= 0 and self.commits:
                return False
            with work.session.transaction():
                removed = work.session.take_place(work.entry, first=True, most=most)
            self.commits += 1
            self._log("Removed rows of older versions", import_id=work.entry.import_id, rows=removed)
        return True

    @contextmanager
    def _storing(self, work: _Work, begun: Entry) -> Iterator[None]:
        """Begin a transaction; in mode replace, in the place of older versions."""
        # From the first deadlock on, in turn: those that write the same rows would hinder each other for long.
        with work.session.turn() if self.contended else nullcontext(), work.session.transaction():
            if self._replaces and begun.status is not Status.CHECKING:
                first = work.entry.status is Status.CHECKING or not work.entry.position.offset
                work.session.take_place(work.entry, first=first)
            yield

    def _load(self, work: _Work, file: "_File", begun: Entry, bulk_loader: Loader[Any], *, whole: bool = False) -> bool:
        try:
            return self._store_batches(work, file, begun, bulk_loader, self._limits, whole=whole)
        except RowsAltered as alteration:
            self._alter(work, alteration)
            return True

    def _alter(self, work: _Work, alteration: RowsAltered) -> None:
        """Use the next loader from now on."""
        self._altered += 1
        how = "row by row" if self._altered >= len(work.session.bulk_loaders) else "through a temporary table"
        self._log(f"Loading {how} from now on", reason=str(alteration), import_id=work.entry.import_id)

    def _store_batches[T](  # noqa: PLR0913 - one by name
        self, work: _Work, file: "_File", begun: Entry, loader: Loader[T], limits: Limits, *, whole: bool = False
    ) -> bool:
        """Store batches, one transaction each, until the end of the file or of the time.

        Args:
            work: The session.
            file: The file, from the position in the ledger on.
            begun: The ledger's row once the header counts as read.
            loader: Stores the rows.
            limits: Sizes and times.
            whole: Whether all of the file is one batch, and is stored only if its share of rejects is allowed.

        Returns:
            Whether there was enough time.
        """
        columns = file.header.columns
        gap = begun.gaps[0]
        blocks = file.blocks(limits, self._accepted.left(begun), gap.end)
        with Pipeline(blocks, loader.encode, limits.blocks_ahead) as pipeline:
            while self._arrives(work.session, pipeline, whole=whole):
                if pipeline.ended:
                    if gap.end:
                        # On to the next one.
                        return True
                    after = self._at_end(begun)
                    with self._storing(work, begun):
                        work.session.advance(work.entry, after)
                    self._committed(work, after)
                    return True
                batch = _Batch(pipeline, begun.position, self._time_left, limits, whole=whole)
                contents = iter(batch)
                with self._storing(work, begun):
                    loaded, refused = loader.load(contents, columns, file.stamp)
                    while whole and not batch.is_complete:
                        more, others = loader.load(contents, columns, file.stamp)
                        loaded, refused = loaded + more, refused + others
                    if loaded + len(refused) != batch.rows:
                        raise RowsAltered(f"{batch.rows} rows were sent, {loaded} stored, {len(refused)} refused")
                    counts = begun.counts + Counts(loaded, batch.rejected + len(refused), batch.blank)
                    if whole:
                        self._accepted.check(counts)
                    rejects = sorted([*batch.rejects, *refused], key=lambda reject: reject.line)
                    work.session.reject(begun, rejects[: self._accepted.left(begun)])
                    after = replace(begun, position=batch.end, counts=counts).folded()
                    work.session.advance(work.entry, after)
                self._committed(work, after)
                begun = after
                if (batch.out_of_time or self._time_left() <= 0) and not pipeline.ended:
                    return False
        return False

    def _arrives[T](self, session: Session, pipeline: Pipeline[T], *, whole: bool) -> bool:
        """Wait for the next block, or the end; return whether it came in time.

        Raises:
            TransientError: Time is up, and this invocation has made no progress: the next would not, either.
        """
        until = time.monotonic() + max(self._time_left(), self._limits.grace)
        while (wait := min(self._limits.idle, until - time.monotonic())) > 0:
            if pipeline.wait(wait):
                return True
            session.keep_alive()
        if whole or not self.commits:
            raise TransientError(NO_BLOCK)
        return False

    def _at_end(self, entry: Entry) -> Entry:
        """Return the ledger's row for when everything has been read."""
        if entry.status is Status.RUNNING:
            return replace(entry, status=Status.SUCCEEDED, reason=self._accepted.note(entry))
        self._accepted.check(entry.counts)
        return replace(entry, status=Status.RUNNING, position=Position(0, 0), counts=Counts())

    def _commit(self, work: _Work, after: Entry) -> None:
        with work.session.transaction():
            work.session.advance(work.entry, after)
        self._committed(work, after)

    def _committed(self, work: _Work, after: Entry) -> None:
        if work.entry.status is Status.RUNNING:
            self._added += after.total - work.entry.total
        elif after.status is not Status.CHECKING:
            self._added += after.total
        work.entry = after
        self.commits += 1
        self._log(
            "Committed",
            import_id=after.import_id,
            status=after.status.value,
            byte_offset=after.position.offset,
            size=after.size,
            rows_loaded=after.total.loaded,
            rows_rejected=after.total.rejected,
            rejects_kept=self._accepted.kept(after),
        )


def _stamp(work: _Work, dataset: Dataset) -> Stamp:
    stamp: dict[str, str | int] = {IMPORT_FILE_COLUMN: work.version.import_file}
    if dataset.import_id:
        stamp[IMPORT_ID_COLUMN] = work.entry.import_id
    return stamp


def _begun(entry: Entry, header: Header) -> Entry:
    """Count the header, and blank lines before it, as read."""
    if entry.has_begun:
        return entry
    return replace(entry, position=header.end, counts=Counts(blank=header.blank))


def _ended(entry: Entry, status: Status, reason: str) -> Entry:
    if entry.status is Status.CHECKING:
        # What was only checked was neither loaded nor rejected.
        entry = replace(entry, position=Position(0, 0), counts=Counts())
    return replace(entry, status=status, reason=reason)


@dataclass(frozen=True, slots=True)
class _File:
    """An object's content from some position on.

    Attributes:
        header: The header.
        start: The position.
        buffer: Bytes that follow it and were read already.
        stream: Where the others come from.
        stamp: What is stored with each row.
    """

    header: Header
    start: Position
    buffer: bytes
    stream: ByteStream
    stamp: Stamp

    def blocks(self, limits: Limits, keep_rejects: int, until: Position | None) -> Iterator[Block]:
        """Read the records up to a position; a file that holds blank lines at most has none."""
        if not self.header.columns:
            return iter(())
        read, layout = self.stream.read, self.header.layout
        return read_blocks(read, layout, self.start, self.buffer, until=until, limits=limits, keep_rejects=keep_rejects)


class _Batch[T]:
    """The blocks of one transaction, counted on their way to the loader."""

    def __init__(
        self,
        pipeline: Pipeline[T],
        start: Position,
        time_left: Callable[[], float],
        limits: Limits,
        *,
        whole: bool,
    ) -> None:
        self.rows = 0
        self.rejected = 0
        self.blank = 0
        self.rejects: list[Reject] = []
        self.start = self.end = start
        self.out_of_time = False
        self._pipeline = pipeline
        self._time_left = time_left
        self._limits = limits
        self._whole = whole

    def __iter__(self) -> Iterator[T]:
        while self._whole or not (self.out_of_time or self._is_full()):
            # The first one has arrived.
            if not self._arrives():
                break
            if self._pipeline.ended:
                return
            parcel = self._pipeline.take()
            self.rows += parcel.rows
            self.rejected += parcel.rejected
            self.blank += parcel.blank
            self.rejects += parcel.rejects
            self.end = parcel.end
            yield parcel.content
            self.out_of_time = self._time_left() <= 0
        if self._whole:
            raise TransientError("the time of the invocation was up before all of the file had arrived")

    @property
    def is_complete(self) -> bool:
        """Whether the end of the file has come."""
        return self._pipeline.ended

    def _arrives(self) -> bool:
        """Wait for the next block or the end; return whether it has come in time."""
        left = self._time_left()
        if not self._whole:
            return self._pipeline.wait(min(left, self._limits.batch_pause))
        return left + self._limits.grace >= 0 and self._pipeline.wait(left + self._limits.grace)

    def _is_full(self) -> bool:
        limits = self._limits
        return (
            self.rows >= limits.batch_rows
            or len(self.rejects) >= limits.batch_rejects
            or self.end.offset - self.start.offset >= limits.batch_bytes
        )


class _Counting:
    """Loads nothing: a file is checked as a whole before its first row is stored."""

    def encode(self, block: Block) -> int:
        """Count the rows that would be stored."""
        return len(block)

    def load(self, contents: Iterator[int], columns: Sequence[Column], stamp: Stamp) -> tuple[int, list[Reject]]:
        """Return the sum of the counts."""
        del columns, stamp
        return sum(contents), []
