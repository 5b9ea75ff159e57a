"""The plan: which fault for which mail, as data. Built by the experiment, sent to the sink as JSON.

Knows nothing of the server or of the faults behind the names, and keeps no state:
the same seed and the same mails give the same decisions, whatever the interleaving.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class PlanError(ValueError):
    """A plan that cannot be obeyed; the text says which rule, which field and what would be right."""


@dataclass(frozen=True)
class Rule:
    """One fault and when it applies; the first rule of a plan that applies wins."""

    fault: str
    probability: float = 1.0
    count: int | None = None
    """Stop after so many decisions; None: never."""
    attempts: int | None = None
    """Only the first so many times that this mail is seen at the fault's stage; None: always."""
    params: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the rule as JSON data, every field spelled out."""
        return {
            "fault": self.fault,
            "probability": self.probability,
            "count": self.count,
            "attempts": self.attempts,
            "params": dict(self.params),
        }

    @classmethod
    def from_json(cls, data: object, where: str = "rule") -> Rule:
        """Read one rule. Raises PlanError, naming `where`, for anything it does not know."""
        rule = _mapping(data, where, allowed=("fault", "probability", "count", "attempts", "params"))
        fault = rule.get("fault")
        if not isinstance(fault, str) or not fault:
            raise PlanError(f"{where}: 'fault' must be the name of a fault, not {fault!r}")
        probability = rule.get("probability", 1.0)
        if isinstance(probability, bool) or not isinstance(probability, int | float):
            raise PlanError(f"{where}: 'probability' must be a number from 0 to 1, not {probability!r}")
        if not math.isfinite(probability) or not 0 <= probability <= 1:
            raise PlanError(f"{where}: 'probability' must be from 0 to 1, not {probability!r}")
        params = rule.get("params", {})
        if not isinstance(params, dict):
            raise PlanError(f"{where}: 'params' must be an object, not {params!r}")
        return cls(
            fault,
            float(probability),
            _limit(rule.get("count"), f"{where}: 'count'"),
            _limit(rule.get("attempts"), f"{where}: 'attempts'"),
            params,
        )


@dataclass(frozen=True)
class Plan:
    """A seed and ordered rules; no rules: an honest server."""

    seed: int = 0
    rules: tuple[Rule, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON data; `from_json` of it is equal to this plan."""
        return {"seed": self.seed, "rules": [rule.to_json() for rule in self.rules]}

    @classmethod
    def from_json(cls, data: object) -> Plan:
        """Read a plan. Raises PlanError with words for the first thing that is wrong."""
        plan = _mapping(data, "plan", allowed=("seed", "rules"))
        seed = plan.get("seed", 0)
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise PlanError(f"plan: 'seed' must be a whole number, not {seed!r}")
        rules = plan.get("rules", [])
        if not isinstance(rules, list):
            raise PlanError(f"plan: 'rules' must be a list, not {rules!r}")
        return cls(seed, tuple(Rule.from_json(rule, f"rule {n}") for n, rule in enumerate(rules)))


def chance(seed: int, rule_number: int, key: str, attempt: int) -> float:
    """Return a number in [0, 1) that belongs to exactly this decision; below the probability means yes.

    Of a key RUN-NNNNNN only the job's number counts, so that a replay of the same seed in another run hits
    the same jobs.
    """
    key = key.rpartition("-")[2]
    # surrogatepass: an address may hold bytes that are no UTF-8, and must still have a fate.
    name = f"{seed}\0{rule_number}\0{key}\0{attempt}".encode("utf-8", "surrogatepass")
    # 53 bits, what a float holds: 64 could round up to 1.0, and a certain fault would miss.
    return (int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big") >> 11) / 2**53


def _mapping(data: object, where: str, allowed: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise PlanError(f"{where}: must be a JSON object, not {data!r}")
    for name in data:
        if name not in allowed:
            raise PlanError(f"{where}: unknown field {name!r}; known are {', '.join(allowed)}")
    return data


def _limit(value: object, what: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise PlanError(f"{what} must be a whole number from 1, or null for no limit, not {value!r}")
    return value
