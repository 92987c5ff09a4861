"""Draws line charts as SVG, without a library of thirty megabytes for a few polylines."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT, MARGIN, GAP = 320, 220, 60, 30
COLOURS = ("#1f6feb", "#d1242f", "#57606a")


@dataclass(frozen=True)
class Line:
    """Values of one name over the positions of a panel."""

    name: str
    values: Sequence[float]


@dataclass(frozen=True)
class Panel:
    """Lines over a logarithmic axis, from zero.

    Attributes:
        title: What the values are.
        x_title: What the axis shows.
        xs: Positions on the axis, ascending and positive.
        lines: The lines, at most as many as there are colours.
    """

    title: str
    x_title: str
    xs: Sequence[float]
    lines: Sequence[Line]


def chart(panels: Sequence[Panel]) -> str:
    """Draw panels side by side, as an SVG document."""
    each = WIDTH + MARGIN + GAP
    width, height = each * len(panels) + GAP, HEIGHT + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">',
        "<style>text { font: 12px sans-serif }</style>",
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for index, panel in enumerate(panels):
        parts.append(f'<g transform="translate({index * each + MARGIN},{MARGIN / 2})">')
        parts += _panel(panel)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel) -> list[str]:
    top = _round_up(max(value for line in panel.lines for value in line.values))
    low, high = math.log10(panel.xs[0]), math.log10(panel.xs[-1])

    def x_of(value: float) -> float:
        return WIDTH * (math.log10(value) - low) / ((high - low) or 1)

    def y_of(value: float) -> float:
        return HEIGHT * (1 - value / top)

    parts = [f'<text x="{WIDTH / 2}" y="-10" text-anchor="middle" font-weight="bold">{escape(panel.title)}</text>']
    for step in range(5):
        value = top * step / 4
        y = y_of(value)
        parts.append(f'<line x1="0" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="-6" y="{y + 4:.1f}" text-anchor="end">{_number(value)}</text>')
    for value in panel.xs:
        x = x_of(value)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{HEIGHT}" stroke="#eee"/>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT + 18}" text-anchor="middle">{value:,.0f}</text>')
    for number, (line, colour) in enumerate(zip(panel.lines, COLOURS, strict=False)):
        points = [(x_of(x), y_of(y)) for x, y in zip(panel.xs, line.values, strict=True)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        if line.name:
            # Above the axis, where lines that begin at zero sessions or rows are never.
            y = HEIGHT - 10 - 16 * (len(panel.lines) - 1 - number)
            parts.append(f'<text x="{WIDTH - 8}" y="{y}" text-anchor="end" fill="{colour}">{escape(line.name)}</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT + 40}" text-anchor="middle">{escape(panel.x_title)}</text>')
    return parts


def _number(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")


def _round_up(value: float) -> float:
    """Round up to 1, 2, 4, 5 or 10 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 5, 10) if value <= step * power)
