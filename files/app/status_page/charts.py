"""Bar charts as SVG: their geometry. The template draws it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from status_page.ledger import Day

WIDTH = 320
"""In units of the drawing, as all here: some 320 pixels on a narrow screen."""

HEIGHT = 120
_LEFT, _TOP, _BOTTOM = 36, 8, 18
_GAP = 2
_LEAST = 1.5


@dataclass(frozen=True)
class Bar:
    """A bar, and what it says where one points at it."""

    x: float
    y: float
    width: float
    height: float
    day: dt.date
    value: int


@dataclass(frozen=True)
class Line:
    """A line of the grid with its label."""

    y: float
    label: str


@dataclass(frozen=True)
class Chart:
    """A chart of one number a day."""

    bars: Sequence[Bar]
    lines: Sequence[Line]
    total: int
    greatest: int
    first: dt.date
    last: dt.date
    left: int = _LEFT
    width: int = WIDTH
    height: int = HEIGHT
    foot: int = HEIGHT - _BOTTOM


def chart_of(days: Sequence[Day], value: Callable[[Day], int]) -> Chart:
    """Return the chart of one number of each day."""
    values = [value(day) for day in days]
    top = _nice(max(values))
    step = (WIDTH - _LEFT) / len(days)
    foot = HEIGHT - _BOTTOM
    room = foot - _TOP
    bars = []
    for number, (day, count) in enumerate(zip(days, values, strict=True)):
        # What is not nothing is seen.
        height = max(room * count / top, _LEAST) if count else 0
        bars.append(
            Bar(
                round(_LEFT + number * step, 2),
                round(foot - height, 2),
                round(step - _GAP, 2),
                round(height, 2),
                day.day,
                count,
            )
        )
    lines = [
        Line(round(foot - room * share, 2), short(round(top * share))) for share in ((0, 1) if top < 2 else (0, 0.5, 1))
    ]
    return Chart(bars, lines, sum(values), max(values), days[0].day, days[-1].day)


def _nice(greatest: int) -> int:
    """Return the top of the scale: an even number, or 1, that is easily divided, and not below the greatest value."""
    if greatest <= 1:
        return 1
    power: int = 10 ** int(math.log10(greatest))
    return next(
        top for factor in (1, 2, 4, 6, 8, 10, 20) if (top := factor * power) >= greatest and (top == 1 or top % 2 == 0)
    )


def short(number: int) -> str:
    """Return a number in few characters: 1.2 M."""
    for unit, factor in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= factor:
            return f"{number / factor:.3g} {unit}"
    return str(number)
