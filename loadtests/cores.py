"""Which core was full: how much of one this process used, and how busy each core of the machine was.

Kept by the flood, and asked when jobs were late. Never changes anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

# Above this there is nothing left for more load; the rest goes to the system call, the hub and the kernel.
FULL = 0.85


@dataclass(frozen=True)
class Sample:
    """What was used since the sample before: `own` of one core (1.0: all of it), and of each core."""

    own: float
    cores: tuple[float, ...]

    @property
    def busiest(self) -> float:
        """The share of the busiest core."""
        return max(self.cores, default=0.0)

    def words(self) -> str:
        """Say what kept the load back, and what to do."""
        if self.own >= FULL:
            return f"this load process filled its core ({self.own:.0%}); use --processes or a lower rate"
        if self.busiest >= FULL:
            core = self.cores.index(self.busiest)
            return (
                f"core {core} was full ({self.busiest:.0%}) with other work, and this load process had"
                f" {self.own:.0%} of a core; give the load a machine of its own, or a lower rate"
            )
        return (
            f"no core was full (the busiest: {self.busiest:.0%}; this load process: {self.own:.0%});"
            " it was stopped, or its machine was"
        )


def _of_machine() -> list[tuple[float, float]]:
    """Idle and all seconds of each core; psutil's `cpu_percent` would keep its state by greenlet."""
    cores = psutil.cpu_times(percpu=True)
    return [(core.idle + getattr(core, "iowait", 0.0), sum(core[:8])) for core in cores]


class Cores:
    """Keeps the sample of the time in which the lateness last grew: that one explains it."""

    def __init__(
        self,
        own_s: Callable[[], float] = time.process_time,
        wall_s: Callable[[], float] = time.monotonic,
        machine: Callable[[], list[tuple[float, float]]] = _of_machine,
    ) -> None:
        self._own_s, self._wall_s, self._machine = own_s, wall_s, machine
        self._before = own_s(), wall_s(), machine()
        self._latest_s = -1.0
        self.telling = Sample(0.0, ())

    def look(self, max_late_s: float) -> None:
        """Take a sample; `max_late_s` is the largest lateness so far, in seconds."""
        before = self._before
        self._before = own_s, wall_s, machine = self._own_s(), self._wall_s(), self._machine()
        if max_late_s > self._latest_s:
            self._latest_s = max_late_s
            own = (own_s - before[0]) / max(wall_s - before[1], 1e-9)
            self.telling = Sample(own, tuple(map(_busy, before[2], machine)))


def _busy(before: tuple[float, float], after: tuple[float, float]) -> float:
    idle_s, all_s = after[0] - before[0], after[1] - before[1]
    return min(1.0, max(0.0, 1.0 - idle_s / all_s)) if all_s > 0 else 0.0
