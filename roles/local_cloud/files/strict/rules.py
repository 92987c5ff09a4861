"""All rules, in the order in which they are asked."""

from __future__ import annotations

import time
from collections.abc import Callable

from strict import assigned, database, function, identity, in_use, lingering, network, shapes, values
from strict.rule import Rule

RULES: tuple[type[Rule], ...] = (
    *shapes.RULES,
    *values.RULES,
    *network.RULES,
    *identity.RULES,
    *database.RULES,
    *function.RULES,
    *in_use.RULES,
    *assigned.RULES,
    *lingering.RULES,
)


def new_rules(pace: float = 1.0, clock: Callable[[], float] = time.monotonic) -> list[Rule]:
    """Return the rules of one account, which has nothing yet.

    Args:
        pace: By how much longer than the rules say everything takes, which is far less than on AWS.
        clock: Returns the time in seconds.
    """
    return [rule(clock, pace) for rule in RULES]
