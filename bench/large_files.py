"""What very large files take, computed from measured rates: nobody waits for a hundred gigabytes in a benchmark."""

import math
from dataclasses import dataclass

from csv_importer.handler import RESERVE_SECONDS

GIGABYTE = 1e9
FILES = (1, 10, 100)
"""Sizes of the files, in gigabytes."""

TIMEOUT_SECONDS = 900.0
"""The longest that one invocation may take, and what the role sets."""

START_SECONDS = 1.0
"""What an invocation needs before it loads: start, clients, secret, connection, and the position in the ledger."""


@dataclass(frozen=True)
class Loading:
    """The loading of one large file.

    Attributes:
        gigabytes: Its size.
        seconds: How long it takes, over all invocations.
        invocations: How many there are.
    """

    gigabytes: int
    seconds: float
    invocations: int


def loading(gigabytes: int, bytes_per_second: float) -> Loading:
    """Compute what a file takes at a rate.

    Each invocation loads until RESERVE_SECONDS before its timeout; then it commits, and the next one goes on.
    """
    work = gigabytes * GIGABYTE / bytes_per_second
    invocations = math.ceil(work / (TIMEOUT_SECONDS - RESERVE_SECONDS - START_SECONDS))
    return Loading(gigabytes, work + invocations * START_SECONDS, invocations)


def duration(seconds: float) -> str:
    """Write a duration with the units that matter."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"
