"""A value that is computed at most every few seconds, by one thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from status_page.database import DatabaseUnavailable


class Cached[T]:
    """Keeps the result of a function, or its failure, for some seconds.

    While a thread computes it, the others get the one before, and wait only where there is none: however many requests
    come, the database gets one query.
    """

    def __init__(self, compute: Callable[[], T], seconds: float) -> None:
        """Prepare it; nothing is computed before it is asked for."""
        self._compute = compute
        self._seconds = seconds
        self._lock = threading.Lock()
        self._kept: tuple[T | DatabaseUnavailable, float] | None = None

    def __call__(self) -> T:
        """Return the value.

        Raises:
            DatabaseUnavailable: It could not be computed.
        """
        kept = self._kept
        if kept is None or time.monotonic() > kept[1]:
            # A failure is not given twice where there is a thread that may know better.
            wait = kept is None or isinstance(kept[0], DatabaseUnavailable)
            if self._lock.acquire(blocking=wait):
                try:
                    if self._kept is None or time.monotonic() > self._kept[1]:
                        self._kept = (self._attempt(), time.monotonic() + self._seconds)
                finally:
                    self._lock.release()
            kept = self._kept
        assert kept is not None  # noqa: S101 - whoever waited found it computed
        if isinstance(kept[0], DatabaseUnavailable):
            raise DatabaseUnavailable(*kept[0].args)
        return kept[0]

    def _attempt(self) -> T | DatabaseUnavailable:
        try:
            return self._compute()
        except DatabaseUnavailable as unavailable:
            return unavailable
