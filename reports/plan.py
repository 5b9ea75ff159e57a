"""The plan of a run: all that was decided before it began, and the limits that it is judged by.

Written by the experiment as the first file of a run, read by the judge before any evidence. Never guesses: a
plan that lacks a field is no plan.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

PLAN = "plan.json"
SCHEMA = 1
T = TypeVar("T")
_RUN = re.compile(r"[A-Za-z0-9-]*[A-Za-z0-9]")


class NotARun(Exception):
    """The folder cannot be judged at all: there is no plan that this judge can read."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The scenario's limits; None: no limit is set."""

    min_accepted: int
    drain_limit_s: float | None = None
    recovery_limit_s: float | None = None
    allow_unavoidable: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """`plan.json`, typed; times in seconds, rates per second."""

    run: str
    scenario: str
    seed: int
    rate_per_s: float
    duration_s: float
    delivery: str
    lease_s: float
    receipts: bool
    thresholds: Thresholds
    expect_faults: tuple[str, ...]
    command: tuple[str, ...]
    versions: dict[str, str]
    # What follows was added later: older plans do not have it.
    broker: str = "redis"
    arrivals: str = "constant"
    mix: str = ""
    model: str = "open"
    limits: tuple[str, ...] = ()
    """Thresholds as they were typed, see reports/limits.py."""
    machine: dict[str, str] = field(default_factory=dict)
    revision: str = ""
    """The git revision of what was tested."""


def store_plan(run_dir: Path, plan: Plan) -> None:
    """Write `plan.json`. Raises OSError when it cannot be written."""
    (run_dir / PLAN).write_text(json.dumps({"schema": SCHEMA, **asdict(plan)}, indent=2) + "\n")


def load_plan(run_dir: Path) -> Plan:
    """Read `plan.json` of a run folder. Raises NotARun, in words, when there is none that can be used."""
    path = run_dir / PLAN
    try:
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise NotARun(f"{run_dir} is not a run: {PLAN} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise NotARun(f"{run_dir} is not a run: {PLAN} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise NotARun(f"{run_dir} is not a run: {PLAN} is not a JSON object")
    if data.get("schema") != SCHEMA:
        raise NotARun(f"{path}: schema {data.get('schema')!r} is unknown; this judge reads schema {SCHEMA}")
    try:
        return _plan(data)
    except (KeyError, TypeError, ValueError) as error:
        word = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise NotARun(f"{path}: {word}") from error


LATER: dict[str, Any] = {
    "broker": "redis",
    "arrivals": "constant",
    "mix": "",
    "model": "open",
    "limits": [],
    "machine": {},
    "revision": "",
}
"""What a plan means that was written before these could be chosen."""


def _plan(stored: dict[str, Any]) -> Plan:
    data = LATER | stored
    limits = _get(data, "thresholds", dict)
    run = _get(data, "run", str)
    if not _RUN.fullmatch(run):
        raise ValueError(f"run id {run!r} may only hold letters, digits and inner dashes")
    return Plan(
        run=run,
        scenario=_get(data, "scenario", str),
        seed=_get(data, "seed", int),
        rate_per_s=_number(data, "rate_per_s"),
        duration_s=_number(data, "duration_s"),
        delivery=_get(data, "delivery", str),
        lease_s=_number(data, "lease_s"),
        receipts=_get(data, "receipts", bool),
        thresholds=Thresholds(
            min_accepted=_get(limits, "min_accepted", int),
            drain_limit_s=_limit(limits, "drain_limit_s"),
            recovery_limit_s=_limit(limits, "recovery_limit_s"),
            allow_unavoidable=_get(limits, "allow_unavoidable", bool),
        ),
        expect_faults=tuple(str(kind) for kind in _get(data, "expect_faults", list)),
        command=tuple(str(word) for word in _get(data, "command", list)),
        versions=_texts(data, "versions"),
        broker=_get(data, "broker", str),
        arrivals=_get(data, "arrivals", str),
        mix=_get(data, "mix", str),
        model=_get(data, "model", str),
        limits=tuple(str(limit) for limit in _get(data, "limits", list)),
        machine=_texts(data, "machine"),
        revision=_get(data, "revision", str),
    )


def _get(data: dict[str, Any], name: str, kind: type[T]) -> T:
    value = data[name]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(f"{name!r} is {value!r}, not of type {kind.__name__}")
    return value


def _texts(data: dict[str, Any], name: str) -> dict[str, str]:
    return {str(key): str(text) for key, text in sorted(_get(data, name, dict).items())}


def _number(data: dict[str, Any], name: str) -> float:
    value = data[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1e12:
        raise TypeError(f"{name!r} is {value!r}, not a number of 0 or more")
    return float(value)


def _limit(data: dict[str, Any], name: str) -> float | None:
    return None if data[name] is None else _number(data, name)
