"""What the judge keeps of a run in memory: jobs, copies, faults, kills and counters.

Filled by `reports.intake`, read by the checks. Never holds a whole record: a run may have millions of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

TERMINAL = frozenset({"SUCCESS", "FAILURE", "REVOKED"})
NOT_SENT = TERMINAL - {"SUCCESS"}


@dataclass(slots=True)
class Copy:
    """One stored mail. `flushed` says whether its reply left the sink; None: no reply is on record."""

    at_ns: int
    session: str
    job_id: str | None
    attempt: str
    worker: str
    hint: str
    damaged: bool
    misrouted: bool
    flushed: bool | None = None


@dataclass(slots=True)
class Chore:
    """A job of another kind than a mail: its end is told in one mail, which bears `mail_key`."""

    kind: str
    mail_key: str
    states: tuple[str, ...] = ()


@dataclass(slots=True)
class Job:
    """Everything known of one key. Times are monotonic ns; 0: never.

    Of a chore, copies, states and reason are those of the mail that tells its end.
    """

    due_ns: int = 0
    to: str = ""
    digest: str | bytes = ""
    """As the intake packs it, to be compared only; empty: any content will do."""
    invokes: int = 0
    oks: int = 0
    fails: int = 0
    infos: int = 0
    unread: int = 0
    ok_ns: int = 0
    ids: tuple[str, ...] = ()
    copies: Sequence[Copy] = ()
    first_stored_ns: int = 0
    """When the first copy of any shape was stored."""
    states: tuple[str, ...] = ()
    reason: str = ""
    in_doubt: bool = False
    held: bool = False
    success_read_ns: int = 0
    failure_read_ns: int = 0
    chore: Chore | None = None

    @property
    def accepted(self) -> bool:
        """At least one 202."""
        return self.oks > 0

    @property
    def unresolved(self) -> int:
        """Tries whose outcome is unknown; a try without any outcome on record is one of them."""
        return self.infos + max(0, self.invokes - self.oks - self.fails - self.infos)

    @property
    def rejected(self) -> bool:
        """Submits exist and every one of them was certainly without effect."""
        return self.fails > 0 and not self.accepted and not self.unresolved

    @property
    def good(self) -> list[Copy]:
        """Copies with the planned content and recipient, in order of time."""
        return [copy for copy in self.copies if not (copy.damaged or copy.misrouted)]

    @property
    def answers(self) -> tuple[str, ...]:
        """Every state that the system named under this key: of a chore, its own and that of its mail."""
        return self.states if self.chore is None else (*self.chore.states, *self.states)

    @property
    def finished(self) -> bool:
        """The system says that it is done with every job of this key."""
        answers = self.answers
        return bool(answers) and TERMINAL.issuperset(answers)


@dataclass(slots=True)
class Fault:
    """One injected fault and its clocks (monotonic ns, None: not on record)."""

    name: str
    kind: str | None = None
    inject_ns: int | None = None
    bite_ns: int | None = None
    heal_ns: int | None = None
    healed_ns: int | None = None
    recovered_ns: int | None = None
    recovery_s: float | None = None
    not_recovered: bool = False
    waited_s: float | None = None
    proof: str = ""
    read_back: str = ""
    detail: str = ""


@dataclass(slots=True)
class Kill:
    """One killed process with its children, and the keys it held a lease on (key -> lease taken, wall ms)."""

    name: str
    at_ns: int
    wall_ms: float
    pids: frozenset[int]
    in_flight: dict[str, float] = field(default_factory=dict)
    chores: set[str] = field(default_factory=set)
    """Keys whose chore, not the mail that tells its end, it interrupted."""


@dataclass(slots=True)
class Drain:
    """How the run ended: quiet or not, after how many seconds, what still moved, and whether all was seen."""

    quiet: bool
    after_s: float
    detail: str
    seen: bool = True


@dataclass(slots=True)
class Story:
    """Whether the scenario was played to its end; told None and no exits: nobody said."""

    told: bool | None = None
    why: str = ""
    failures: list[str] = field(default_factory=list)
    exits: list[int | None] = field(default_factory=list)


@dataclass(slots=True)
class Series:
    """One counter of one target: what it rose by over the run, resets handled as Prometheus does."""

    last: float
    increase: float
    first_ns: int
    last_ns: int
    base: float

    @property
    def total(self) -> float:
        """All that it ever counted, also before the first scrape."""
        return self.base + self.increase

    def see(self, value: float, at_ns: int) -> None:
        """Add a later scrape; a value below the last one means that the counter began again at 0."""
        self.increase += value - self.last if value >= self.last else value
        self.last, self.last_ns = value, at_ns


@dataclass(slots=True)
class Sessions:
    """Totals over the sink's sessions; bytes."""

    begun: int = 0
    ended: int = 0
    abnormal: int = 0
    bytes_in: int = 0
    settled_bytes: int = 0
    encrypted: int = 0
    """How many of them went over to TLS."""
