"""Are two plans alike enough to compare their runs? What was tested may differ, how it was tested may not.

Used by `compare`. Names every difference, so that nobody has to guess.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from reports.plan import Plan

MUST_AGREE = (
    "scenario",
    "rate_per_s",
    "duration_s",
    "delivery",
    "broker",
    "lease_s",
    "receipts",
    "arrivals",
    "mix",
    "model",
    "expect_faults",
    "limits",
)


def differences(base: Plan, head: Plan) -> list[str]:
    """Every way in which the two were tested unlike, in words; empty: alike."""
    found = [
        _said(name, getattr(base, name), getattr(head, name))
        for name in MUST_AGREE
        if getattr(base, name) != getattr(head, name)
    ]
    ours, theirs = asdict(base.thresholds), asdict(head.thresholds)
    found += [_said(name, ours[name], theirs[name]) for name in ours if ours[name] != theirs[name]]
    if not base.machine or not head.machine:
        return [*found, "machine: not on record in both (older runs do not say)"]
    for name in sorted({*base.machine, *head.machine}):
        one, other = base.machine.get(name, "?"), head.machine.get(name, "?")
        if one != other:
            found.append(f"machine, {name}: {one} and {other}")
    return found


def remarks(base: Plan, head: Plan) -> list[str]:
    """What may differ, and a reader should know of."""
    found = [] if base.seed == head.seed else [f"the seeds differ: {base.seed} and {head.seed}"]
    for name in sorted({*base.versions, *head.versions}):
        one, other = base.versions.get(name, "none"), head.versions.get(name, "none")
        if one != other:
            found.append(f"{name}: {one} and {other}")
    return found


def _said(name: str, one: Any, other: Any) -> str:
    return f"{name.replace('_', ' ')}: {one} and {other}"
