"""CPU seconds that some processes have used, as exactly as the system tells.

Called before and after every slot. Linux has a clock per process that counts nanoseconds, threads that ended
included; elsewhere psutil's figures (10 ms steps) must do.
"""

from __future__ import annotations

import sys
import time

import psutil

from chaos.stack.process import Managed


def processes(parts: dict[str, Managed]) -> dict[int, str]:
    """Every process of these parts, with the part's name. Raises HarnessError when one does not run."""
    found = {}
    for name, managed in parts.items():
        part = name.partition("-")[0]
        found[managed.pid] = part
        found |= {child.pid: part for child in managed.children()}
    return found


def used_s(pids: dict[int, str]) -> dict[str, float]:
    """CPU seconds by part since its processes began; raises ProcessLookupError when one is gone."""
    total: dict[str, float] = {}
    for pid, part in pids.items():
        total[part] = total.get(part, 0.0) + _used_s(pid)
    return total


def _used_s(pid: int) -> float:
    try:
        if sys.platform == "linux":
            return time.clock_gettime((~pid << 3) | 2)  # what clock_getcpuclockid(3) makes of a pid
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)
    except (OSError, psutil.Error) as error:
        raise ProcessLookupError(f"process {pid} ended in the middle of a slot") from error
