"""One server as a plain process, and the supervisor that restarts what dies, as systemd would.

Used by the local stack only. Knows nothing of faults: a kill is noticed here like any other death.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from chaos.errors import HarnessError
from loadtests.launch import stop as end_group

RESTART_DELAY_S = 0.3
DEAD_LIMIT_S = 2.0
POLL_S = 0.05
INHERITED = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH")


def clean_environment() -> dict[str, str]:
    """What a server inherits: a setting left in a shell must not change a system unseen by its plan."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return inherited | {"PYTHONUNBUFFERED": "1"}


@dataclass(frozen=True)
class Spec:
    """How to start one server and how to tell that it serves."""

    name: str
    argv: list[str]
    env: Mapping[str, str]
    cwd: Path
    log: Path
    ready: Callable[[], bool]
    ready_limit_s: float = 30.0
    stop_grace_s: float = 8.0
    """Patience with its end; 0: it is killed at once, because nothing that it would still do is of use."""


class Managed:
    """A server that is meant to run: started, watched, restarted, ended."""

    def __init__(self, spec: Spec, on_event: Callable[..., None]) -> None:
        self.spec = spec
        self.wanted = False
        self.restarts = 0
        self._ended = True
        self._event = on_event
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    @property
    def pid(self) -> int:
        """The pid of the main process and of its group; raises HarnessError when it is not running."""
        process = self._process
        if process is None or process.poll() is not None:
            raise HarnessError(f"{self.spec.name} is not running")
        return process.pid

    @property
    def running(self) -> bool:
        """True while the main process lives."""
        return self._process is not None and self._process.poll() is None

    def children(self) -> list[psutil.Process]:
        """Its live child processes; empty when it is not running."""
        try:
            found = psutil.Process(self.pid).children(recursive=True)
            return [child for child in found if child.status() != psutil.STATUS_ZOMBIE]
        except (HarnessError, psutil.NoSuchProcess):
            return []

    def start(self) -> None:
        """Start it, without waiting until it serves."""
        with self._lock:
            self._spawn()

    def _spawn(self) -> None:
        with self.spec.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.spec.argv,
                env=dict(self.spec.env),
                cwd=self.spec.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Its own session: Ctrl-C in the terminal is for the harness alone, and a kill hits all.
                start_new_session=True,
            )
        self.wanted, self._ended = True, False
        self._event("process", name=self.spec.name, process_pid=self._process.pid, what="started")

    def await_ready(self) -> None:
        """Wait until it serves; raises HarnessError with the end of its log when it does not."""
        last_alive = time.monotonic()
        deadline = last_alive + self.spec.ready_limit_s
        while (now := time.monotonic()) < deadline:
            if self.running and self.spec.ready():
                return
            last_alive = now if self.running else last_alive
            if now - last_alive > DEAD_LIMIT_S:
                break  # dead, and nobody has restarted it
            time.sleep(POLL_S)
        raise HarnessError(
            f"{self.spec.name} did not come up; the end of {self.spec.log}:\n{self._log_tail()}"
        )

    def kill(self) -> list[int]:
        """SIGKILL the whole process group, as an OOM killer or a power cut would. Returns the pids hit."""
        pid, children = self.pid, [child.pid for child in self.children()]
        self._event("process", name=self.spec.name, process_pid=pid, what="killed", children=children)
        os.killpg(pid, signal.SIGKILL)
        return [pid, *children]

    def stop(self) -> None:
        """End it for good: SIGTERM, patience, then SIGKILL for whatever of the group is left."""
        with self._lock:
            self.wanted = False
            process = self._process
        if process is None or self._ended:
            return
        self._ended = True
        status = end_group(process, self.spec.stop_grace_s)
        if status == -signal.SIGKILL and self.spec.stop_grace_s:
            limit = f"{self.spec.stop_grace_s:g} s"
            self._event("note", text=f"{self.spec.name} did not stop within {limit}: killed")
        self._event("process", name=self.spec.name, process_pid=process.pid, what="exited", status=status)

    def revive(self) -> None:
        """Start it again when it died although it is wanted; called by the supervisor."""
        with self._lock:  # together: somebody may be starting it again by hand
            process, wanted = self._process, self.wanted
        if process is None or not wanted or process.poll() is None:
            return
        self._event(
            "process", name=self.spec.name, process_pid=process.pid, what="exited", status=process.returncode
        )
        time.sleep(RESTART_DELAY_S)
        with self._lock:
            if self.wanted and self._process is process:
                self.restarts += 1
                self._spawn()

    def _log_tail(self, lines: int = 15) -> str:
        try:
            return "\n".join(self.spec.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return "(no log)"


class Supervisor(threading.Thread):
    """Restarts every managed process that dies while it is wanted."""

    def __init__(self, managed: list[Managed]) -> None:
        super().__init__(name="supervisor", daemon=True)
        self._managed = managed
        self._ended = threading.Event()

    def run(self) -> None:
        """Look at every process, again and again, until `end`."""
        while not self._ended.wait(POLL_S):
            for managed in self._managed:
                managed.revive()

    def end(self) -> None:
        """Restart nothing any more."""
        self._ended.set()
        self.join()
