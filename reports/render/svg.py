"""The picture of a run as inline SVG: rates above, backlog below, with faults, recoveries and kills on both.

Called by `html`. Its size is bounded by the timeline's bins; colours come from the page's variables.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from reports.timeline import Timeline

WIDTH, LEFT, RIGHT = 960.0, 56.0, 16.0
RATE_HEIGHT, BACKLOG_HEIGHT, GAP, LABEL_ROW = 210.0, 120.0, 34.0, 15.0
MAX_LABEL_ROWS, MAX_BANDS, MAX_KILLS = 4, 40, 200
LETTER = 6.2  # px of one letter of a label


class Picture:
    """One drawing; `y` grows downwards, all lengths are SVG units."""

    def __init__(self, timeline: Timeline) -> None:
        self.data = timeline
        self.bands = timeline.bands[:MAX_BANDS]
        self.rows = self._label_rows()
        rows = max(self.rows, default=-1) + 1
        self.top = 14.0 + rows * LABEL_ROW
        self.rate_base = self.top + RATE_HEIGHT
        self.backlog_top = self.rate_base + GAP
        self.base = self.backlog_top + BACKLOG_HEIGHT
        self.height = self.base + 42.0

    def draw(self) -> str:
        """Return the `<svg>` element."""
        data = self.data
        lines = (data.offered, data.accepted, data.delivered)
        rates = [[count / data.width_s for count in line] for line in lines]
        peak = nice_top(max((max(line, default=0) for line in rates), default=0))
        depth = nice_top(max(data.backlog, default=0))
        parts = [
            *self._bands(),
            *self._grid(peak, self.rate_base, RATE_HEIGHT, "mails per second"),
            *self._grid(depth, self.base, BACKLOG_HEIGHT, "backlog, mails"),
            *self._time_axis(),
            *self._kills(),
        ]
        for name, line in zip(("offered", "accepted", "delivered"), rates, strict=True):
            parts.append(
                f'<path class="line {name}" d="{self._steps(line, peak, self.rate_base, RATE_HEIGHT)}"/>'
            )
        path = self._steps(data.backlog, depth, self.base, BACKLOG_HEIGHT)
        parts.append(f'<path class="area" d="{path}V{self.base:.1f}H{LEFT:.1f}Z"/>')
        parts.append(f'<path class="line backlog" d="{path}"/>')
        return (
            f'<svg class="picture" viewBox="0 0 {WIDTH:.0f} {self.height:.0f}" role="img" '
            f'aria-label="Rates and backlog over the run, with faults">{"".join(parts)}</svg>'
        )

    def x(self, seconds: float) -> float:
        """Place a moment (seconds since the load began) on the time axis, within the frame."""
        share = min(max(seconds / self.data.span_s, 0.0), 1.0)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def _steps(self, values: Sequence[float], peak: float, base: float, height: float) -> str:
        points = []
        for index, value in enumerate(values):
            x, y = self.x(index * self.data.width_s), base - max(value, 0.0) / peak * height
            points.append(f"{'M' if not index else 'H'}{x:.1f}" + (f",{y:.1f}" if not index else f"V{y:.1f}"))
        return "".join(points) + f"H{self.x(self.data.span_s):.1f}"

    def _label_rows(self) -> list[int]:
        ends: list[float] = []
        rows = []
        for band in self.bands:
            x = min(self.x(band.start_s), WIDTH - RIGHT - LETTER * len(_short(band.label)))
            row = next((row for row, end in enumerate(ends) if end < x), len(ends))
            if row >= MAX_LABEL_ROWS:
                rows.append(-1)
                continue
            ends[row : row + 1] = [x + LETTER * len(_short(band.label)) + 8]
            rows.append(row)
        return rows

    def _bands(self) -> Iterator[str]:
        yield '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" '
        yield 'patternTransform="rotate(45)"><path class="hatch" d="M0,0V6"/></pattern></defs>'
        for band, row in zip(self.bands, self.rows, strict=True):
            start = self.x(band.start_s)
            end = self.x(self.data.span_s if band.end_s is None else band.end_s)
            width, height, title = max(end - start, 2.0), self.base - self.top, escape(band.label)
            box = f'x="{start:.1f}" y="{self.top:.1f}" width="{width:.1f}" height="{height:.1f}"'
            yield f'<g><title>{title}</title><rect class="band" {box}/><rect fill="url(#hatch)" {box}/></g>'
            if row >= 0:
                y = 11.0 + row * LABEL_ROW
                x = min(start, WIDTH - RIGHT - LETTER * len(_short(band.label)))
                yield f'<path class="stem" d="M{start:.1f},{y + 3:.1f}V{self.top:.1f}"/>'
                yield f'<text class="fault" x="{x:.1f}" y="{y:.1f}">{escape(_short(band.label))}</text>'
            if band.recovered_s is not None:
                x, y, top = self.x(band.recovered_s), self.rate_base, self.top
                yield f'<path class="recovered" d="M{x:.1f},{top:.1f}V{self.base:.1f}"/>'
                yield f'<path class="diamond" d="M{x:.1f},{y - 6:.1f}l5,6l-5,6l-5,-6z">'
                yield f"<title>{title}: recovered</title></path>"

    def _kills(self) -> Iterator[str]:
        for at in self.data.kills_s[:MAX_KILLS]:
            start = f"M{self.x(at) - 4:.1f},{self.base - 4:.1f}"
            yield f'<path class="kill" d="{start}l8,8m0,-8l-8,8"><title>killed at {at:g} s</title></path>'

    def _grid(self, peak: float, base: float, height: float, title: str) -> Iterator[str]:
        steps = 4 if height > 150 else 2
        for step in range(steps + 1):
            y, x = base - step / steps * height, LEFT - 6
            yield f'<path class="grid" d="M{LEFT:.1f},{y:.1f}H{WIDTH - RIGHT:.1f}"/>'
            label = f"{peak * step / steps:g}"
            yield f'<text class="tick" text-anchor="end" x="{x:.1f}" y="{y + 4:.1f}">{label}</text>'
        yield f'<text class="axis" x="{LEFT:.1f}" y="{base - height - 5:.1f}">{title}</text>'

    def _time_axis(self) -> Iterator[str]:
        step, y, centred = nice_top(self.data.span_s / 10), self.base + 18, 'text-anchor="middle"'
        for index in range(int(self.data.span_s / step) + 1):
            x = self.x(index * step)
            yield f'<path class="grid" d="M{x:.1f},{self.base:.1f}v5"/>'
            yield f'<text class="tick" {centred} x="{x:.1f}" y="{y:.1f}">{index * step:g}</text>'
        x, words = (LEFT + WIDTH - RIGHT) / 2, "seconds since the load began"
        yield f'<text class="axis" {centred} x="{x:.1f}" y="{self.base + 36:.1f}">{words}</text>'


def nice_top(value: float) -> float:
    """Return the least of 1, 2, 4, 5, 8 or 10 times a power of ten that is not below `value`."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(value))
    return next(factor * unit for factor in (1, 2, 4, 5, 8, 10, 20) if factor * unit >= value * 0.999)


def _short(label: str) -> str:
    return label if len(label) <= 28 else label[:27] + "…"
