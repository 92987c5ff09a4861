"""A value that is computed at most every few seconds, by one thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from status_page.database import DatabaseUnavailable

FAILURE_KEPT = 1.0
"""Seconds for which a failure is given before the next attempt."""


class Cached[T]:
    """Keeps the result of a function for some seconds, a failure for one: many requests, one query of the database.

    A result that is only somewhat older is still given, while the next one is computed in the background. Where there
    is none, or a failure, one request computes it, and the others wait for it.
    """

    def __init__(self, compute: Callable[[], T], seconds: float, at_most: float = 0) -> None:
        """Prepare it; nothing is computed before it is asked for.

        Args:
            compute: The function.
            seconds: Until a result is computed again.
            at_most: Seconds until a result is no longer given, if that is later.
        """
        self._compute = compute
        self._seconds = seconds
        self._at_most = at_most
        self._lock = threading.Lock()
        self._kept: tuple[T | DatabaseUnavailable, float] | None = None

    def __call__(self) -> T:
        """Return the value.

        Raises:
            DatabaseUnavailable: It could not be computed.
        """
        kept = self._kept
        if kept is None or self._is_old(kept):
            if kept is None or isinstance(kept[0], DatabaseUnavailable) or self._age(kept) > self._at_most:
                kept = self._wait()
            elif self._lock.acquire(blocking=False):
                threading.Thread(target=self._refresh, daemon=True).start()
        if isinstance(kept[0], DatabaseUnavailable):
            raise DatabaseUnavailable(*kept[0].args)
        return kept[0]

    def _age(self, kept: tuple[T | DatabaseUnavailable, float]) -> float:
        return time.monotonic() - kept[1]

    def _is_old(self, kept: tuple[T | DatabaseUnavailable, float]) -> bool:
        return self._age(kept) > (FAILURE_KEPT if isinstance(kept[0], DatabaseUnavailable) else self._seconds)

    def _wait(self) -> tuple[T | DatabaseUnavailable, float]:
        with self._lock:
            # Whoever held the lock may have computed it.
            if self._kept is None or self._is_old(self._kept):
                self._kept = self._attempt()
            return self._kept

    def _refresh(self) -> None:
        try:
            self._kept = self._attempt()
        finally:
            self._lock.release()

    def _attempt(self) -> tuple[T | DatabaseUnavailable, float]:
        try:
            return self._compute(), time.monotonic()
        except DatabaseUnavailable as unavailable:
            return unavailable, time.monotonic()
