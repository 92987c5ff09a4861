"""Draws line charts as SVG, without a library of thirty megabytes for two polylines."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT, MARGIN, GAP = 360, 220, 60, 30


@dataclass(frozen=True)
class Series:
    """Values over the shared axis; each series has its own chart, from zero."""

    title: str
    values: Sequence[float]


def chart(xs: Sequence[float], series: Sequence[Series], *, x_title: str) -> str:
    """Draw one chart for each series, side by side, over a logarithmic axis.

    Args:
        xs: Positions on the axis, ascending and positive.
        series: What to draw.
        x_title: What the axis shows.

    Returns:
        An SVG document.
    """
    each = WIDTH + MARGIN + GAP
    width, height = each * len(series) + GAP, HEIGHT + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">',
        "<style>text { font: 12px sans-serif }</style>",
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for index, one in enumerate(series):
        parts.append(f'<g transform="translate({index * each + MARGIN},{MARGIN / 2})">')
        parts += _panel(xs, one, x_title)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(xs: Sequence[float], series: Series, x_title: str) -> list[str]:
    top = _round_up(max(series.values))
    low, high = math.log10(xs[0]), math.log10(xs[-1])

    def x_of(value: float) -> float:
        return WIDTH * (math.log10(value) - low) / ((high - low) or 1)

    def y_of(value: float) -> float:
        return HEIGHT * (1 - value / top)

    parts = [f'<text x="{WIDTH / 2}" y="-10" text-anchor="middle" font-weight="bold">{escape(series.title)}</text>']
    for step in range(5):
        value = top * step / 4
        y = y_of(value)
        parts.append(f'<line x1="0" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="-6" y="{y + 4:.1f}" text-anchor="end">{value:,.0f}</text>')
    for value in xs:
        x = x_of(value)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{HEIGHT}" stroke="#eee"/>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT + 18}" text-anchor="middle">{value:,.0f}</text>')
    points = [(x_of(x), y_of(y)) for x, y in zip(xs, series.values, strict=True)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    parts.append(f'<polyline points="{line}" fill="none" stroke="#1f6feb" stroke-width="2"/>')
    parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#1f6feb"/>' for x, y in points]
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT + 40}" text-anchor="middle">{escape(x_title)}</text>')
    return parts


def _round_up(value: float) -> float:
    """Round up to 1, 2, 4, 5 or 10 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 5, 10) if value <= step * power)
