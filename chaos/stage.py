"""What a scenario's story acts on: it walks each fault through inject, bite, hold, heal, read back, recover.

Called by the stories in chaos/scenarios; writes every step to events.jsonl. Never judges.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from chaos.errors import HarnessError, StoryCut
from chaos.faults.base import Fault
from chaos.faults.network import Network, Sever
from chaos.faults.processes import KillChild, KillGroup
from chaos.faults.redis import KillRedis
from chaos.faults.smtp import SmtpFault
from chaos.journal import Journal
from chaos.observe import Events, Observer
from chaos.progress import Progress
from chaos.signals import shielded
from chaos.stack.local import LocalStack
from chaos.stack.process import Managed
from fake_smtp.plan import Rule
from reports.plan import Plan

POLL_S = 0.05
STEADY_S = 4.0
SHORT_S = 10.0
FIRST_MAIL_LIMIT_S = 20.0
RECOVERY_PATIENCE_S = 30.0


class Stage:
    """One run's stage."""

    def __init__(
        self,
        plan: Plan,
        stack: LocalStack,
        observer: Observer,
        load_lives: Callable[[], bool],
        events: Events,
        journal: Journal,
        progress: Progress,
    ) -> None:
        self.plan = plan
        self.stack = stack
        self.observer = observer
        self.rng = random.Random(plan.seed)
        self._load_lives = load_lives
        self._events = events
        self._journal = journal
        self._progress = progress
        self._names: dict[str, int] = {}
        self._flood_began = 0.0
        self._healed_mono_s = 0.0

    # -- time -------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Wait for the first mail, then for the steady state that faults are measured against."""
        if not self._until(lambda: self.observer.stored > 0, FIRST_MAIL_LIMIT_S):
            raise StoryCut(f"no mail reached the sink within {FIRST_MAIL_LIMIT_S:g} s of the flood's start")
        self._flood_began = time.monotonic()
        self.hold(STEADY_S)
        self.observer.mark_steady(self._flood_began)
        if not self.observer.steady_rate_per_s:
            raise StoryCut("mail stopped before the first fault: there is no steady state to break")

    def hold(self, seconds: float) -> None:
        """Let the flood go on for a while."""
        self._until(lambda: False, seconds)

    @property
    def short(self) -> bool:
        """Whether the flood is too short for a story with every repetition."""
        return self.plan.duration_s < SHORT_S

    def after_mails(self, count: int, limit_s: float = 10.0) -> None:
        """Wait until so many more mails are stored: such triggers replay better than clock offsets."""
        goal = self.observer.stored + count
        self._until(lambda: self.observer.stored >= goal, limit_s)

    def rest_of_flood(self) -> None:
        """Wait until the flood has lasted as long as the plan asks."""
        self.hold(self._flood_began + self.plan.duration_s - time.monotonic())

    # -- what can be broken -----------------------------------------------------------------------------

    @property
    def workers(self) -> list[Managed]:
        """The worker processes."""
        return self.stack.workers

    def kill_group(self, *targets: Managed) -> None:
        """SIGKILL whole workers."""
        self.run(KillGroup(self._name("kill-group"), list(targets)))

    def kill_child(self, target: Managed) -> None:
        """SIGKILL one pool child of a worker."""
        self.run(KillChild(self._name("kill-child"), target, self.rng, self._events))

    def kill_redis(self) -> None:
        """SIGKILL Redis; the supervisor starts it again on the same files."""
        self.run(KillRedis(self._name("kill-redis"), self.stack.redis))

    def sever(self, who: str, proxies: list[str], mode: str, hold_s: float, what: str = Sever.what) -> None:
        """Sever connections for a while; `what` is said of them in the evidence, in front of the mode."""
        name = self._name(f"{what}-{mode}-{who}")
        self.run(Sever(name, self._network(), proxies, mode, self.observer, what), hold_s)

    def break_smtp(self, rule: Rule, hold_s: float) -> None:
        """Let the sink misbehave for a while."""
        name = self._name(rule.fault.replace("_", "-"))
        self.run(SmtpFault(name, self.stack.sink, rule, self.plan.seed), hold_s)

    # -- the life of a fault ----------------------------------------------------------------------------

    def run(self, fault: Fault, hold_s: float = 0.0) -> None:
        """The whole life of one fault: journal, inject, bite, hold, heal, read back, recover."""
        self.apply(fault, hold_s)
        self.await_recovery(fault)

    def apply(self, fault: Fault, hold_s: float = 0.0) -> None:
        """The life of a fault up to the read-back of its healing, which comes whatever happens before."""
        undo = fault.undo_entry()
        entry = self._journal.will(undo[0], **undo[1]) if undo else None
        self._progress.fault(fault.name)
        try:
            detail = fault.inject()
            self._events.append("inject", fault=fault.name, kind=fault.kind, detail=detail)
            self._progress.say(f"{fault.name}: {detail}")
            self._hold_until_bitten(fault, hold_s)
        finally:
            with shielded():
                self._progress.fault(None)
                self._heal(fault)
                if entry is not None:
                    self._journal.done(entry)

    def _hold_until_bitten(self, fault: Fault, hold_s: float) -> None:
        """Hold the fault for its time; a fault that has not bitten by then gets as long again, and 5 s."""
        began, proof = time.monotonic(), None
        while proof is None or time.monotonic() - began < hold_s:
            if proof is None and (proof := self._ask(fault.bite)):
                self._events.append("bite", fault=fault.name, proof=proof)
            if proof is None and time.monotonic() - began > 2 * hold_s + 5:
                self._events.append("note", text=f"{fault.name} did not bite")
                return
            self._tick()

    def _heal(self, fault: Fault) -> None:
        self._events.append("heal", fault=fault.name)
        proof = self._try_to_heal(fault, fault.heal) or self._try_to_heal(fault, fault.force)
        if proof is None:
            raise HarnessError(f"{fault.name} cannot be healed, not even by force")
        self._healed_mono_s = time.monotonic()
        self._events.append("healed", fault=fault.name, read_back=proof)

    def _try_to_heal(self, fault: Fault, act: Callable[[], None]) -> str | None:
        """Act, then read back until it shows; None when it does not within the limit."""
        deadline, problem = time.monotonic() + fault.heal_limit_s, "not read back"
        try:
            act()
        except Exception as error:  # whatever it was, there is still the forced path
            problem = f"{type(error).__name__}: {error}"
        while time.monotonic() < deadline:
            if proof := self._ask(fault.healed):
                return proof
            time.sleep(POLL_S)
        self._events.append("note", text=f"healing {fault.name}: {problem}")
        return None

    def _ask(self, look: Callable[[], str | None]) -> str | None:
        """Look for a proof; what cannot be looked at is no proof, and no end of the run either."""
        try:
            return look()
        except Exception as error:
            self._events.append("note", text=f"could not look: {type(error).__name__}: {error}"[:300])
            return None

    def await_recovery(self, fault: Fault) -> None:
        """Wait until mail flows again at its old rate; going on earlier would blur two faults into one."""
        began, limit_s = self._healed_mono_s, self.plan.thresholds.recovery_limit_s or RECOVERY_PATIENCE_S
        if self._until(lambda: self.observer.recovered_since(began), limit_s):
            self._events.append("recovered", fault=fault.name, after_s=round(time.monotonic() - began, 3))
        else:
            self._events.append(
                "not_recovered", fault=fault.name, waited_s=round(time.monotonic() - began, 3)
            )

    # -- small helpers ----------------------------------------------------------------------------------

    def _until(self, condition: Callable[[], bool], limit_s: float) -> bool:
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            if condition():
                return True
            self._tick()
        return condition()

    def _tick(self) -> None:
        """A moment passes: without a load there is no story, so its death is noticed here."""
        if not self._load_lives():
            raise StoryCut("the load ended before the story did; see logs/locust.log")
        self._progress.figures(self.observer)
        time.sleep(POLL_S)

    def _name(self, what: str) -> str:
        self._names[what] = self._names.get(what, 0) + 1
        return f"{what}-{self._names[what]}"

    def _network(self) -> Network:
        if self.stack.network is None:
            raise HarnessError("this stack runs without Toxiproxy: its connections cannot be severed")
        return self.stack.network
