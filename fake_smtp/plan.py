"""The plan: which fault for which mail, as data. Built by the experiment, sent to the sink as JSON.

Knows nothing of the server or of the faults behind the names, and keeps no state:
the same seed and the same mails give the same decisions, whatever the interleaving.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_FIELDS = (
    *("fault", "probability", "count", "attempts"),
    *("key", "recipient", "sender", "attempt", "from_s", "until_s", "phase", "params"),
)


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
    key: str | None = None
    """Pattern (`*`, `?`, `[...]`) for the mail's key; None: any. Likewise the next two."""
    recipient: str | None = None
    sender: str | None = None
    attempt: tuple[int, int] | None = None
    """First and last attempt number that it applies to, as the mail says, else as it was seen."""
    from_s: float | None = None
    """Only from so many seconds after the plan came into force."""
    until_s: float | None = None
    phase: str | None = None
    """Only while the sink was told that this phase is on."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """The fault's own."""

    def to_json(self) -> dict[str, Any]:
        """Return the rule as JSON data, every field spelled out."""
        return {
            "fault": self.fault,
            "probability": self.probability,
            "count": self.count,
            "attempts": self.attempts,
            "key": self.key,
            "recipient": self.recipient,
            "sender": self.sender,
            "attempt": list(self.attempt) if self.attempt else None,
            "from_s": self.from_s,
            "until_s": self.until_s,
            "phase": self.phase,
            "params": dict(self.params),
        }

    @classmethod
    def from_json(cls, data: object, where: str = "rule") -> Rule:
        """Read one rule. Raises PlanError, naming `where`, for anything it does not know."""
        rule = _mapping(data, where, allowed=_FIELDS)
        fault = rule.get("fault")
        if not isinstance(fault, str) or not fault:
            raise PlanError(f"{where}: 'fault' must be the name of a fault, not {fault!r}")
        probability = rule.get("probability", 1.0)
        if isinstance(probability, bool) or not isinstance(probability, int | float):
            raise PlanError(f"{where}: 'probability' must be a number from 0 to 1, not {probability!r}")
        if not 0 <= probability <= 1:
            raise PlanError(f"{where}: 'probability' must be from 0 to 1, not {probability!r}")
        params = rule.get("params", {})
        if not isinstance(params, dict):
            raise PlanError(f"{where}: 'params' must be an object, not {params!r}")
        from_s, until_s = _window(rule.get("from_s"), rule.get("until_s"), where)
        return cls(
            fault,
            float(probability),
            count=_limit(rule.get("count"), f"{where}: 'count'"),
            attempts=_limit(rule.get("attempts"), f"{where}: 'attempts'"),
            key=_text(rule.get("key"), f"{where}: 'key'"),
            recipient=_text(rule.get("recipient"), f"{where}: 'recipient'"),
            sender=_text(rule.get("sender"), f"{where}: 'sender'"),
            attempt=_attempt(rule.get("attempt"), f"{where}: 'attempt'"),
            from_s=from_s,
            until_s=until_s,
            phase=_text(rule.get("phase"), f"{where}: 'phase'"),
            params=params,
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


def _text(value: object, what: str) -> str | None:
    if value is not None and (not isinstance(value, str) or not value):
        raise PlanError(f"{what} must be a text that is not empty, or null for any, not {value!r}")
    return value


def _attempt(value: object, what: str) -> tuple[int, int] | None:
    """Read `n`, `[first, last]` or null."""
    match [value] if isinstance(value, int) else value:
        case None:
            return None
        case [int(first)] if not isinstance(first, bool) and first > 0:
            return first, first
        case [int(first), int(last)] if 0 < first <= last and bool not in (type(first), type(last)):
            return first, last
    raise PlanError(f"{what} must be a whole number from 1 or [first, last], not {value!r}")


def _window(from_s: object, until_s: object, where: str) -> tuple[float | None, float | None]:
    first, last = _seconds(from_s, f"{where}: 'from_s'"), _seconds(until_s, f"{where}: 'until_s'")
    if first is not None and last is not None and first >= last:
        raise PlanError(f"{where}: 'from_s' must be less than 'until_s'")
    return first, last


_LATEST_S = 1e12
"""Seconds; a number that no float holds could not even be compared with the time."""


def _seconds(value: object, what: str) -> float | None:
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= _LATEST_S:  # type: ignore[operator]
        raise PlanError(f"{what} must be seconds since the plan was set, or null, not {value!r}")
    return float(value)  # type: ignore[arg-type]


def _limit(value: object, what: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise PlanError(f"{what} must be a whole number from 1, or null for no limit, not {value!r}")
    return value
