"""`add`: the sum of two numbers."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from system.kinds.base import Body, Job, Kind

# Beyond this a JSON reader elsewhere may not get the same number.
_EXACT = 2**53

Number = Annotated[int | float, Field(ge=-_EXACT, le=_EXACT, allow_inf_nan=False)]


class Add(Body):
    """Two numbers."""

    a: Number
    b: Number


def run(job: Job) -> int | float:
    """Adds."""
    total: int | float = job.payload["a"] + job.payload["b"]
    return total


KIND = Kind("add", Add, run)
