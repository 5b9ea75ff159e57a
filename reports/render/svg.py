"""The picture of a run as inline SVG: rates, delivery times and backlog, with faults, recoveries and kills.

Called by `html`, once for wide screens and once for phones. Its size is bounded by the timeline's bins;
colours come from the page's variables. Every line has a pattern of its own, so that it reads in grey too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from reports.render.heat import Heat
from reports.render.numbers import HEADINGS, LINES, rows
from reports.timeline import Timeline

LEFT, RIGHT, GAP, LABEL_ROW = 56.0, 16.0, 34.0, 15.0
RATE_HEIGHT, BACKLOG_HEIGHT = 190.0, 100.0
MAX_LABEL_ROWS, MAX_BANDS, MAX_KILLS = 4, 40, 200
LETTER = 6.2  # px of one letter of a label
WIDE, NARROW = 1000.0, 380.0


class Picture:
    """One drawing, in SVG units; `y` grows downwards. `name` keeps the ids of two drawings apart."""

    def __init__(self, timeline: Timeline, width: float = WIDE, name: str = "wide") -> None:
        self.data, self.width, self.name = timeline, width, name
        self.bands = timeline.bands[:MAX_BANDS]
        self.longest = 28 if width > 600 else 20
        self.rows = self._label_rows()
        self.top = 30.0 + (max(self.rows, default=-1) + 1) * LABEL_ROW
        self.rate_base = self.top + RATE_HEIGHT
        self.heat = Heat(timeline, self.x, self.rate_base + GAP, width - RIGHT)
        self.backlog_top = self.heat.base + GAP
        self.base = self.backlog_top + BACKLOG_HEIGHT
        self.height = self.base + 42.0

    def draw(self) -> str:
        """Return the `<svg>` element."""
        data = self.data
        rates = {name: [count / data.width_s for count in getattr(data, name)] for name in LINES}
        peak = nice_top(max((max(line, default=0) for line in rates.values()), default=0))
        depth = nice_top(max(data.backlog, default=0))
        offered = self._steps(rates["offered"], peak, self.rate_base, RATE_HEIGHT)
        backlog = self._steps(data.backlog, depth, self.base, BACKLOG_HEIGHT)
        parts = [
            *self._bands(),
            *self._grid(peak, self.rate_base, RATE_HEIGHT, "mails per second"),
            *self._grid(depth, self.base, BACKLOG_HEIGHT, "backlog: accepted and not yet stored, mails"),
            f'<path class="ground" d="{offered}V{self.rate_base:.1f}H{LEFT:.1f}Z"/>',
            *self.heat.draw(),
            *self._time_axis(),
        ]
        for name, line in rates.items():
            path = self._steps(line, peak, self.rate_base, RATE_HEIGHT)
            parts.append(f'<path class="line {name}" d="{path}"/>')
        parts.append(f'<path class="area" d="{backlog}V{self.base:.1f}H{LEFT:.1f}Z"/>')
        parts.append(f'<path class="line backlog" d="{backlog}"/>')
        parts += self._kills()
        if self.width == WIDE:
            parts += self._probes()
        ids = f"{self.name}-title {self.name}-desc"
        return (
            f'<svg class="picture {self.name}" viewBox="0 0 {self.width:.0f} {self.height:.0f}" role="img" '
            f'aria-labelledby="{ids}"><title id="{self.name}-title">Rates, delivery times and backlog'
            f'</title><desc id="{self.name}-desc">{escape(self.words())}</desc>{"".join(parts)}</svg>'
        )

    def words(self) -> str:
        """Say in a few sentences what the picture shows."""
        data = self.data
        peaks = ", ".join(f"{name} {max(getattr(data, name), default=0) / data.width_s:g}" for name in LINES)
        faults = "; ".join(
            f"{band.label} from {band.start_s:g} s "
            + (f"to {band.end_s:g} s" if band.end_s is not None else "without an end on record")
            + (f", recovered at {band.recovered_s:g} s" if band.recovered_s is not None else "")
            for band in self.bands
        )
        return (
            f"{data.span_s:g} seconds. Highest rates per second: {peaks}. "
            f"Largest backlog {max(data.backlog, default=0)}. Faults: {faults or 'none'}. "
            f"Processes killed: {len(data.kills_s)}. The numbers stand in the table below."
        )

    def x(self, seconds: float) -> float:
        """Place a moment (seconds since the load began) on the time axis, within the frame."""
        share = min(max(seconds / self.data.span_s, 0.0), 1.0)
        return LEFT + share * (self.width - LEFT - RIGHT)

    def _steps(self, values: Sequence[float], peak: float, base: float, height: float) -> str:
        points, last = [], ""
        for index, value in enumerate(values):
            x, y = self.x(index * self.data.width_s), f"{base - max(value, 0.0) / peak * height:.1f}"
            if not index:
                points.append(f"M{x:.1f},{y}")
            elif y != last:
                points.append(f"H{x:.1f}V{y}")
            last = y
        return "".join(points) + f"H{self.x(self.data.span_s):.1f}"

    def _label_x(self, label: str, start_s: float) -> float:
        return min(self.x(start_s), self.width - RIGHT - LETTER * len(self._short(label)))

    def _label_rows(self) -> list[int]:
        ends: list[float] = []
        rows = []
        for band in self.bands:
            x = self._label_x(band.label, band.start_s)
            row = next((row for row, end in enumerate(ends) if end < x), len(ends))
            if row >= MAX_LABEL_ROWS:
                rows.append(-1)
                continue
            ends[row : row + 1] = [x + LETTER * len(self._short(band.label)) + 8]
            rows.append(row)
        return rows

    def _bands(self) -> Iterator[str]:
        hatch = f"{self.name}-hatch"
        yield f'<defs><pattern id="{hatch}" width="7" height="7" patternUnits="userSpaceOnUse" '
        yield 'patternTransform="rotate(45)"><path class="hatch" d="M0,0V7"/></pattern></defs>'
        for band, row in zip(self.bands, self.rows, strict=True):
            start = self.x(band.start_s)
            end = self.x(self.data.span_s if band.end_s is None else band.end_s)
            width, height, title = max(end - start, 2.0), self.base - self.top, escape(band.label)
            box = f'x="{start:.1f}" y="{self.top:.1f}" width="{width:.1f}" height="{height:.1f}"'
            yield f'<g><title>{title}</title><rect class="band" {box}/>'
            yield f'<rect fill="url(#{hatch})" {box}/></g>'
            if row >= 0:
                x, y = self._label_x(band.label, band.start_s), 11.0 + row * LABEL_ROW
                yield f'<path class="stem" d="M{start:.1f},{y + 3:.1f}V{self.top:.1f}"/>'
                yield f'<text class="fault" x="{x:.1f}" y="{y:.1f}">{escape(self._short(band.label))}</text>'
            if band.recovered_s is not None:
                x = self.x(band.recovered_s)
                yield f'<path class="recovered" d="M{x:.1f},{self.top:.1f}V{self.base:.1f}"/>'
                yield f'<path class="diamond" d="M{x:.1f},{self.rate_base - 6:.1f}l5,6l-5,6l-5,-6z">'
                yield f"<title>{title}: recovered</title></path>"

    def _kills(self) -> Iterator[str]:
        for at in self.data.kills_s[:MAX_KILLS]:
            path = f"M{self.x(at) - 5:.1f},{self.top + 3:.1f}l10,10m0,-10l-10,10"
            yield f'<path class="kill" d="{path}"><title>killed at {at:g} s</title></path>'

    def _grid(self, peak: float, base: float, height: float, title: str) -> Iterator[str]:
        steps = 2 if height < 150 else 4 if f"{peak:e}"[0] in "248" else 5
        for step in range(steps + 1):
            y, x = base - step / steps * height, LEFT - 6
            yield f'<path class="grid" d="M{LEFT:.1f},{y:.1f}H{self.width - RIGHT:.1f}"/>'
            label = f"{peak * step / steps:g}"
            yield f'<text class="tick" text-anchor="end" x="{x:.1f}" y="{y + 4:.1f}">{label}</text>'
        yield f'<text class="axis" x="{LEFT:.1f}" y="{base - height - 5:.1f}">{title}</text>'

    def _time_axis(self) -> Iterator[str]:
        ticks = 10 if self.width > 600 else 5
        step, y, centred = (
            nice_top(self.data.span_s / ticks, (1, 2, 5, 10, 20)),
            self.base + 18,
            'text-anchor="middle"',
        )
        for index in range(int(self.data.span_s / step) + 1):
            x = self.x(index * step)
            yield f'<path class="grid" d="M{x:.1f},{self.base:.1f}v5"/>'
            yield f'<text class="tick" {centred} x="{x:.1f}" y="{y:.1f}">{index * step:g}</text>'
        x, words = (LEFT + self.width - RIGHT) / 2, "seconds since the load began"
        yield f'<text class="axis" {centred} x="{x:.1f}" y="{self.base + 36:.1f}">{words}</text>'

    def _probes(self) -> Iterator[str]:
        """Draw nothing over each bin, that says its numbers when it is pointed at."""
        width = self.x(self.data.width_s) - LEFT
        for index, row in enumerate(rows(self.data)):
            at = self.x(index * self.data.width_s)
            words = f"{row[0]:g} s: " + ", ".join(
                f"{name} {value:g}" for name, value in zip(HEADINGS[1:], row[1:], strict=True)
            )
            yield f'<rect class="probe" x="{at:.1f}" y="{self.top:.0f}" width="{width:.2f}" '
            yield f'height="{self.base - self.top:.0f}"><title>{words}</title></rect>'

    def _short(self, label: str) -> str:
        return label if len(label) <= self.longest else label[: self.longest - 1] + "…"


def nice_top(value: float, factors: Sequence[int] = (1, 2, 4, 5, 8, 10, 20)) -> float:
    """Return the least of these factors times a power of ten that is not below `value`."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(value))
    return next(factor * unit for factor in factors if factor * unit >= value * 0.999)
