"""What a scenario is: a load, a story of faults, and what the verdict expects. Data and one function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chaos.stage import Stage

ACCEPTED_SHARE = 0.5


@dataclass(frozen=True)
class Scenario:
    """One story. The flood lasts at least `duration_s`, and on until the story is told."""

    name: str
    summary: str
    rate_per_s: float
    duration_s: float
    story: Callable[[Stage], None]
    expect_faults: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    """Servers besides those of the stack."""
    sink_latency_s: float = 0.0
    recovery_limit_s: float = 30.0

    def min_accepted(self, rate_per_s: float, duration_s: float) -> int:
        """Fewer accepted jobs than this prove nothing: half of what the flood offers in its shortest time."""
        return max(1, int(ACCEPTED_SHARE * rate_per_s * duration_s))
