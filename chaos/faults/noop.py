"""A fault that does nothing: the template to copy, and an ordinary case where a test needs a fault.

It never bites, so a run that expects it to is unknown.
"""

from __future__ import annotations

from chaos.faults.base import Fault


class Noop(Fault):
    """Nothing is injected."""

    kind = "noop"

    def inject(self) -> str:
        """Do nothing."""
        return "nothing"

    def bite(self) -> str | None:
        """Nothing never has an effect."""
        return None

    def healed(self) -> str | None:
        """Nothing is always over."""
        return "nothing was injected"
