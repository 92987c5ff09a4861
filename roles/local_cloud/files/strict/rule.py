"""What all rules have in common."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Any

from strict.calls import Call, Refusal


class Moments:
    """When things happened, to tell which are recent."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Read the time, in seconds, from ``clock``."""
        self._clock = clock
        self._moments: dict[Hashable, float] = {}

    def note(self, what: Hashable) -> None:
        """Something has happened now."""
        self._moments[what] = self._clock()

    def forget(self, what: Hashable) -> None:
        """It no longer matters when it happened."""
        self._moments.pop(what, None)

    def __contains__(self, what: Hashable) -> bool:
        """Return whether something has happened, whenever that was."""
        return what in self._moments

    def within(self, seconds: float, what: Hashable) -> bool:
        """Return whether something happened less than so many seconds ago."""
        moment = self._moments.get(what)
        return moment is not None and self._clock() - moment < seconds

    def recent(self, seconds: float) -> list[Hashable]:
        """Return all that happened less than so many seconds ago."""
        return [what for what in self._moments if self.within(seconds, what)]


class Rule:
    """One thing that AWS does and the emulator does not. The first line of a rule's docstring says what.

    Attributes:
        source: Where AWS documents it.
        follows_operations: Service and operation of the calls whose answers the rule has to see.
    """

    source: str = ""
    follows_operations: frozenset[str] = frozenset()

    def __init__(self, clock: Callable[[], float] = time.monotonic, pace: float = 1.0) -> None:
        """Take the time from ``clock``; what takes AWS time takes ``pace`` times what the rule says."""
        self.pace = pace
        self.moments = Moments(clock)

    def refuse(self, call: Call) -> Refusal | None:
        """Return what AWS answers in place of a result; None where it accepts the call."""
        del call
        return None

    def answer(self, call: Call) -> dict[str, Any] | None:
        """Return the content of an answer that AWS gives and the emulator cannot; None where the emulator answers."""
        del call
        return None

    def follows(self, call: Call) -> bool:
        """Return whether the rule has to see the answer."""
        return call.name in self.follows_operations

    def follow(self, call: Call, content: dict[str, Any]) -> None:
        """Remember or change the content of an answer that the emulator gave without an error."""
