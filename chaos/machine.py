"""What this machine is, in words: two runs are only compared when they say the same.

Called when a plan is made and by `regress`. Never names the machine or its user.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

import psutil

CPUINFO = Path("/proc/cpuinfo")
GIB = 1024**3


def machine() -> dict[str, str]:
    """Processor, cores that this process may use, memory, kernel and architecture."""
    return {
        "cpu": _cpu(),
        "cores": str(_cores()),
        "memory": f"{psutil.virtual_memory().total / GIB:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
    }


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu() -> str:
    """The processor's own name; macOS and Windows have it in `platform`."""
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
    return names[0] if names else platform.processor() or "unknown"
