"""The options that the load adds to Locust's own, each also read from the environment.

Called by the locustfile. Never starts anything: it turns words into checked values.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from loadtests.arrivals import Schedule, parse, take
from loadtests.jobs import check_run_id

RUNS = Path(__file__).resolve().parent.parent / "reports" / "runs" / "locust"


@dataclass(frozen=True)
class Options:
    """What a run is made of; times in seconds. `run` and `evidence` None: made from the time."""

    schedule: Schedule
    for_s: float
    run: str | None
    evidence: Path | None
    status_share: float
    resubmit_limit_s: float
    resubmit_rejected: bool
    timeout_s: float
    stop_grace_s: float
    late_limit_s: float

    def run_id(self, nth: int, now: float | None = None) -> str:
        """Return the id of the nth run (from 1) of this process: keys of two runs must never be the same."""
        if self.run is None:
            return f"load-{_stamp(now)}-{os.urandom(2).hex()}"
        return check_run_id(self.run if nth == 1 else f"{self.run}-{nth}")

    def folder(self, nth: int, now: float | None = None) -> Path:
        """Return where the nth run (from 1) of this process leaves its evidence."""
        if self.evidence is None:
            return RUNS / (_stamp(now) if nth == 1 else f"{_stamp(now)}-{nth}")
        return self.evidence if nth == 1 else self.evidence.with_name(f"{self.evidence.name}-{nth}")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the load's options to Locust's parser."""
    group = parser.add_argument_group("mailstorm")

    def option(name: str, kind: Callable[[str], object], default: object, words: str) -> None:
        variable = f"MAILSTORM_{name.upper().replace('-', '_')}"
        # Locust's parser is a ConfigArgParse one, so it knows env_var; the web UI offers each for change.
        group.add_argument(f"--{name}", type=kind, default=default, help=words, env_var=variable)

    option("rate", float, 10.0, "jobs per second of the whole run, whatever the number of users")
    option(
        "arrivals", str, "constant", "constant, poisson, ramp:over=,start=, burst:size=, wave:period=,depth="
    )
    option("for-s", float, 0.0, "how long jobs are offered, in seconds; 0: until stopped")
    option("seed", int, 1, "one seed, one plan: jobs, due times, followed jobs")
    option("run-id", str, "", "run id, the beginning of every key; default: made from the time")
    option("evidence", str, "", "folder for submissions.jsonl; default: reports/runs/locust/<time>")
    option("status-share", float, 0.0, "share (0-1) of accepted jobs whose status is read until terminal")
    option("resubmit-limit-s", float, 60.0, "how long an unknown outcome is asked again with the same key")
    option("resubmit-rejected", int, 0, "1: submit refused and not accepted jobs again, too")
    option("timeout-s", float, 10.0, "time limit of each request")
    option("stop-grace-s", float, 30.0, "when stopped: how long open submissions may still finish")
    option("late-limit-s", float, 1.0, "lateness over which the load counts as not offered (exit code 2)")


def checked(values: argparse.Namespace) -> Options:
    """Turn parsed values into options. Raises ValueError with words for the person who typed them."""
    for name in ("resubmit_limit_s", "timeout_s", "stop_grace_s", "late_limit_s"):
        limit = float(getattr(values, name))
        if not math.isfinite(limit) or limit < 0 or (name == "timeout_s" and limit == 0):
            raise ValueError(f"--{name.replace('_', '-')}: a number of seconds is needed, not {limit!r}")
    share = float(values.status_share)
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"--status-share: from 0 to 1, not {share!r}")
    schedule = parse(values.arrivals, float(values.rate), int(values.seed))
    take(schedule, float(values.for_s))
    return Options(
        schedule=schedule,
        for_s=float(values.for_s),
        run=check_run_id(values.run_id) if values.run_id else None,
        evidence=Path(values.evidence) if values.evidence else None,
        status_share=share,
        resubmit_limit_s=float(values.resubmit_limit_s),
        resubmit_rejected=bool(int(values.resubmit_rejected)),
        timeout_s=float(values.timeout_s),
        stop_grace_s=float(values.stop_grace_s),
        late_limit_s=float(values.late_limit_s),
    )


def _stamp(now: float | None) -> str:
    return time.strftime("%Y%m%d-%H%M%S", time.localtime(now))
