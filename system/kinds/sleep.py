"""`sleep`: takes its time, and keeps its lease over it."""

from __future__ import annotations

import time
from typing import Annotated

from pydantic import Field

from system.kinds.base import Body, Job, Kind, LeaseLost


class Sleep(Body):
    """Seconds, at most ten minutes."""

    duration: Annotated[int | float, Field(ge=0, le=600, allow_inf_nan=False)]


def run(job: Job) -> str:
    """Sleeps for `duration` seconds, in steps after each of which the lease must still be there."""
    duration = job.payload["duration"]
    until = time.monotonic() + duration
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, job.beat_s))
        if not job.still_mine():
            raise LeaseLost
    return f"Processed for {duration} seconds."


KIND = Kind("sleep", Sleep, run)
