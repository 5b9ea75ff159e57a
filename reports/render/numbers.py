"""The picture of a run as rows of numbers, for its tooltips and for those who cannot see it.

Called by `svg` and `html`. Never draws.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from reports.timeline import Timeline

LINES = ("offered", "sent", "accepted", "delivered")
HEADINGS = ("from s", "offered/s", "sent/s", "accepted/s", "delivered/s", "backlog", "never stored")


def rows(data: Timeline, at_most: int | None = None) -> Iterator[tuple[float, ...]]:
    """Return the picture as numbers, under `HEADINGS`: a row for each bin, or for some bins together."""
    together = 1 if at_most is None else math.ceil(len(data.offered) / at_most)
    for first in range(0, len(data.offered), together):
        part = slice(first, first + together)
        span_s = data.width_s * len(data.offered[part])
        rates = (round(sum(getattr(data, name)[part]) / span_s, 1) for name in LINES)
        yield (round(first * data.width_s, 3), *rates, data.backlog[part][-1], sum(data.never[part]))
