"""Who breaks and heals for the page: the harness that started the system, or else the sink alone.

Chosen by the options. Both speak the same to the page; what one of them cannot do it says in words.
"""

from __future__ import annotations

from typing import Any, Protocol
from urllib.parse import quote

from loadtests.tab.remote import Remote, RemoteError

HEAL_LIMIT_S = 90.0
"""The harness reads back that a killed server serves again."""

IDLE: dict[str, Any] = {
    "running": None,
    "watching": None,
    "trouble": "",
    "faults": [],
    "notes": [],
}


class Breaker(Protocol):
    """Every call may raise RemoteError, with words for the page."""

    def state(self) -> dict[str, Any]:
        """What goes on, and every fault with its clocks: the keys of `IDLE`."""

    def catalogue(self) -> dict[str, Any]:
        """What can be started: `scenarios` and `faults`, and `why_not` for what cannot."""

    def scenario(self, name: str) -> dict[str, Any]:
        """Start a scenario."""

    def fault(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        """Start a single fault."""

    def heal(self, *, load_ended: bool = False) -> dict[str, Any]:
        """Heal everything now, and say what was healed."""


class Harness:
    """Through the control API of `python -m chaos up`."""

    def __init__(self, address: str) -> None:
        self._remote = Remote(address, "the harness")

    def state(self) -> dict[str, Any]:
        """What it says, without its addresses: they hold passwords, and the page may be seen by many."""
        found = self._remote.get("/state")
        return {name: found.get(name, IDLE[name]) for name in IDLE}

    def catalogue(self) -> dict[str, Any]:
        """All that it offers."""
        return {"why_not": "", **self._remote.get("/catalogue")}

    def scenario(self, name: str) -> dict[str, Any]:
        """Have it tell a story."""
        return self._remote.send("POST", f"/scenarios/{quote(name, safe='')}")

    def fault(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        """Have it walk a fault through its life."""
        return self._remote.send("POST", f"/faults/{quote(name, safe='')}", given)

    def heal(self, *, load_ended: bool = False) -> dict[str, Any]:
        """Have it heal, and wait until it has read that back."""
        return self._remote.send("POST", "/heal", {"load_ended": load_ended}, HEAL_LIMIT_S)


class Nobody:
    """Neither harness nor sink is known."""

    def state(self) -> dict[str, Any]:
        """Nothing goes on."""
        return dict(IDLE)

    def catalogue(self) -> dict[str, Any]:
        """Nothing is offered."""
        words = "give --chaos (the control API of `python -m chaos up`), or --sink for SMTP faults"
        return {"scenarios": [], "faults": [], "why_not": words}

    def scenario(self, name: str) -> dict[str, Any]:
        """Say what is missing."""
        raise RemoteError(f"{name}: {self.catalogue()['why_not']}", 409)

    def fault(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        """Say what is missing."""
        return self.scenario(name)

    def heal(self, *, load_ended: bool = False) -> dict[str, Any]:
        """Nothing was broken from here."""
        return {"healed": [], "stopped": None, "found_broken": []}
