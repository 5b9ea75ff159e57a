"""A small line of a few figures, oldest first, with a mark for every run that did not pass.

Called by the index page. Never has a scale: the figures stand beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

WIDTH, HEIGHT, EDGE = 160.0, 26.0, 5.0


def sparkline(points: Sequence[tuple[float | None, str]]) -> str:
    """Return the `<svg>` of figures with their verdicts; a figure that is None leaves a gap in the line."""
    known = [value for value, _ in points if value is not None and math.isfinite(value)]
    if not known:
        return ""
    top = max(*known, 1e-9)
    path, marks, drawn = [], [], False
    for index, (value, verdict) in enumerate(points):
        x = EDGE + (WIDTH - 2 * EDGE) * (index / max(len(points) - 1, 1))
        if value is None or not math.isfinite(value):
            drawn = False
            continue
        y = HEIGHT - EDGE - value / top * (HEIGHT - 2 * EDGE)
        path.append(f"{'L' if drawn else 'M'}{x:.1f},{y:.1f}")
        drawn = True
        if verdict != "pass":
            marks.append(f'<path class="kill" d="M{x - 3:.1f},{y - 3:.1f}l6,6m0,-6l-6,6"/>')
        elif index == len(points) - 1:
            marks.append(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3"/>')
    words = f"p99 over {len(known)} runs, from {min(known):.2f} to {max(known):.2f} seconds"
    return (
        f'<svg class="spark" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" width="{WIDTH:.0f}" role="img" '
        f'aria-label="{words}"><path class="line accepted spark-line" d="{"".join(path)}"/>'
        f"{''.join(marks)}</svg>"
    )
