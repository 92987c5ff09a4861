# Copyright: Contributors to the csv-to-aurora project
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

"""How far an import is, how fast it goes, and how long it still takes, from rows of the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

AT_WORK = ("checking", "running")
"""The status of imports that make progress."""


def is_compressed(key: str) -> bool:
    """Return whether positions are those in the content of a compressed object, of which nobody knows the size."""
    return key.lower().endswith(".csv.gz")


@dataclass(frozen=True)
class Pace:
    """The progress between two readings of one import.

    Attributes:
        rows_per_second: Rows that were read.
        bytes_per_second: Bytes of the content that were read.
        seconds_left: How long the rest takes at this pace; None where nobody knows how much that is.
        checking: Whether the file is only checked yet, and loaded after that.
    """

    rows_per_second: float
    bytes_per_second: float
    seconds_left: float | None
    checking: bool

    def __str__(self) -> str:
        """Return it for people."""
        rate = f"{self.rows_per_second:,.0f} rows/s, {self.bytes_per_second / 1e6:,.1f} MB/s"
        if self.seconds_left is None:
            return rate
        return f"{rate}, {duration(self.seconds_left)} left{' to check' if self.checking else ''}"


def pace(before: Mapping[str, Any] | None, now: Mapping[str, Any], *, compressed: bool) -> Pace | None:
    """Return the pace from one reading to another, or None where it is not known.

    A file may be read twice, to check it and to load it, and an interrupted import goes on in another attempt: what was
    read before that says nothing about the pace.

    Args:
        before: The earlier reading, with status, attempts, bytes_read, rows_read, and read_at in seconds.
        now: The later one, with size_bytes in addition.
        compressed: Whether the size is not that of the content.
    """
    if before is None or now["status"] not in AT_WORK:
        return None
    if any(before[name] != now[name] for name in ("status", "attempts")):
        return None
    seconds = float(now["read_at"]) - float(before["read_at"])
    done = int(now["bytes_read"]) - int(before["bytes_read"])
    if seconds <= 0 or done <= 0:
        return None
    rate = done / seconds
    rows = (int(now["rows_read"]) - int(before["rows_read"])) / seconds
    left = None if compressed else max(0, int(now["size_bytes"]) - int(now["bytes_read"])) / rate
    return Pace(rows, rate, left, now["status"] == "checking")


def share(row: Mapping[str, Any], *, compressed: bool) -> str:
    """Return how far an import is: the share of the file where its size is known, else the bytes."""
    done, size = int(row["bytes_read"]), int(row["size_bytes"])
    if compressed or not size:
        return f"{done:,} bytes read"
    return f"{100 * done / size:.0f} % of the file"


def duration(seconds: float) -> str:
    """Return a duration in the unit that matters."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
