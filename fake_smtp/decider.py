"""The plan in force: turns rules into faults and decides which one hits this mail at this stage.

Asked by the server at every stage; replaced whole when the plan changes. Never acts on a connection.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple

from fake_smtp import faults
from fake_smtp.faults import Fault
from fake_smtp.plan import Plan, PlanError, Rule, chance
from fake_smtp.session import SessionState, Stage
from fake_smtp.tally import OwnTally, Tally

# What a server knows of a mail when it has to decide. The key is a header of the mail.
_KNOWN: dict[str, frozenset[Stage]] = {
    "sender": frozenset({"mail", "rcpt", "data", "dot", "stored"}),
    "recipient": frozenset({"rcpt", "data", "dot", "stored"}),
    "attempt": frozenset({"rcpt", "data", "dot", "stored"}),
    "key": frozenset({"dot", "stored"}),
}


class Subject(NamedTuple):
    """What is known of a mail at one stage. `name` is what its fate hangs on, and tells it from others."""

    name: str
    sender: str = ""
    recipients: Sequence[str] = ()
    key: str | None = None
    attempt: int | None = None
    """The number that the mail itself carries."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A fault that hits, and the number of its rule."""

    fault: Fault
    rule: int


@dataclass(slots=True)
class _Entry:
    number: int
    rule: Rule
    fault: Fault


class Decider:
    """One plan in force."""

    def __init__(
        self,
        plan: Plan,
        number: int = 0,
        phase: str | None = None,
        tls: bool = False,
        tally: Tally | None = None,
    ) -> None:
        """Build every fault of the plan; `number` counts plans. Raises PlanError naming the rule.

        Without `tls` the sink does not offer STARTTLS, and a rule that waits for it would never hit.
        Without a `tally` to share, the rules are counted for this process alone.
        """
        self.plan = plan
        self.number = number
        self.phase = phase
        self._began_s = time.monotonic()
        self._by_stage: dict[Stage, list[_Entry]] = defaultdict(list)
        self._tally = tally or OwnTally()
        self._counted: set[Stage] = set()
        """Where it matters how often a mail was seen; counting costs, most of all with other processes."""
        for index, rule in enumerate(plan.rules):
            try:
                fault = faults.make(rule.fault, rule.params)
                _check_known(rule, fault)
                if "starttls" in fault.stages and not tls:
                    raise PlanError(f"{fault.name} needs a sink that offers TLS: start it with --tls")
            except PlanError as error:
                raise PlanError(f"rule {index}: {error}") from None
            entry = _Entry(index, rule, fault)
            for stage in fault.stages:
                self._by_stage[stage].append(entry)
                if _hangs_on_sights(entry):
                    self._counted.add(stage)

    def asks(self, stage: Stage) -> bool:
        """Whether any rule waits at this stage; most often none does."""
        return stage in self._by_stage

    def decide(self, stage: Stage, session: SessionState, subject: Subject) -> Decision | None:
        """Return what hits this mail here, or None; the first rule that applies wins."""
        entries = self._by_stage.get(stage)
        if not entries:
            return None
        seen = self._tally.seen(stage, subject.name) if stage in self._counted else 1
        for entry in entries:
            if not entry.fault.concerns(stage, session, self.number):
                continue
            if self._is_on(entry.rule) and self._applies(entry, subject, seen) and self._may(entry):
                return Decision(entry.fault, entry.number)
        return None

    def close(self) -> None:
        """Forget the counts; another plan is in force."""
        self._tally.close()

    def _may(self, entry: _Entry) -> bool:
        """Use a rule, unless it was used up; asked last, because asking counts."""
        limit = entry.rule.count
        return limit is None or self._tally.try_use(entry.number, limit)

    def _is_on(self, rule: Rule) -> bool:
        if rule.phase is not None and rule.phase != self.phase:
            return False
        if rule.from_s is None and rule.until_s is None:
            return True
        now_s = time.monotonic() - self._began_s
        return (rule.from_s or 0.0) <= now_s and (rule.until_s is None or now_s < rule.until_s)

    def _applies(self, entry: _Entry, subject: Subject, seen: int) -> bool:
        rule = entry.rule
        attempt = seen if subject.attempt is None else subject.attempt
        tries = rule.attempts if rule.attempts is not None else entry.fault.tries
        if tries is not None and seen > tries:
            return False
        if rule.attempt is not None and not rule.attempt[0] <= attempt <= rule.attempt[1]:
            return False
        if not _matches(rule, subject):
            return False
        return chance(self.plan.seed, entry.number, subject.name, attempt) < rule.probability


def _hangs_on_sights(entry: _Entry) -> bool:
    rule = entry.rule
    limits = (rule.attempts, entry.fault.tries, rule.attempt)
    return rule.probability < 1 or any(limit is not None for limit in limits)


def _matches(rule: Rule, subject: Subject) -> bool:
    if rule.sender is not None and not fnmatchcase(subject.sender, rule.sender):
        return False
    if rule.key is not None and not fnmatchcase(subject.key or "", rule.key):
        return False
    wanted = rule.recipient
    return wanted is None or any(fnmatchcase(one, wanted) for one in subject.recipients)


def _check_known(rule: Rule, fault: Fault) -> None:
    for name, stages in _KNOWN.items():
        early = sorted(fault.stages - stages)
        if getattr(rule, name) is not None and early:
            raise PlanError(
                f"{fault.name} acts at {early[0]!r}, where {name!r} is not known yet: leave it out"
            )
