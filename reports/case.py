"""One mail before the judge: the steps of its story, and what is said of where it went wrong.

Used by `reports.trails`, `reports.diagnosis` and `reports.again`. Never judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from reports.history import History
from reports.intake.fields import pid_of
from reports.records import Copy, Job


class Step(NamedTuple):
    """One step of a mail's story: when (monotonic ns), who says it, what, and of which process."""

    at_ns: int
    source: str
    text: str
    event: str
    pid: int | None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The sentence (empty: nothing more to say than the check does) and the step where it went wrong."""

    said: str = ""
    step: Step | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One mail before the judge."""

    history: History
    key: str
    job: Job
    steps: Sequence[Step]

    def at(self, at_ns: int) -> str:
        """Say a moment as seconds since the mail was due."""
        since = (at_ns - (self.job.due_ns or self.history.started_ns)) / 1e9
        return f"{since:+.2f} s"

    def last(self, *events: str) -> Step | None:
        """Return the last step of these kinds."""
        return next((step for step in reversed(self.steps) if step.event in events), None)

    def when(self, event: str, at_ns: int) -> Step | None:
        """Return the step of this kind at this very moment."""
        return next((step for step in self.steps if step.event == event and step.at_ns == at_ns), None)


def sender(copy: Copy) -> str:
    """Name the process that sent a copy, as its mail names it."""
    pid = pid_of(copy.worker)
    return f"pid {pid}" if pid is not None else repr(copy.worker[:60]) if copy.worker else "an unnamed worker"
