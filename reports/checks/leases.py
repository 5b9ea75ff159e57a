"""lease_recovery: a mail in flight on a killed worker is delivered within the lease plus 3 seconds.

Called through the registry, and by the report for its table of kills. Only the policy `ledger` promises this.
"""

from __future__ import annotations

from dataclasses import dataclass

from reports.checks.base import CheckResult, conclude, plural
from reports.evidence import DELIVERIES, EVENTS, LEDGER
from reports.history import History
from reports.records import Kill

GRACE_S = 3.0


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


def lease_recovery(history: History) -> CheckResult:
    """Every key in flight on a killed worker was stored within the lease plus 3 s of the kill."""
    name, limit = "lease_recovery", history.plan.lease_s + GRACE_S
    if history.plan.delivery != "ledger":
        words = f"does not apply: the policy {history.plan.delivery} promises no time"
        return conclude(name, (), "", words, details={"applies": False})
    if not history.kills:
        words = "does not apply: no process was killed"
        return conclude(
            name,
            (),
            "",
            words,
            to_acquit=history.missing(EVENTS),
            details={"applies": False, "limit_s": limit},
        )
    waits = [one for kill in history.kills for one in in_flight(history, kill) if not one.stored_before]
    late = sorted({one.key for one in waits if one.waited_s is None or one.waited_s > limit})
    worst = max((one.waited_s for one in waits if one.waited_s is not None), default=None)
    never = sum(1 for one in waits if one.waited_s is None)
    shown = "never" if never else f"at worst {worst or 0:.1f} s"
    details = {
        "applies": True,
        "limit_s": limit,
        "in_flight": len(waits),
        "never": never,
        "max_s": _round(worst),
    }
    at_worst = f", at worst after {worst:.1f} s" if worst is not None else ""
    arrived = f"{plural(len(waits), 'mail')} in flight on killed workers arrived within {limit:g} s{at_worst}"
    return conclude(
        name,
        late,
        f"{plural(len(late), 'mail')} in flight on a killed worker arrived late ({shown}, limit {limit:g} s)",
        arrived if waits else "no mail waited for a killed worker",
        to_convict=history.missing(DELIVERIES),
        to_acquit=history.missing(EVENTS, DELIVERIES, LEDGER),
        details=details,
    )


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
