"""One run as the checks see it: typed indexes by key, built in one pass over the five evidence files.

Filled by `reports.intake`, read by the checks. Never judges, never raises: damage is a problem in words.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from reports.evidence import FILES
from reports.plan import Plan
from reports.records import Drain, Fault, Job, Kill, Series, Sessions, Story

BETWEEN = "between files"


@dataclass
class History:
    """A run. `problems` holds, per file (and `BETWEEN` files), what is missing or wrong; empty: complete."""

    plan: Plan
    problems: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in (*FILES, BETWEEN)})
    records: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FILES, 0))
    jobs: dict[str, Job] = field(default_factory=dict)
    chores: dict[str, str] = field(default_factory=dict)  # key of the mail that tells its end -> key
    started_ns: int = 0
    ended_ns: int = 0
    wall_minus_mono_ns: int = 0
    first_try_ns: int = 0
    first_tries: array[int] = field(default_factory=lambda: array("q"))  # of every job, monotonic ns
    due: int = 0
    said_sent: int = 0
    load_reasons: list[str] = field(default_factory=list)
    load_plans: list[tuple[float, int]] = field(default_factory=list)  # rate per second and seed
    max_late_s: float = 0.0
    # the sink
    strays: list[tuple[str, str]] = field(default_factory=list)
    stored: int = 0
    damaged: set[str] = field(default_factory=set)  # keys with a copy of other content than planned
    misrouted: set[str] = field(default_factory=set)  # keys with a copy for other recipients
    refusals: dict[str | None, set[int]] = field(default_factory=dict)
    sessions: Sessions = field(default_factory=Sessions)
    # the experiment
    faults: dict[str, Fault] = field(default_factory=dict)
    kills: list[Kill] = field(default_factory=list)
    drain: Drain | None = None
    story: Story = field(default_factory=Story)
    stopped_ns: int = 0
    series: dict[tuple[str, str], Series] = field(default_factory=dict)
    scraped: dict[str, tuple[int, int]] = field(default_factory=dict)
    # the system's own word
    successes: int = 0
    leases: int = 0
    unanswered: list[str] = field(default_factory=list)

    def key_of(self, mail_key: str | None) -> str | None:
        """The key of the job behind a mail: the same, unless the mail tells the end of a chore."""
        return mail_key if mail_key is None else self.chores.get(mail_key, mail_key)

    @property
    def quiet(self) -> bool:
        """The experiment saw the whole system come to rest."""
        return self.drain is not None and self.drain.quiet and self.drain.seen

    def accepted(self) -> Iterator[tuple[str, Job]]:
        """Every key with at least one 202."""
        return ((key, job) for key, job in self.jobs.items() if job.oks)

    def missing(self, *files: str) -> list[str]:
        """Why these files do not tell the whole story, in words; empty: they do."""
        return [problem for name in files for problem in self.problems[name]]

    def missing_for_jobs(self, *files: str) -> list[str]:
        """The same for a check over accepted jobs: with none, there is nothing to acquit."""
        nothing = [] if any(job.oks for job in self.jobs.values()) else ["nothing was accepted"]
        return nothing + self.missing(*files)

    def seconds(self, mono_ns: int | None) -> float | None:
        """A moment as seconds since the load began (ms steps); None stays None."""
        return None if mono_ns is None else round((mono_ns - self.started_ns) / 1e9, 3)

    def mono_of_ledger(self, at_ms: float) -> int:
        """A wall-clock time of the ledger (ms) on the monotonic clock of the evidence (ns)."""
        return int(at_ms * 1e6) - self.wall_minus_mono_ns
