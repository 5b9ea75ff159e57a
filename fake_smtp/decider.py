"""The plan in force: turns rules into faults and decides which one hits this mail at this stage.

Asked by the server at every stage; replaced whole when the plan changes. Never acts on a connection.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from fake_smtp import faults
from fake_smtp.faults import Fault
from fake_smtp.plan import Plan, PlanError, Rule, chance
from fake_smtp.session import SessionState, Stage


@dataclass(slots=True)
class _Entry:
    number: int
    rule: Rule
    fault: Fault
    decisions: int = 0


class Decider:
    """One plan, and how often its rules have been used since it came into force."""

    def __init__(self, plan: Plan, number: int = 0) -> None:
        """Build every fault of the plan; `number` counts plans. Raises PlanError naming the rule."""
        self.plan = plan
        self.number = number
        self._by_stage: dict[Stage, list[_Entry]] = defaultdict(list)
        self._seen: dict[tuple[Stage, str], int] = defaultdict(int)
        for index, rule in enumerate(plan.rules):
            try:
                fault = faults.make(rule.fault, rule.params)
            except PlanError as error:
                raise PlanError(f"rule {index}: {error}") from None
            entry = _Entry(index, rule, fault)
            for stage in fault.stages:
                self._by_stage[stage].append(entry)

    def decide(
        self, stage: Stage, session: SessionState, key: str, attempt: int | None = None
    ) -> Fault | None:
        """Return the fault that hits `key` here, or None.

        `attempt` is the number that the mail itself carries; without one, how often it was seen here.
        """
        entries = self._by_stage.get(stage)
        if not entries:
            return None
        self._seen[stage, key] += 1
        seen = self._seen[stage, key]
        for entry in entries:
            if not entry.fault.concerns(stage, session, self.number):
                continue
            if self._applies(entry, key, seen, seen if attempt is None else attempt):
                entry.decisions += 1
                return entry.fault
        return None

    def _applies(self, entry: _Entry, key: str, seen: int, attempt: int) -> bool:
        rule = entry.rule
        if rule.count is not None and entry.decisions >= rule.count:
            return False
        if rule.attempts is not None and seen > rule.attempts:
            return False
        return chance(self.plan.seed, entry.number, key, attempt) < rule.probability
