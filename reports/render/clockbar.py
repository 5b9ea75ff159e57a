"""One fault's clocks as a small bar: hatched while it lasted, then a thin line until the mail was drained.

Called by the page for each fault. All bars of a page have the same time axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WIDTH, HEIGHT, MIDDLE = 180.0, 22.0, 11.0


def bar(fault: Mapping[str, Any], span_s: float) -> str:
    """Return the `<svg>` of one fault on an axis of `span_s` seconds; the table says the same in words."""

    def x(seconds: float) -> float:
        return 2 + min(max(seconds / max(span_s, 1e-9), 0.0), 1.0) * (WIDTH - 4)

    begin = fault["inject_s"]
    if begin is None:
        return ""
    end = next((fault[name] for name in ("healed_s", "heal_s") if fault[name] is not None), span_s)
    left, width = x(begin), max(x(end) - x(begin), 2.0)
    parts = [f'<path class="grid" d="M2,{MIDDLE}H{WIDTH - 2}"/>']
    box = f'x="{left:.1f}" y="5" width="{width:.1f}" height="12"'
    parts.append(f'<rect class="band strong" {box}/><rect fill="url(#bar-hatch)" {box}/>')
    if (drained := fault["drained_s"]) is not None:
        parts.append(f'<path class="draining" d="M{x(end):.1f},{MIDDLE}H{x(drained):.1f}m0,-4v8"/>')
    if (bite := fault["bite_s"]) is not None:
        parts.append(f'<path class="bite" d="M{x(bite):.1f},3v16"/>')
    if (recovered := fault["recovered_s"]) is not None:
        parts.append(f'<path class="diamond" d="M{x(recovered):.1f},{MIDDLE - 6}l5,6l-5,6l-5,-6z"/>')
    return (
        f'<svg class="bar" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" width="{WIDTH:.0f}" height="{HEIGHT:.0f}" '
        f'aria-hidden="true">{"".join(parts)}</svg>'
    )
