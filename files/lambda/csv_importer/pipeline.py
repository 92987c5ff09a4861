"""Parses ahead in a thread, so that the database never waits for the parser."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from csv_importer.parsing import Block, Position, Reject


@dataclass(frozen=True, slots=True)
class Parcel[T]:
    """A block, ready to be loaded.

    Attributes:
        content: Its rows as the loader encodes them.
        rows: How many rows that is.
        rejects: Its rejects that are kept.
        rejected: How many rejects there are.
        blank: How many lines were blank.
        start: Where in the file it begins.
        end: Where it ends.
    """

    content: T
    rows: int
    rejects: list[Reject]
    rejected: int
    blank: int
    start: Position
    end: Position


class Pipeline[T]:
    """Parcels in the order of the file; a context manager that ends the thread.

    Attributes:
        failure: What reading or parsing raised, where the parcels are shared.
    """

    def __init__(self, blocks: Iterator[Block], encode: Callable[[Block], T], blocks_ahead: int) -> None:
        """Prepare; the thread starts with the context.

        Args:
            blocks: The blocks.
            encode: Encodes a block's rows; called in the thread.
            blocks_ahead: How many parcels may wait.
        """
        self._blocks = blocks
        self._encode = encode
        self._queue: queue.Queue[Parcel[T] | BaseException | None] = queue.Queue(blocks_ahead)
        self._stop = threading.Event()
        # Daemon: a read that hangs must not keep the process alive.
        self._thread = threading.Thread(target=self._work, name="parser", daemon=True)
        self._next: Parcel[T] | None = None
        self._ended = False
        self.failure: BaseException | None = None

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the thread, whatever it is waiting for."""
        self._stop.set()
        while self._thread.is_alive():
            try:
                self._queue.get(timeout=0.05)
            except queue.Empty:
                break
        self._thread.join(timeout=1)

    def wait(self, seconds: float) -> bool:
        """Wait so long at most for the next parcel or the end; return whether it has come.

        Raises:
            Exception: Whatever reading or parsing raised.
        """
        if self._next is None and not self._ended:
            try:
                item = self._queue.get(timeout=max(seconds, 0.0))
            except queue.Empty:
                return False
            if isinstance(item, BaseException):
                raise item
            self._next = item
            self._ended = item is None
        return True

    @property
    def ended(self) -> bool:
        """Whether the end has come."""
        return self._ended

    def take(self) -> Parcel[T]:
        """Return the parcel that wait has waited for."""
        if self._next is None:
            raise LookupError("take without wait")
        parcel, self._next = self._next, None
        return parcel

    def share(self, seconds: float, stop: threading.Event) -> Parcel[T] | None:
        """Return the next parcel, each to one of several threads that ask.

        Args:
            seconds: How long to wait at most.
            stop: What ends the wait.

        Returns:
            The parcel; None at the end, where none has come in time, or where reading has failed: see failure.
        """
        until = time.monotonic() + seconds
        while not (self._ended or self.failure or stop.is_set()):
            try:
                item = self._queue.get(timeout=min(0.1, max(0.0, until - time.monotonic())))
            except queue.Empty:
                if time.monotonic() >= until:
                    return None
                continue
            if isinstance(item, BaseException):
                self.failure = item
            elif item is None:
                self._ended = True
            else:
                return item
        return None

    def _work(self) -> None:
        try:
            for block in self._blocks:
                content = self._encode(block)
                counts = (len(block), block.rejects, block.rejected, block.blank)
                if not self._put(Parcel(content, *counts, block.start, block.end)):
                    return
            self._put(None)
        except BaseException as error:  # noqa: BLE001 - raised again where the parcels are taken
            self._put(error)

    def _put(self, item: Parcel[T] | BaseException | None) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False
