"""What is kept of the ledger: one computation at a time, an old value rather than a wait, no failure for long."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from status_page import cache
from status_page.cache import FAILURE_KEPT, Cached
from status_page.database import DatabaseUnavailable


class Clock:
    """A clock that stands."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


class Counter:
    """Counts its calls, each of which may be held up, or fail."""

    def __init__(self) -> None:
        self.calls = 0
        self.open = threading.Event()
        self.open.set()
        self.began = threading.Event()
        self.fails = False

    def __call__(self) -> int:
        self.calls += 1
        self.began.set()
        assert self.open.wait(10)
        if self.fails:
            raise DatabaseUnavailable("away")
        return self.calls


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(cache, "time", clock)
    return clock


def test_many_who_wait_for_the_first_value_get_one_computation(clock: Clock) -> None:
    counter = Counter()
    counter.open.clear()
    cached = Cached(counter, 5)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(cached) for _ in range(8)]
        assert counter.began.wait(10)
        counter.open.set()
        assert [each.result() for each in asked] == [1] * 8
    assert clock.now == 0


def test_a_value_is_computed_again_after_its_time(clock: Clock) -> None:
    cached = Cached(Counter(), 5)
    assert (cached(), cached()) == (1, 1)
    clock.now = 5.1
    assert cached() == 2


def test_an_old_value_is_given_while_the_next_one_is_computed(clock: Clock) -> None:
    counter = Counter()
    cached = Cached(counter, 5, at_most=60)
    assert cached() == 1
    clock.now = 6
    counter.open.clear()
    assert (cached(), cached()) == (1, 1)
    counter.open.set()
    # The lock is free once the thread in the background has ended.
    with cached._lock:
        pass
    assert cached() == 2
    clock.now = 67
    assert cached() == 3


def test_a_failure_is_said_and_forgotten_soon(clock: Clock) -> None:
    counter = Counter()
    cached = Cached(counter, 60, at_most=600)
    counter.fails = True
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable, match="away"):
            cached()
    assert counter.calls == 1
    counter.fails = False
    clock.now = FAILURE_KEPT + 0.1
    assert cached() == 2


def test_a_failure_takes_the_place_of_an_old_value(clock: Clock) -> None:
    counter = Counter()
    cached = Cached(counter, 5, at_most=60)
    assert cached() == 1
    counter.fails = True
    clock.now = 6
    assert cached() == 1
    with cached._lock:
        pass
    with pytest.raises(DatabaseUnavailable, match="away"):
        cached()
