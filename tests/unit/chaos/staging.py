"""Stand-ins for what a stage acts on: faults on command, and an observer whose flow a test decides."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from chaos.control.live_stage import LiveStage
from chaos.control.watching import NoRecords
from chaos.faults.base import Fault
from chaos.journal import Journal
from chaos.observe import Events, Observer
from chaos.progress import Progress
from chaos.stack.options import StackOptions
from reports.evidence import read


class Flow(Observer):
    """Mail flows at `rate` per second, as long as the test says so."""

    def __init__(self, rate: float = 50.0) -> None:
        sink: Any = None
        super().__init__(NoRecords(), {}, sink, sink)
        self.rate = rate
        self.back = True

    @property
    def stored(self) -> int:
        return 1 if self.rate else 0

    def stored_in_last(self, window_s: float) -> int:
        return int(self.rate * window_s)

    def mark_steady(self, since_mono_s: float) -> None:
        self.steady_rate_per_s = self.rate

    def recovered_since(self, healed_mono_s: float) -> bool:
        return self.back


class Scripted(Fault):
    """Bites and heals when told to."""

    kind = "scripted"
    heal_limit_s = 0.2

    def __init__(self, name: str = "scripted-1", bites: bool = True, heals: bool = True) -> None:
        super().__init__(name)
        self.bites, self.heals = bites, heals
        self.on = threading.Event()

    def undo_entry(self) -> tuple[str, dict[str, Any]]:
        return "scripted", {"name": self.name}

    def inject(self) -> str:
        self.on.set()
        return "on"

    def bite(self) -> str | None:
        return "it bit" if self.bites else None

    def heal(self) -> None:
        if self.heals:
            self.on.clear()

    def healed(self) -> str | None:
        return None if self.on.is_set() else "off"


class World:
    """A live stage with nothing behind it."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal(folder / "state", "t")
        self._path = folder / "events.jsonl"
        self.events = Events(self._path, "t", "chaos")
        self.said: list[str] = []
        self.flow = Flow()
        self.plan_rules: list[str] = []
        sink = SimpleNamespace(rules=lambda: self.plan_rules, clear_plan=self.plan_rules.clear)
        self.stack: Any = SimpleNamespace(
            run="t", options=StackOptions(), sink=sink, network=None, workers=[], for_people=dict
        )
        progress = Progress("t", Console(quiet=True), figures=False)
        self.stage = LiveStage(self.stack, self.flow, self.events, self.journal, progress)

    @property
    def seen(self) -> list[str]:
        """What happened to the faults, in order."""
        return [record["event"] for record in read(self._path).records]

    @property
    def open_undos(self) -> int:
        """How many entries of the journal wait to be undone."""
        lines = [json.loads(line)["op"] for line in self.journal.path.read_text().splitlines()]
        return lines.count("will") - lines.count("done")

    def act(self, fault: Fault, hold_s: float = 0.0) -> Callable[[LiveStage], None]:
        """A single fault, as the director is given it."""
        return lambda stage: stage.single(lambda: stage.run(fault, hold_s))
