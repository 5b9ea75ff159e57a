"""What the connections and the control API of one sink share.

Made by `sink`, handed to both. Holds no socket.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fake_smtp.capture import Capture, EvidenceError
from fake_smtp.decider import Decider
from fake_smtp.metrics import Counters
from fake_smtp.options import Options
from fake_smtp.plan import Plan
from fake_smtp.sessions import Sessions
from reports.evidence import DELIVERIES

if TYPE_CHECKING:
    from fake_smtp.certificates import Certificates


@dataclass(slots=True)
class Context:
    """One running sink, without its sockets."""

    options: Options
    capture: Capture
    broken: Callable[[EvidenceError], None]
    """To be called when evidence could not be written: the sink then stops rather than work unseen."""
    certificates: Certificates | None = None
    """None: the sink offers no TLS."""
    counters: Counters = field(default_factory=Counters)
    decider: Decider = field(default_factory=lambda: Decider(Plan()))
    sessions: Sessions = field(init=False)

    def __post_init__(self) -> None:
        self.sessions = Sessions(self.options.out / DELIVERIES, self.flush)

    def flush(self) -> None:
        """Write the records that wait, if there still is somewhere to write."""
        try:
            self.capture.flush()
        except EvidenceError as error:
            self.broken(error)

    def set_plan(self, plan: Plan) -> None:
        """Put a plan in force, with fresh counts. Raises PlanError, and then the old one stays."""
        decider = Decider(plan, self.decider.number + 1, self.decider.phase, tls=self.options.tls)
        self.capture.record("plan", plan=plan.to_json())
        self.decider = decider

    def set_phase(self, phase: str | None) -> None:
        """Say which phase of an experiment is on, for the rules that ask."""
        self.capture.record("phase", phase=phase)
        self.decider.phase = phase
