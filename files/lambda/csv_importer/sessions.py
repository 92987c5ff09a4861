"""Loads a file through several sessions of the database at once.

One thread parses; each session has a thread, and takes the next block that nobody has taken whenever it can send one.
What a transaction stores goes into the ledger with it, as ranges of the file, so that sessions commit in any order and
none waits for another. The first session moves the position of the import over the ranges that nothing is missing
before. What a session loses with its connection is a gap in the ledger, which is read again.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from csv_importer.errors import TransientError
from csv_importer.fields import Column
from csv_importer.limits import Limits, pause_after
from csv_importer.parsing import Block, Layout, Reject, read_all, read_blocks
from csv_importer.pipeline import Parcel, Pipeline
from csv_importer.ports import ByteStream, Counts, Entry, Loader, Range, RowsAltered, Session, Stamp

NEAR_BYTES = 4 * 1024 * 1024
"""Bytes that are read and dropped where what follows is wanted: less work than another request."""

_PIECE = 256 * 1024


class Content:
    """An object's content, of which parts are read, one after another."""

    def __init__(self, stream: ByteStream, offset: int, reopen: Callable[[int], ByteStream] | None) -> None:
        """Begin with a stream.

        Args:
            stream: The content.
            offset: Where in the content it is.
            reopen: Opens the content at an offset; None where that would read all that is before it.
        """
        self._stream = stream
        self._offset = offset
        self._reopen = reopen
        self._ahead = b""

    def read(self, size: int) -> bytes:
        """Read up to size bytes; none only at the end."""
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        data = data or self._stream.read(size)
        self._offset += len(data)
        return data

    def look(self, size: int) -> bytes:
        """Return so many bytes, fewer only at the end, which stay to be read."""
        self._ahead += read_all(self._stream.read, size - len(self._ahead))
        return self._ahead[:size]

    def go_to(self, offset: int) -> None:
        """Leave out what is before an offset."""
        if self._reopen and offset - self._offset > NEAR_BYTES:
            self._stream.close()
            self._stream, self._offset, self._ahead = self._reopen(offset), offset, b""
        while self._offset < offset and self.read(min(_PIECE, offset - self._offset)):
            pass

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()


@dataclass(slots=True)
class Job:
    """What is loaded.

    Attributes:
        entry: The ledger's row as last committed, but for ranges.
        layout: What the fields of a record are.
        columns: The columns in the order of the rows.
        stamp: What is stored with each row.
        keep_rejects: How many rejects of the import are kept, the first ones.
    """

    entry: Entry
    layout: Layout
    columns: Sequence[Column]
    stamp: Stamp
    keep_rejects: int


class Gaps:
    """The blocks of a file that have not been imported yet.

    Attributes:
        end: How far the file has been read.
    """

    def __init__(self, content: Content, job: Job, buffer: bytes, limits: Limits) -> None:
        """Read the gaps in the ledger's row.

        Args:
            content: The content; buffer and what it reads next follow the first gap's start.
            job: What is loaded.
            buffer: Bytes that were read already.
            limits: Sizes.
        """
        self._content = content
        self._layout = job.layout
        # As it is now: the ledger's row moves on while the gaps are read.
        self._gaps = job.entry.gaps
        self._keep_rejects = job.keep_rejects
        self._buffer = buffer
        self._limits = limits
        self.end = job.entry.position

    def __iter__(self) -> Iterator[Block]:
        """Read the blocks."""
        rejected = 0
        for number, gap in enumerate(self._gaps):
            if number:
                self._content.go_to(gap.start.offset)
            self.end = gap.start
            blocks = read_blocks(
                self._content.read,
                self._layout,
                gap.start,
                self._buffer,
                until=gap.end,
                ahead=self._content.look,
                limits=self._limits,
                keep_rejects=max(0, self._keep_rejects - gap.rejected - rejected),
            )
            self._buffer = b""
            for block in blocks:
                rejected += block.rejected
                self.end = block.end
                yield block


class _Batch:
    """The blocks of one transaction, which need not follow on each other."""

    def __init__(self, first: Parcel[bytes]) -> None:
        self.first = first.content
        self.rows = 0
        self.size = 0
        self.rejects: list[Reject] = []
        self.ranges: list[Range] = []
        self.add(first)

    def add(self, parcel: Parcel[bytes]) -> None:
        """Count a block."""
        counts = Counts(parcel.rows, parcel.rejected, parcel.blank)
        self.rows += parcel.rows
        self.size += parcel.end.offset - parcel.start.offset
        self.rejects += parcel.rejects
        last = self.ranges[-1] if self.ranges else None
        if last and last.end == parcel.start:
            self.ranges[-1] = Range(last.start, parcel.end, last.counts + counts)
        else:
            self.ranges.append(Range(parcel.start, parcel.end, counts))

    def is_full(self, limits: Limits) -> bool:
        """Whether the transaction has to end."""
        return (
            self.rows >= limits.batch_rows
            or len(self.rejects) >= limits.batch_rejects
            or self.size >= limits.batch_bytes
        )


class SideBySide:
    """Several sessions that load one file.

    Attributes:
        left_alone: Whether a session did not end in time: what it commits until the import is begun again counts.
    """

    def __init__(  # noqa: PLR0913 - all by name
        self,
        *,
        pipeline: Pipeline[bytes],
        job: Job,
        limits: Limits,
        time_left: Callable[[], float],
        committed: Callable[[Sequence[Range]], None],
        log: Callable[..., None],
    ) -> None:
        """Prepare.

        Args:
            pipeline: The blocks, encoded for LOAD DATA.
            job: What is loaded.
            limits: Sizes and times.
            time_left: Returns how many seconds of the invocation may still be used.
            committed: Called after each commit with what it has stored, by one thread at a time.
            log: Where to report.
        """
        self._pipeline = pipeline
        self._job = job
        self._limits = limits
        self._time_left = time_left
        self._report = committed
        self._log = log
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._commits = 0
        self._error: BaseException | None = None
        self._lost: TransientError | None = None
        self.left_alone = False

    def run(self, first: Session, open_more: Callable[[], AbstractContextManager[Session]], more: int) -> Entry:
        """Load until the end of the file or of the time.

        Args:
            first: The session with the lock.
            open_more: Opens another session.
            more: How many others there are at most.

        Returns:
            The ledger's row.

        Raises:
            RowsAltered: The database would not have stored the values of some row as they are.
            TransientError: The first session, or what is read, is lost; or all others, and nothing was stored.
        """
        threads = [
            threading.Thread(target=self._other, args=(open_more,), name=f"session-{number + 2}", daemon=True)
            for number in range(more)
        ]
        try:
            for thread in threads:
                thread.start()
            self._load(first, partial(self._fold, first))
        finally:
            self._end(threads)
        if self._error:
            raise self._error
        with first.transaction():
            self._fold(first, ())
        if self._lost and not self._commits and not self._pipeline.failure:
            raise self._lost
        return self._job.entry

    def _end(self, threads: Sequence[threading.Thread]) -> None:
        """Have the other sessions commit what they have taken, and end."""
        self._stop.set()
        # For all of them together: what is in reserve after that is a few seconds.
        until = time.monotonic() + max(self._time_left(), 0.0) + self._limits.grace
        for thread in threads:
            if thread.is_alive():
                thread.join(max(until - time.monotonic(), 0.0))
        self.left_alone = any(thread.is_alive() for thread in threads)
        if self.left_alone:
            # What it commits later is in the ledger too, or refused once the import has been begun again.
            self._log("A session does not end: it is left alone")

    def _other(self, open_more: Callable[[], AbstractContextManager[Session]]) -> None:
        """Load through another session; connect again where the connection is lost."""
        attempt = 0
        while not self._stop.is_set():
            attempt += 1

            def store(session: Session, ranges: Sequence[Range]) -> None:
                nonlocal attempt
                session.record(self._job.entry, ranges)
                attempt = 0

            try:
                with open_more() as session:
                    self._load(session, partial(store, session))
            except TransientError as error:
                self._lost = error
                # The others go on; what was lost is read again at the end.
                self._log("A session was lost", reason=str(error), attempt=attempt)
                delay = pause_after(attempt)
                if attempt >= self._limits.session_attempts or delay >= self._time_left():
                    return
                self._stop.wait(delay)
            except BaseException as error:  # noqa: BLE001 - raised again in the thread of the first session
                with self._lock:
                    self._error = self._error or error
                self._stop.set()
            else:
                return

    def _load(self, session: Session, store: Callable[[Sequence[Range]], None]) -> None:
        """Load batches, one transaction each."""
        loader: Loader[bytes] | None = next(iter(session.bulk_loaders), None)
        if loader is None:
            raise RowsAltered("LOAD DATA LOCAL is forbidden now")
        # What is taken is stored: otherwise it would have to be read again.
        while parcel := self._next(session):
            batch = _Batch(parcel)
            with session.transaction():
                loaded, _ = loader.load(self._contents(batch), self._job.columns, self._job.stamp)
                if loaded != batch.rows:
                    raise RowsAltered(f"{batch.rows} rows were sent, {loaded} stored")
                session.reject(self._job.entry, batch.rejects)
                store(batch.ranges)
            with self._lock:
                self._commits += 1
                self._report(batch.ranges)

    def _fold(self, first: Session, ranges: Sequence[Range]) -> None:
        self._job.entry = first.fold(self._job.entry, ranges)

    def _next(self, session: Session) -> Parcel[bytes] | None:
        """Return the first block of a batch; None at the end of the file, or of the time."""
        left = self._time_left()
        if left <= 0 and self._commits:
            return None
        until = time.monotonic() + max(left, self._limits.grace)
        while True:
            wait = min(self._limits.idle, until - time.monotonic())
            parcel = self._pipeline.share(wait, self._stop)
            if parcel or wait <= 0 or self._pipeline.ended or self._pipeline.failure or self._stop.is_set():
                return parcel
            session.keep_alive()

    def _contents(self, batch: _Batch) -> Iterator[bytes]:
        limits = self._limits
        yield batch.first
        while not (batch.is_full(limits) or (left := self._time_left()) <= 0):
            parcel = self._pipeline.share(min(left, limits.batch_pause), self._stop)
            if parcel is None:
                return
            batch.add(parcel)
            yield parcel.content
