"""Kill processes with SIGKILL: a whole group at once, or one child of a pool.

The supervisor of the stack restarts what died; healed means that it serves again at full strength.
"""

from __future__ import annotations

import os
import random
import signal

import psutil

from chaos.errors import HarnessError
from chaos.faults.base import Fault
from chaos.observe import Events
from chaos.stack.process import Managed


class KillGroup(Fault):
    """SIGKILL one or more servers with all their children, as an OOM killer or a power cut would."""

    kind = "kill-group"
    heal_limit_s = 30.0  # nothing to ask for: the supervisor restarts it, and a Celery worker takes seconds

    def __init__(self, name: str, targets: list[Managed]) -> None:
        super().__init__(name)
        self._targets = targets
        self._strength: dict[str, int] = {}
        self._victims: list[psutil.Process] = []

    def inject(self) -> str:
        """Kill every target's process group."""
        for target in self._targets:
            target.await_ready()  # it may have died by itself a moment ago
            self._strength[target.spec.name] = len(target.children())
            self._victims += [psutil.Process(target.pid), *target.children()]
        pids = {target.spec.name: target.kill() for target in self._targets}
        return "SIGKILL to " + ", ".join(f"{name} {pids}" for name, pids in pids.items())

    def bite(self) -> str | None:
        """All of the killed pids are gone."""
        if any(_lives(victim) for victim in self._victims):
            return None
        return f"{len(self._victims)} processes ended by SIGKILL"

    def healed(self) -> str | None:
        """Restarted, serving, and with as many children as before."""
        for target in self._targets:
            if not target.running or len(target.children()) < self._strength[target.spec.name]:
                return None
            if not target.spec.ready():
                return None
        return "restarted and ready: " + ", ".join(f"{t.spec.name} pid {t.pid}" for t in self._targets)


class KillChild(Fault):
    """SIGKILL one child of a worker's pool; the main process stays and must replace it."""

    kind = "kill-child"
    heal_limit_s = 30.0

    def __init__(self, name: str, target: Managed, rng: random.Random, events: Events) -> None:
        super().__init__(name)
        self._target = target
        self._rng = rng
        self._events = events
        self._strength = 0
        self._victim: psutil.Process | None = None

    def inject(self) -> str:
        """Kill one child, chosen by the run's seed."""
        self._target.await_ready()
        children = sorted(self._target.children(), key=lambda child: int(child.pid))
        if not children:
            raise HarnessError(f"{self._target.spec.name} has no pool child to kill")
        self._strength = len(children)
        self._victim = self._rng.choice(children)
        name = self._target.spec.name
        self._events.append(
            "process", name=f"{name} child", process_pid=self._victim.pid, what="killed", children=[]
        )
        os.kill(self._victim.pid, signal.SIGKILL)
        return f"SIGKILL to pool child {self._victim.pid} of {name}"

    def bite(self) -> str | None:
        """The killed pid is gone."""
        if self._victim is None or _lives(self._victim):
            return None
        return f"pool child {self._victim.pid} ended by SIGKILL"

    def healed(self) -> str | None:
        """The pool is at its old strength again."""
        now = len(self._target.children())
        return f"the pool has {now} children again" if now >= self._strength else None


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
