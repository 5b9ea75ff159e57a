"""The sink's control API, as the harness uses it: directly, never through a proxy."""

from __future__ import annotations

from typing import Any

from chaos import http
from fake_smtp.plan import Plan, Rule

LIMIT_S = 3.0


class Sink:
    """A client of one sink; every call raises requests.RequestException when the sink does not answer."""

    def __init__(self, control: str) -> None:
        """`control` is the base address of the control API."""
        self.control = control

    def alive(self) -> bool:
        """True when it answers."""
        return http.answers(f"{self.control}/health", LIMIT_S)

    def counters(self) -> dict[str, Any]:
        """What it counted since it started."""
        return http.get_json(f"{self.control}/counters", LIMIT_S)

    def fault_count(self, fault: str) -> int:
        """How often it applied a fault since it started."""
        return int(self.counters()["faults"].get(fault, 0))

    def rules(self) -> list[dict[str, Any]]:
        """The rules in force."""
        return list(http.get_json(f"{self.control}/plan", LIMIT_S)["rules"])

    def put_plan(self, seed: int, rule: Rule) -> None:
        """Put one rule in force, instead of those before."""
        http.request("PUT", f"{self.control}/plan", LIMIT_S, Plan(seed, (rule,)).to_json()).raise_for_status()

    def clear_plan(self) -> None:
        """Back to a sound server."""
        http.request("DELETE", f"{self.control}/plan", LIMIT_S).raise_for_status()
