"""One submission: tries of one job until its fate is known, each written as evidence.

Called by the flood in a greenlet of its own. Never raises for anything the system under test does, and
never leaves a try without its outcome, not even when it is killed.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from loadtests.mix import AnyJob
from loadtests.outcomes import Answer, Outcome, classify


class Evidence(Protocol):
    """Where records go; `reports.evidence.Appender` is one."""

    def append(self, event: str, **fields: object) -> None:
        """Write one record after those that wait, or raise OSError."""

    def append_later(self, event: str, fields: dict[str, Any]) -> bool:
        """Keep one record for the next write, in its place."""

    def flush(self) -> None:
        """Write the records that wait, or raise OSError."""


class Row(Protocol):
    """Who wants to see every request; Locust's statistics, in a real run."""

    def __call__(self, method: str, name: str, seconds: float, size: int, error: str | None) -> None:
        """Take one finished request: how long it took in seconds and its answer's size in bytes."""


@dataclass(frozen=True)
class Settings:
    """How stubborn a submission is. `resubmit_limit_s` counts from the first try."""

    resubmit_limit_s: float = 60.0
    resubmit_rejected: bool = False


def backoff() -> Iterator[float]:
    """Yield the waits in seconds before the second try, the third, and so on."""
    return itertools.chain((0.5, 1.0), itertools.repeat(2.0))


@dataclass
class Submitter:
    """Submits jobs through `post`, which may raise anything; counts first tries and what kept them back."""

    post: Callable[[AnyJob], Answer]
    evidence: Evidence
    row: Row
    sleep: Callable[[float], object]
    settings: Settings = field(default_factory=Settings)
    clock_ns: Callable[[], int] = time.monotonic_ns
    sent: int = 0
    max_late_s: float = 0.0
    shortages: int = 0

    def submit(self, job: AnyJob, due_ns: int) -> Outcome:
        """Try a job, due at `due_ns` (monotonic), until its fate is known or the limit is reached.

        Returns the last outcome. Raises OSError when evidence cannot be written, and what killed it.
        """
        started_ns = self.clock_ns()
        unknown = False
        for number, pause in enumerate(backoff(), start=1):
            outcome = self._try(job, number, due_ns)
            unknown = unknown or outcome.verdict == "info"
            if outcome.settles or not (unknown or self.settings.resubmit_rejected):
                break
            if (self.clock_ns() - started_ns) / 1e9 + pause > self.settings.resubmit_limit_s:
                break
            self.sleep(pause)
        return outcome

    def _try(self, job: AnyJob, number: int, due_ns: int) -> Outcome:
        began_ns = self._invoke(job, number, due_ns)
        result: Answer | BaseException
        try:
            result = self.post(job)
        except Exception as raised:
            result = raised
        except BaseException as killed:
            self._record(job, number, classify(killed), 0.0)
            raise
        outcome = classify(result)
        seconds = _seconds(self.clock_ns() - (due_ns if number == 1 else began_ns))
        self._record(job, number, outcome, seconds)
        self.shortages += outcome.shortage
        size = len(result.body or b"") if isinstance(result, Answer) else 0
        error = None if outcome.verdict == "ok" else f"{outcome.verdict}: {outcome.why}"
        self.row("POST", "/jobs" if number == 1 else "/jobs (again)", seconds, size, error)
        return outcome

    def _invoke(self, job: AnyJob, number: int, due_ns: int) -> int:
        began_ns = self.clock_ns()
        fields: dict[str, Any] = {"key": job.key, "try": number}
        if number == 1:
            fields["late_s"] = _seconds(began_ns - due_ns)
            self.sent += 1
            self.max_late_s = max(self.max_late_s, fields["late_s"])
        # On disk before the first byte leaves, whatever kills this process then.
        self.evidence.append("invoke", **fields)
        return began_ns

    def _record(self, job: AnyJob, number: int, outcome: Outcome, seconds: float) -> None:
        fields: dict[str, Any] = {"key": job.key, "try": number, "status": outcome.status}
        if outcome.verdict == "ok":
            fields |= {"id": outcome.id, "latency_s": seconds}
        else:
            fields["why"] = outcome.why
        # It may wait for others: without it the try counts as unknown, which is never wrong.
        self.evidence.append_later(outcome.verdict, fields)


def _seconds(nanoseconds: int) -> float:
    return round(nanoseconds / 1e9, 6)
