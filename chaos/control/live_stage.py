"""The stage of `up`: the load comes and goes, nothing has a planned end, and a person may cut everything.

Acted on by the director's thread. A bite or a recovery is only ever said of mail that flowed.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable

from chaos.errors import StoryCut
from chaos.faults.base import Fault
from chaos.journal import Journal
from chaos.observe import Events, Observer
from chaos.progress import Progress
from chaos.scenarios.base import Scenario
from chaos.stack.local import LocalStack
from chaos.stack.options import StackOptions
from chaos.stage import STEADY_S, Stage
from reports.plan import Plan, Thresholds

FLOW_LIMIT_S = 3.0
SEED = 1


class LiveStage(Stage):
    """A stage that can be told to stop at any moment. `unrecovered` is the fault that mail still feels."""

    def __init__(
        self, stack: LocalStack, observer: Observer, events: Events, journal: Journal, progress: Progress
    ) -> None:
        super().__init__(
            _plan(stack.run, stack.options), stack, observer, self._goes_on, events, journal, progress
        )
        self.unrecovered: Fault | None = None
        self._cut = threading.Event()
        self._single = False

    def tell(self, scenario: Scenario) -> None:
        """Tell a whole story. Raises StoryCut when no mail flows, or when it is told to stop."""
        self.plan = dataclasses.replace(self.plan, duration_s=scenario.duration_s)
        self._single = False
        if not self._until(lambda: self.observer.stored_in_last(FLOW_LIMIT_S) > 0, FLOW_LIMIT_S):
            raise StoryCut("no mail flows: start a load, then the scenario")
        self.open()
        self.plan = dataclasses.replace(self.plan, rate_per_s=self.observer.steady_rate_per_s)
        scenario.story(self)

    def single(self, act: Callable[[], None]) -> None:
        """Do one thing alone: what flows now is what it must come back to."""
        self._single = True
        self.observer.mark_steady(time.monotonic() - STEADY_S)
        act()

    def run(self, fault: Fault, hold_s: float = 0.0) -> None:
        """Break and heal; the recovery from a single fault is watched later, so that it holds up nobody."""
        try:
            self.apply(fault, hold_s)
        finally:
            if self._events.live.was_felt(fault.name):
                self.unrecovered = fault
        if not self._single:
            self.await_recovery(fault)

    def await_recovery(self, fault: Fault) -> None:
        """Wait until mail flows again as before, if any flowed before."""
        if self.observer.steady_rate_per_s:
            super().await_recovery(fault)
        else:
            self._events.append(
                "note", text=f"{fault.name}: no mail flowed before it, so nothing can recover"
            )
        self.unrecovered = None

    def leave(self) -> None:
        """Watch no longer: whether it would have recovered, nobody knows."""
        if self.unrecovered is not None:
            self._events.append("note", text=f"{self.unrecovered.name}: its recovery is watched no longer")
            self.unrecovered = None

    def interrupt(self) -> None:
        """Stop whatever goes on, from another thread."""
        self._cut.set()

    def resume(self) -> None:
        """Allow the next thing to go on."""
        self._cut.clear()

    def sweep(self) -> list[str]:
        """Heal what nobody here has broken: rules and cuts made by hand. Returns what was found, in words."""
        found = []
        if self.stack.sink.rules():
            self.stack.sink.clear_plan()
            found.append("the sink's plan")
        network = self.stack.network
        if network is not None and not network.restored(network.names):
            network.restore(network.names)
            network.require_restored(network.names)
            found.append("cut connections")
        return found

    def _goes_on(self) -> bool:
        if self._cut.is_set():
            raise StoryCut("stopped by hand")
        return True


def _plan(run: str, options: StackOptions) -> Plan:
    return Plan(
        run=run,
        scenario="up",
        seed=SEED,
        rate_per_s=0,
        duration_s=0,
        delivery=options.delivery,
        broker=options.broker,
        lease_s=options.lease_s,
        receipts=options.receipts,
        thresholds=Thresholds(min_accepted=0),
        expect_faults=(),
        command=(),
        versions={},
    )
