"""Make the sink misbehave: a plan of rules over its control API.

It has bitten when the sink says that it applied the fault; it is healed when the sink shows an empty plan.
"""

from __future__ import annotations

from typing import Any

from chaos.faults.base import Fault
from chaos.sink import Sink
from fake_smtp.plan import Rule


class SmtpFault(Fault):
    """One rule at the sink."""

    def __init__(self, name: str, sink: Sink, rule: Rule, seed: int) -> None:
        super().__init__(name)
        self.kind = f"smtp-{rule.fault.replace('_', '-')}"
        self._sink = sink
        self._rule = rule
        self._seed = seed
        self._before = 0

    def undo_entry(self) -> tuple[str, dict[str, Any]]:
        """From another process: clear the sink's plan."""
        return "sink", {"control": self._sink.control}

    def inject(self) -> str:
        """Put the rule in force."""
        self._before = self._sink.fault_count(self._rule.fault)
        self._sink.put_plan(self._seed, self._rule)
        return _words(self._rule)

    def bite(self) -> str | None:
        """The sink counted the fault at least once."""
        count = self._sink.fault_count(self._rule.fault) - self._before
        return f"the sink applied {self._rule.fault} {count} times" if count > 0 else None

    def heal(self) -> None:
        """Clear the plan."""
        self._sink.clear_plan()

    def healed(self) -> str | None:
        """Read back from the sink, with the whole of what it did."""
        if self._sink.rules():
            return None
        count = self._sink.fault_count(self._rule.fault) - self._before
        return f"the sink's plan is empty; it applied {self._rule.fault} {count} times"


def _words(rule: Rule) -> str:
    """What the rule says beyond the default, for people."""
    usual = Rule(rule.fault).to_json()
    chosen = {name: value for name, value in rule.to_json().items() if value != usual[name]}
    own = chosen.pop("params", {})
    said = ", ".join(f"{name} {value}" for name, value in {**chosen, **own}.items())
    return f"the sink applies {rule.fault}" + (f": {said}" if said else "")


def undo_sink(params: dict[str, Any]) -> str | None:
    """Undo from the journal: clear the plan. A sink that is gone breaks nothing, which is also fine."""
    sink = Sink(params["control"])
    if not sink.alive():
        return None
    sink.clear_plan()
    return "the sink still shows rules" if sink.rules() else None
