"""Which processes belong to a run: those with its id in their environment.

A pid in a file can be reused and misses the children; what is inherited cannot and does not. A server that
changes its title (Redis does) writes over its environment: such a one is known by the folder it works in.
Used to end whatever a run left, also after the harness itself was killed with -9.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil

VARIABLE = "MAILSTORM_RUN"


def processes_of(run: str, work: Path) -> list[psutil.Process]:
    """Every live process of the run, whose servers work below `work`; this process is never one."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and _alive(process) and _marked(process, run, work):
                found.append(process)
        except (psutil.Error, OSError):
            continue  # somebody else's, or gone meanwhile
    return found


def end_all(run: str, work: Path, grace_s: float = 0.0, limit_s: float = 10.0) -> list[int]:
    """End every process of the run: SIGTERM and `grace_s` of patience, then SIGKILL.

    Returns the pids that are still there after `limit_s`, which a caller must treat as a failed undo.
    """
    deadline = time.monotonic() + limit_s
    if grace_s:
        for process in processes_of(run, work):
            _signal(process, force=False)
        psutil.wait_procs(processes_of(run, work), timeout=grace_s)
    while (left := processes_of(run, work)) and time.monotonic() < deadline:
        for process in left:
            _signal(process, force=True)
        psutil.wait_procs(left, timeout=0.5)
    return [process.pid for process in left]


def _marked(process: psutil.Process, run: str, work: Path) -> bool:
    environment = process.environ()
    if "PATH" in environment:
        return bool(environment.get(VARIABLE) == run)
    # Written over. Only then does the folder decide: a person's shell may stand in it, too.
    return Path(process.cwd()).is_relative_to(work)


def _signal(process: psutil.Process, *, force: bool) -> None:
    try:
        if force:
            process.kill()
        else:
            process.terminate()
    except psutil.NoSuchProcess:
        pass


def _alive(process: psutil.Process) -> bool:
    return bool(process.status() != psutil.STATUS_ZOMBIE)
