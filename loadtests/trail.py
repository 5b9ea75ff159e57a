"""How long a job waited before a worker took it, from the trail that the system tells with its status.

Called by the follower. All times are the system's own clock, so no two machines need agree. Never guesses.
"""

from __future__ import annotations

from typing import Any


def queue_wait_s(trail: Any) -> float | None:
    """Return the seconds from `accepted` to the first `leased`; None: the trail does not tell both.

    The system keeps the end of a long trail only; without its beginning nobody can say which lease was first.
    """
    at_s: dict[str, float] = {}
    for step in trail if isinstance(trail, list) else ():
        try:
            at_s.setdefault(step["event"], float(step["at_ms"]) / 1000)
        except (LookupError, TypeError, ValueError):
            continue
    if not {"accepted", "leased"} <= at_s.keys():
        return None
    # That clock may have been set back in between.
    return max(0.0, at_s["leased"] - at_s["accepted"])
