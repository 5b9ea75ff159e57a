"""lease_recovery: a mail in flight on a killed worker is delivered within the lease plus 3 seconds.

While a killed process is not back there may be nobody to lease: then the 3 seconds count from its return.

Called through the registry, and by the report for its table of kills. Only the policy `ledger` promises this.
"""

from __future__ import annotations

from dataclasses import dataclass

from reports.checks.base import CheckResult, Status, conclude, plural, unknown
from reports.evidence import DELIVERIES, EVENTS, LEDGER
from reports.history import History
from reports.records import Fault, Kill

GRACE_S = 3.0
PROCESS_FAULTS = frozenset({"kill-group", "kill-child", "kill-redis"})


@dataclass(frozen=True, slots=True)
class InFlight:
    """One key that a killed worker held; seconds from the kill until it was stored or held again."""

    key: str
    stored_before: bool
    stored_s: float | None
    leased_again_s: float | None

    @property
    def waited_s(self) -> float | None:
        """How long the kill held the key up; None: for ever."""
        return self.leased_again_s if self.leased_again_s is not None else self.stored_s


def in_flight(history: History, kill: Kill) -> list[InFlight]:
    """Return the keys that a kill interrupted, in order."""
    return [_follow(history, kill, key) for key in sorted(kill.in_flight)]


def _follow(history: History, kill: Kill, key: str) -> InFlight:
    first = history.jobs[key].first_stored_ns
    stored_s = (first - kill.at_ns) / 1e9 if first else None
    # A later kill may hit the same mail: then this kill's share of the wait ends with that lease.
    later = [one.in_flight[key] for one in history.kills if one.at_ns > kill.at_ns and key in one.in_flight]
    again = (min(later) - kill.wall_ms) / 1e3 if later else None
    return InFlight(key, stored_s is not None and stored_s <= 0, stored_s, again)


def deadline_s(history: History, kill: Kill) -> float | None:
    """Seconds after a kill by which its keys must be stored; None: a process fault has no end on record."""
    free_s = history.plan.lease_s
    for fault in sorted(history.faults.values(), key=lambda fault: fault.inject_ns or 0):
        if fault.inject_ns is None or fault.kind not in PROCESS_FAULTS:
            continue
        began_s, healed_s = (fault.inject_ns - kill.at_ns) / 1e9, _healed_s(fault, kill)
        # In order of their beginning: a fault that began before the mail was due may put that off once more.
        if began_s > free_s + GRACE_S:
            continue
        if healed_s is None:
            return None
        free_s = max(free_s, healed_s)
    return free_s + GRACE_S


def _healed_s(fault: Fault, kill: Kill) -> float | None:
    return None if fault.healed_ns is None else (fault.healed_ns - kill.at_ns) / 1e9


def _judge(history: History, kill: Kill, one: InFlight, limit_s: float | None) -> Status:
    """Say whether one key came in time; unknown: late, and nobody knows when it had to be there."""
    waited_s = one.waited_s
    if waited_s is not None and waited_s <= (history.plan.lease_s + GRACE_S if limit_s is None else limit_s):
        return "pass"
    if limit_s is None:
        return "unknown"
    watched_s = ((history.stopped_ns or history.ended_ns) - kill.at_ns) / 1e9
    return "unknown" if waited_s is None and watched_s < limit_s else "fail"


def lease_recovery(history: History) -> CheckResult:
    """Every key in flight on a killed worker was stored within the lease plus 3 s, or 3 s of the restart."""
    name, limit = "lease_recovery", history.plan.lease_s + GRACE_S
    if history.plan.delivery != "ledger":
        words = f"does not apply: the policy {history.plan.delivery} promises no time"
        return conclude(name, (), "", words, details={"applies": False})
    if not history.kills:
        words, details = "does not apply: no process was killed", {"applies": False, "limit_s": limit}
        return conclude(name, (), "", words, to_acquit=history.missing(EVENTS), details=details)
    return _conclude(history, name, limit)


def _conclude(history: History, name: str, limit: float) -> CheckResult:
    waits: list[InFlight] = []
    keys: dict[Status, set[str]] = {"pass": set(), "fail": set(), "unknown": set()}
    for_restart: set[str] = set()
    for kill in history.kills:
        limit_s = deadline_s(history, kill)
        for one in in_flight(history, kill):
            if not one.stored_before:
                waits.append(one)
                status = _judge(history, kill, one, limit_s)
                keys[status].add(one.key)
                if status == "pass" and (one.waited_s or 0) > limit:
                    for_restart.add(one.key)
    worst = max((one.waited_s for one in waits if one.waited_s is not None), default=None)
    never = sum(1 for one in waits if one.waited_s is None)
    details = {
        "applies": True,
        "limit_s": limit,
        "in_flight": len(waits),
        "never": never,
        "waited_for_restart": len(for_restart),
        "max_s": _round(worst),
    }
    late, shown = sorted(keys["fail"]), "never" if never else f"at worst {worst or 0:.1f} s"
    within = f"limit {limit:g} s, or {GRACE_S:g} s after the restart"
    if not late and (undecided := sorted(keys["unknown"])):
        words = f"{plural(len(undecided), 'mail')} in flight on a killed worker had not arrived ({within})"
        return unknown(name, f"{words}, and no end of that time is on record", undecided, details)
    at_worst = f", at worst after {worst:.1f} s" if worst is not None else ""
    if for_restart:
        at_worst += f" ({len(for_restart)} of them later than {limit:g} s, in time for the restart)"
    arrived = f"{plural(len(waits), 'mail')} in flight on killed workers arrived in time ({within}){at_worst}"
    return conclude(
        name,
        late,
        f"{plural(len(late), 'mail')} in flight on a killed worker arrived late ({shown}; {within})",
        arrived if waits else "no mail waited for a killed worker",
        # A lost line may be the one that says that the workers were still down.
        to_convict=history.missing(EVENTS, DELIVERIES),
        to_acquit=history.missing(EVENTS, DELIVERIES, LEDGER),
        details=details,
    )


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
