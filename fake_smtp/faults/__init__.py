"""The registry of faults: one small file each, known by its name in plans, metrics and evidence.

Asked by the decider to turn a rule into a fault. To add one, copy `noop.py` and list it here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fake_smtp.faults.auth_reject import AuthReject
from fake_smtp.faults.base import Answer, Fault
from fake_smtp.faults.drop_after_dot import DropAfterDot
from fake_smtp.faults.noop import Noop
from fake_smtp.faults.tempfail import Tempfail
from fake_smtp.plan import PlanError

__all__ = ["FAULTS", "Answer", "Fault", "make"]

FAULTS: dict[str, type[Fault]] = {fault.name: fault for fault in (Noop, AuthReject, DropAfterDot, Tempfail)}


def make(name: str, params: Mapping[str, Any]) -> Fault:
    """Build the fault of that name. Raises PlanError for an unknown name or unusable params."""
    if name not in FAULTS:
        raise PlanError(f"unknown fault {name!r}; known are {', '.join(sorted(FAULTS))}")
    return FAULTS[name](params)
