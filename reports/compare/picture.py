"""One metric's rounds as a picture: a dot for each side of each round, both medians, and the change.

Called by the page. Base is a blue circle, head an orange diamond: the shapes tell them apart without colour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from reports.compare import text
from reports.compare.model import Point, Row

WIDTH, HEIGHT = 700, 190
LEFT, RIGHT, TOP, BOTTOM = 56, 26, 14, 30
RATIO = 250  # how wide the right part is, in which the change is shown
R = 3.4


def draw(row: Row, points: Sequence[Point], effect: float) -> str:
    """The picture as SVG; `effect` is the change (share of the base) from which on it counts."""
    if not points:
        return ""
    title = f"{row.metric.words}: base {text.number(row.base, row.metric.unit)} {row.metric.unit}, head "
    title += f"{text.number(row.head, row.metric.unit)} {row.metric.unit}, change {text.share(row.change)}"
    parts = [*_rounds(row, points), *_change(row, effect)]
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" class="picture" role="img" aria-label="{escape(title)}">'
        + "".join(parts)
        + "</svg>"
    )


def _rounds(row: Row, points: Sequence[Point]) -> list[str]:
    values = [value for point in points for value in (point.base, point.head)]
    ticks = _ticks(0.97 * min(values), 1.03 * max(values))
    low, high = min(ticks[0], 0.97 * min(values)), max(ticks[-1], 1.03 * max(values))
    right = WIDTH - RATIO - 40
    step = (right - LEFT) / len(points)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = []
    for tick in ticks:
        parts.append(f'<path class="grid" d="M{LEFT} {y(tick):.1f}H{right}"/>')
        parts.append(
            f'<text class="tick" x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>'
        )
    for name, value in (("base", row.base), ("head", row.head)):
        if value is not None:
            parts.append(f'<path class="median {name}" d="M{LEFT} {y(value):.1f}H{right}"/>')
    for number, point in enumerate(points):
        x = LEFT + step * (number + 0.5)
        parts.append(f'<path class="pair" d="M{x:.1f} {y(point.base):.1f}V{y(point.head):.1f}"/>')
        parts.append(f'<circle class="base dot" cx="{x:.1f}" cy="{y(point.base):.1f}" r="{R}"/>')
        parts.append(_diamond(x, y(point.head)))
    middle = (LEFT + right) / 2
    parts.append(
        f'<text class="tick" x="{middle:.0f}" y="{HEIGHT - 8}" text-anchor="middle">'
        f"{len(points)} rounds, {row.metric.unit}, dashed: medians</text>"
    )
    return parts


def _change(row: Row, effect: float) -> list[str]:
    """The change with its interval on an axis of its own, where 0 is no change."""
    if row.change is None or row.low is None or row.high is None:
        return []
    left, right, y = WIDTH - RATIO, WIDTH - RIGHT, (HEIGHT - BOTTOM + TOP) / 2
    span = max(0.1, 2 * effect, 1.1 * max(abs(row.low), abs(row.high)))

    def x(share: float) -> float:
        return (left + right) / 2 + share / span * (right - left) / 2

    parts = []
    for tick in _ticks(-span, span, 4):
        parts.append(f'<path class="grid" d="M{x(tick):.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
        parts.append(
            f'<text class="tick" x="{x(tick):.1f}" y="{HEIGHT - BOTTOM + 14}" text-anchor="middle">'
            f"{_percent(tick)}</text>"
        )
    parts.append(f'<path class="zero" d="M{x(0):.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
    parts.append(f'<path class="limit" d="M{x(effect):.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
    parts.append(
        f'<path class="interval" d="M{x(row.low):.1f} {y}H{x(row.high):.1f}'
        f'M{x(row.low):.1f} {y - 6}v12M{x(row.high):.1f} {y - 6}v12"/>'
    )
    parts.append(_diamond(x(row.change), y, 5.5))
    words = text.share(row.change)
    parts.append(
        f'<text class="axis" x="{x(row.change):.0f}" y="{y - 14:.0f}" text-anchor="middle">{words}</text>'
    )
    return parts


def _percent(share: float) -> str:
    return f"{share:+.0%}" if share else "0%"


def _diamond(x: float, y: float, size: float = 4.2) -> str:
    return (
        f'<path class="head dot" d="M{x:.1f} {y - size:.1f}l{size} {size} {-size} {size} {-size} {-size}z"/>'
    )


def _ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers that lie between the two."""
    raw = (high - low) / about or 1.0
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    first = math.ceil(low / step)
    return [round(number * step, 10) + 0.0 for number in range(first, math.floor(high / step) + 1)] or [low]
