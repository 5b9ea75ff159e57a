"""What is broken right now, and the clocks of every fault so far, for whoever watches a run while it goes on.

Fed with the records of events.jsonl as they are written; read by the control API and by /metrics. Never
decides anything: the verdict comes from the file.
"""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass
from typing import Any

from chaos.sofar import SoFar

STEPS = {"inject": "inject_s", "bite": "bite_s", "heal": "heal_s", "healed": "healed_s"}


@dataclass
class Clocks:
    """One fault; times in seconds since 1970, None: not yet."""

    fault: str
    kind: str = ""
    detail: str = ""
    proof: str = ""
    inject_s: float | None = None
    bite_s: float | None = None
    heal_s: float | None = None
    healed_s: float | None = None
    recovered_s: float | None = None
    recovery_s: float | None = None
    not_recovered: bool = False

    @property
    def active(self) -> bool:
        """Injected, and not yet read back as healed."""
        return self.inject_s is not None and self.healed_s is None


class Live:
    """The faults of one run, in order of injection. Safe to read from other threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: dict[str, Clocks] = {}
        self._notes: list[tuple[float, str]] = []
        self._phase = ""
        self.so_far = SoFar()

    def see(self, event: str, fields: dict[str, Any]) -> None:
        """Take one record of events.jsonl, at the moment it is written."""
        now = time.time()
        with self._lock:
            if event == "phase":
                self._phase = str(fields["name"])
            elif event == "note":
                self._notes = [*self._notes[-19:], (now, str(fields["text"]))]
            elif "fault" in fields:
                self._step(event, fields, now)

    def _step(self, event: str, fields: dict[str, Any], now: float) -> None:
        name = str(fields["fault"])
        clocks = self._faults.setdefault(name, Clocks(name))
        if event in STEPS:
            setattr(clocks, STEPS[event], now)
        if event == "inject":
            clocks.kind, clocks.detail = str(fields["kind"]), str(fields["detail"])
        elif event == "bite":
            clocks.proof = str(fields["proof"])
        elif event == "recovered":
            clocks.recovered_s, clocks.recovery_s = now, float(fields["after_s"])
        elif event == "not_recovered":
            clocks.not_recovered = True

    @property
    def phase(self) -> str:
        """The phase that the run is in."""
        return self._phase

    def active(self) -> list[str]:
        """Names of the faults that are on now."""
        with self._lock:
            return [clocks.fault for clocks in self._faults.values() if clocks.active]

    def healed(self) -> set[str]:
        """Names of the faults that were on and are not any more."""
        with self._lock:
            return {
                clocks.fault
                for clocks in self._faults.values()
                if clocks.inject_s is not None and not clocks.active
            }

    def was_felt(self, fault: str) -> bool:
        """Whether it was injected and is healed again: one that never came needs no recovery."""
        return fault in self.healed()

    def faults(self) -> list[dict[str, Any]]:
        """Every fault with its clocks, as plain data."""
        with self._lock:
            return [asdict(clocks) | {"active": clocks.active} for clocks in self._faults.values()]

    def notes(self) -> list[tuple[float, str]]:
        """The last notes, each with its time (s since 1970)."""
        with self._lock:
            return list(self._notes)
