"""What a fault is: something that is injected, shows that it bit, is healed, and is read back.

The stage (chaos/stage.py) walks every fault through these steps and writes the evidence; a fault only acts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class Fault(ABC):
    """One fault, used once. `name` is unique in its run, `kind` is what a scenario expects to have bitten."""

    kind: str
    heal_limit_s: float = 8.0

    def __init__(self, name: str) -> None:
        self.name = name

    def undo_entry(self) -> tuple[str, dict[str, Any]] | None:
        """The journal entry that takes this fault back from another process; None: nothing stays behind."""
        return None

    @abstractmethod
    def inject(self) -> str:
        """Break it; returns in words what was done. Raises HarnessError when it could not."""

    @abstractmethod
    def bite(self) -> str | None:
        """Proof in words that the fault had an effect, or None as long as there is none."""

    def heal(self) -> None:  # noqa: B027 - a named no-op: many faults end by themselves
        """Ask for the end of the fault. May fail or hang only within its own time limit."""

    @abstractmethod
    def healed(self) -> str | None:
        """Proof in words, read back, that the fault is over, or None as long as it is not."""

    def force(self) -> None:
        """The harder way to end the fault, when `heal` did not; by default `heal` again."""
        self.heal()
