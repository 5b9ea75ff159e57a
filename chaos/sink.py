"""The sink's control API, as the harness uses it: directly, never through a proxy."""

from __future__ import annotations

from typing import Any

import requests

from fake_smtp.plan import Rule

LIMIT_S = 3.0


class Sink:
    """A client of one sink. `control` is its base address."""

    def __init__(self, control: str) -> None:
        self.control = control
        self._session = requests.Session()
        # The harness talks to loopback; a proxy from the environment must not get in between.
        self._session.trust_env = False

    def alive(self) -> bool:
        """True when it answers."""
        try:
            return bool(self._session.get(f"{self.control}/health", timeout=LIMIT_S).ok)
        except requests.RequestException:
            return False

    def counters(self) -> dict[str, Any]:
        """Its counters; raises requests.RequestException when it does not answer."""
        return self._json("GET", "/counters")

    def fault_count(self, fault: str) -> int:
        """How often it applied a fault since it started."""
        return int(self.counters()["faults"].get(fault, 0))

    def rules(self) -> list[dict[str, Any]]:
        """The rules in force."""
        return list(self._json("GET", "/plan").get("rules", []))

    def put_plan(self, seed: int, rules: list[Rule]) -> None:
        """Put rules in force, instead of those before."""
        self._json("PUT", "/plan", {"seed": seed, "rules": [rule.to_json() for rule in rules]})

    def clear_plan(self) -> None:
        """Back to a sound server."""
        self._json("DELETE", "/plan")

    def _json(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        answer = self._session.request(method, f"{self.control}{path}", json=body, timeout=LIMIT_S)
        answer.raise_for_status()
        return dict(answer.json()) if answer.content else {}
