"""The heat strip: how long mails took, by the moment they were due. Slow is high, many is dark.

Drawn by `svg` between the rates and the backlog. A row above it holds mails that were never stored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from reports.timeline import LATENCIES_S, Timeline

ROW, LEVELS, APART = 13.0, 5, 7.0
LEFT = 56.0


class Heat:
    """The strip in its place: `top` is its upper edge, `right` its end; `x` places a moment in seconds."""

    def __init__(self, data: Timeline, x: Callable[[float], float], top: float, right: float) -> None:
        self.data, self.x, self.right = data, x, right
        used = [index for index, row in enumerate(data.heat) if any(row)]
        # At least three rows, so that a calm run still shows a strip.
        first = min(used, default=3)
        last = max(used, default=5)
        self.first = max(0, min(first, last - 2))
        self.kept = data.heat[self.first : last + 1]
        self.lost = any(data.never)
        self.top = top
        self.strip = top + (ROW + APART) * self.lost
        self.base = self.strip + ROW * len(self.kept)
        self.most = max((max(row, default=0) for row in self.kept), default=0)

    def draw(self) -> Iterator[str]:
        """Draw the strip with its axis."""
        yield f'<rect class="paper" x="{LEFT}" y="{self.strip:.1f}" width="{self.right - LEFT:.1f}" '
        yield f'height="{self.base - self.strip:.1f}"/>'
        for level in range(1, LEVELS + 1):
            if path := "".join(self._cells(level)):
                yield f'<path class="h{level}" d="{path}"/>'
        if self.lost and (path := "".join(self._row(self.data.never, self.top, lambda count: count > 0))):
            yield f'<path class="never" d="{path}"/>'
        yield from self._axis()

    def _cells(self, level: int) -> Iterator[str]:
        for index, row in enumerate(self.kept):
            y = self.base - (index + 1) * ROW
            yield from self._row(row, y, lambda count: self.level(count) == level)

    def _row(self, row: Sequence[int], y: float, wanted: Callable[[int], bool]) -> Iterator[str]:
        """Yield one box for each run of neighbours that are wanted."""
        start = None
        for index in range(len(row) + 1):
            if index < len(row) and wanted(row[index]):
                start = index if start is None else start
            elif start is not None:
                left, right = self.x(start * self.data.width_s), self.x(index * self.data.width_s)
                yield f"M{left:.1f},{y:.1f}H{right:.1f}v{ROW:g}H{left:.1f}z"
                start = None

    def level(self, count: int) -> int:
        """Return the shade of a count: 0 for none, then 1 to 5, each as many times more as the one before."""
        if count <= 0:
            return 0
        if self.most <= 1:
            return LEVELS
        return 1 + min(int(math.log(count) / math.log(self.most) * LEVELS), LEVELS - 1)

    def _axis(self) -> Iterator[str]:
        words = "seconds from due until stored" + (", by when the mail was due" if self.right > 500 else "")
        yield f'<text class="axis" x="{LEFT:.1f}" y="{self.top - 5:.1f}">{words}</text>'
        for index in range(len(self.kept) + 1):
            edge = LATENCIES_S[self.first + index - 1] if self.first + index else 0.0
            y = self.base - index * ROW
            if math.isfinite(edge) and (index % 2 == 0 or index == len(self.kept)):
                place = f'text-anchor="end" x="{LEFT - 6:.1f}" y="{y + 4:.1f}"'
                yield f'<text class="tick" {place}>{edge:g}</text>'
                yield f'<path class="grid" d="M{LEFT:.1f},{y:.1f}H{self.right:.1f}"/>'
        if self.lost:
            y = self.top + ROW - 3
            yield f'<text class="tick bad" text-anchor="end" x="{LEFT - 6:.1f}" y="{y:.1f}">never</text>'
