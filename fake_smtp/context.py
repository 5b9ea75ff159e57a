"""What the connections and the control API of one sink share.

Made by `sink`, handed to both. Holds no socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fake_smtp.capture import Capture, EvidenceError
from fake_smtp.decider import Decider
from fake_smtp.metrics import Counters
from fake_smtp.options import Options
from fake_smtp.outbox import Outbox
from fake_smtp.plan import Plan
from fake_smtp.sessions import Sessions
from reports.evidence import DELIVERIES

if TYPE_CHECKING:
    from fake_smtp.certificates import Certificates
    from fake_smtp.crew import Crew
    from fake_smtp.intake import Intake


@dataclass(slots=True)
class Context:
    """One running sink, without its sockets."""

    options: Options
    capture: Capture
    broken: Callable[[EvidenceError], None]
    """To be called when evidence could not be written: the sink then stops rather than work unseen."""
    certificates: Certificates | None = None
    """None: the sink offers no TLS."""
    crew: Crew | None = None
    """The processes that take the mails; None: this one does."""
    intake: Intake | None = None
    """What they store comes in here; None: it is in the index at once."""
    counters: Counters = field(default_factory=Counters)
    decider: Decider = field(default_factory=lambda: Decider(Plan()))
    sessions: Sessions = field(init=False)
    outbox: Outbox = field(init=False)

    def __post_init__(self) -> None:
        self.sessions = Sessions(self.options.out / DELIVERIES, self.flush)
        self.outbox = Outbox(self.flush)

    def flush(self) -> bool:
        """Put on disk what waits; return whether that could be done. If not, the sink stops."""
        try:
            self.capture.flush()
        except EvidenceError as error:
            self.broken(error)
            return False
        return True

    @property
    def workers(self) -> list[int]:
        """The process ids of those who take the mails; none: this process does."""
        return self.crew.pids if self.crew else []

    async def catch_up(self) -> None:
        """Take whatever is stored into the index; what nobody has decided to store by now is not stored.

        Raises WorkerGoneError, and OSError when the evidence cannot be read.
        """
        if self.crew is not None:
            await self.crew.settle()
        if self.intake is not None:
            await self.intake.catch_up()

    async def take_in(self) -> bool:
        """Take what is on disk by now into the index and the feed; return whether that could be done.

        Unlike `catch_up` it waits for no worker. Raises OSError when the evidence cannot be read.
        """
        if self.intake is not None:
            await self.intake.catch_up()
        return self.flush()

    async def all_counters(self) -> Counters:
        """Return the counters of all processes together, as they are now. Raises WorkerGoneError."""
        if self.crew is None:
            return self.counters
        total = Counters()
        for dumped in (self.counters.dump(), *await self.crew.counters()):
            total.add(dumped)
        return total

    async def set_plan(self, plan: Plan) -> None:
        """Put a plan in force, with fresh counts; it is, in all processes, when this returns.

        Raises PlanError, and then the old one stays, and WorkerGoneError.
        """
        decider = Decider(plan, self.decider.number + 1, self.decider.phase, tls=self.options.tls)
        self.capture.record("plan", plan=plan.to_json())
        self.use(decider)
        # Nothing awaits before this has been sent: plans come to all processes in the order of the records.
        if self.crew is not None:
            await self.crew.set_plan(decider.number, plan)

    def use(self, decider: Decider) -> None:
        """Put a plan in force in this process."""
        self.decider.close()
        self.decider = decider

    async def set_phase(self, phase: str | None) -> None:
        """Say which phase of an experiment is on, for the rules that ask. Raises WorkerGoneError."""
        self.capture.record("phase", phase=phase)
        self.decider.phase = phase
        if self.crew is not None:
            await self.crew.set_phase(phase)


def unhandled(
    broken: Callable[[EvidenceError], None],
) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    """Return what a loop does with an error that nobody took: evidence that cannot be written is `broken`."""

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, EvidenceError):
            broken(error)
        else:
            loop.default_exception_handler(context)

    return handle
