"""The checks over the experiment itself: did each fault bite, did the system recover, did it come to rest.

Called through the registry. A fault without proof of its effect proves nothing about the system.
"""

from __future__ import annotations

from reports.checks.base import CheckResult, conclude, failed, passed, plural, unknown
from reports.evidence import EVENTS
from reports.history import History
from reports.records import Fault

KILLS_WORKERS = frozenset({"kill-group", "kill-child"})


def bite(history: History) -> CheckResult:
    """Each expected kind was injected, each fault had an effect and an end, and some kill hit a mail."""
    kinds = {fault.kind for fault in history.faults.values() if fault.inject_ns is not None}
    never = sorted(set(history.plan.expect_faults) - {kind for kind in kinds if kind})
    words = [f"no fault of kind {kind} was injected" for kind in never]
    toothless = sorted(fault.name for fault in history.faults.values() if fault.bite_ns is None)
    words += [f"{name} has no proof of an effect" for name in toothless]
    unhealed = sorted(
        fault.name
        for fault in history.faults.values()
        if fault.healed_ns is None or not fault.read_back.strip()
    )
    words += [f"the end of {name} was not read back" for name in unhealed]
    if kinds.intersection(history.plan.expect_faults) & KILLS_WORKERS and _all_idle(history):
        words.append("every kill found the workers idle: no job was in flight")
    details = {"not injected": never, "without effect": toothless, "end not read back": unhealed}
    if words:
        return CheckResult("bite", "unknown", len(words), (), "; ".join(words[:3]), details)
    clear = f"{plural(len(history.faults), 'fault')} had a proven effect and a proven end"
    clear = clear if history.faults else "no fault was planned, none was injected"
    return conclude("bite", (), "", clear, to_acquit=history.missing(EVENTS))


def _all_idle(history: History) -> bool:
    """The ledger tells of leases (it can say who held what), and no kill interrupted one."""
    return history.leases > 0 and not any(kill.in_flight or kill.chores for kill in history.kills)


def recovery(history: History) -> CheckResult:
    """After each fault the system got back to its former speed within the limit."""
    limit = history.plan.thresholds.recovery_limit_s
    late, open_questions = [], []
    for name, fault in sorted(history.faults.items()):
        why = _shortcoming(fault, limit)
        if why and limit is not None and (fault.not_recovered or fault.recovery_s is not None):
            late.append(f"{name} {why}")
        elif why:
            open_questions.append(f"{name} {why}")
    times = [fault.recovery_s for fault in history.faults.values() if fault.recovery_s is not None]
    details = {"limit_s": limit, "max_s": max(times, default=None)}
    if late:
        return CheckResult("recovery", "fail", len(late), (), "; ".join(late[:3]), details)
    if open_questions:
        return CheckResult(
            "recovery", "unknown", len(open_questions), (), "; ".join(open_questions[:3]), details
        )
    if not history.faults:
        return conclude(
            "recovery", (), "", "there was no fault to recover from", to_acquit=history.missing(EVENTS)
        )
    clear = f"recovered from {plural(len(history.faults), 'fault')}, at worst in {max(times):.1f} s"
    return conclude("recovery", (), "", clear, to_acquit=history.missing(EVENTS), details=details)


def _shortcoming(fault: Fault, limit: float | None) -> str:
    if fault.recovery_s is not None:
        slow = limit is not None and fault.recovery_s > limit
        return f"took {fault.recovery_s:.1f} s to recover from (limit {limit:g} s)" if slow else ""
    if fault.not_recovered:
        return f"did not recover within {fault.waited_s or 0:.1f} s"
    return "has no record of a recovery"


def drained(history: History) -> CheckResult:
    """The whole system came to rest, in time."""
    drain, limit = history.drain, history.plan.thresholds.drain_limit_s
    if drain is None:
        return unknown("drained", "the run ended before anybody looked whether the system was at rest")
    details = {"after_s": drain.after_s, "limit_s": limit, "detail": drain.detail, "seen": drain.seen}
    if not drain.seen:
        words = f"could not be seen after {drain.after_s:g} s whether the system was at rest: {drain.detail}"
        return unknown("drained", words, (), details)
    if limit is not None and (drain.after_s > limit or (not drain.quiet and drain.after_s + 1.0 >= limit)):
        moved = f": {drain.detail}" if drain.detail and not drain.quiet else ""
        return failed("drained", f"not at rest within {limit:g} s{moved}", (), details)
    if not drain.quiet:
        return unknown("drained", f"not at rest after {drain.after_s:g} s: {drain.detail}", (), details)
    if missing := history.missing(EVENTS):
        return unknown("drained", f"cannot be decided: {missing[0]}", (), details)
    return passed("drained", f"at rest after {drain.after_s:g} s", (), details)
