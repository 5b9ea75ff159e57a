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
from typing import Any

from loadtests.address import sink_address
from loadtests.arrivals import Replay, Schedule, parse, take
from loadtests.jobs import check_run_id
from loadtests.mix import Mix
from loadtests.mix import parse as parse_mix

OPEN, CLOSED = "open", "closed"
MODELS = (OPEN, CLOSED)
ARRIVALS = (
    "constant, poisson, burst:size=, ramp:over=,start=, step:start=,every=,steps=, spike:height=,at=,lasts=,"
    " wave:period=,depth=, soak:up=,hold=,down=, replay:RUN,speed="
)

NOT_IN_THE_PAGE = ("evidence", "sink", "chaos")
"""Locust's page offers every other option for change: addresses and folders are for whoever started it."""

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
    sink: str = ""
    """Address of the sink's control API; empty: nobody says what was stored."""
    settle_s: float = 10.0
    mix: Mix | None = None
    """None: as the chosen user classes say."""
    model: str = OPEN
    think_s: float = 1.0
    until_done: bool = False

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
        # Locust's parser is a ConfigArgParse one, so it knows env_var.
        action: Any = group.add_argument(
            f"--{name}", type=kind, default=default, help=words, env_var=variable
        )
        action.include_in_web_ui = name not in NOT_IN_THE_PAGE

    option("rate", float, 10.0, "jobs per second of the whole run, whatever the number of users")
    option("arrivals", str, "constant", f"when jobs are due: {ARRIVALS}")
    option(
        "mix", str, "", "kinds by weight, such as email=8,greet=1,read=2; default: the chosen user classes"
    )
    option("model", str, OPEN, "open: jobs at the rate; closed: --users who each wait for their answer")
    option("think-s", float, 1.0, "closed: how long a user thinks, in the mean")
    option("until-done", int, 0, "closed: 1: a user waits until the job is done, not only for the answer")
    option("for-s", float, 0.0, "how long jobs are offered, in seconds; 0: until stopped")
    option("seed", int, 1, "one seed, one plan: jobs, due times, followed jobs")
    option("run-id", str, "", "run id, the beginning of every key; default: made from the time")
    option("evidence", str, "", "folder for submissions.jsonl; default: reports/runs/locust/<time>")
    option("status-share", float, 0.0, "share (0-1) of accepted jobs whose status is read until terminal")
    option("resubmit-limit-s", float, 60.0, "how long an unknown outcome is asked again with the same key")
    option("resubmit-rejected", int, 0, "1: submit refused and not accepted jobs again, too")
    option("timeout-s", float, 10.0, "time limit of each request")
    option("stop-grace-s", float, 30.0, "when stopped: how long open submissions may still finish")
    option("sink", str, "", "control address of the sink, for rows from end to end; default: none")
    option("settle-s", float, 10.0, "with --sink: how long the end waits for accepted mails to be stored")
    option("chaos", str, "", "control address of `up`, for the Delivery tab of the web UI; default: none")
    option("late-limit-s", float, 1.0, "lateness over which the load counts as not offered (exit code 2)")


def checked(values: argparse.Namespace) -> Options:
    """Turn parsed values into options. Raises ValueError with words for the person who typed them."""
    for name in ("resubmit_limit_s", "timeout_s", "stop_grace_s", "late_limit_s", "think_s", "settle_s"):
        limit = float(getattr(values, name))
        if not math.isfinite(limit) or limit < 0 or (name == "timeout_s" and limit == 0):
            raise ValueError(f"--{name.replace('_', '-')}: a number of seconds is needed, not {limit!r}")
    if values.sink:
        sink_address(values.sink)
    if values.chaos and not values.chaos.startswith("http://"):
        raise ValueError(f"--chaos {values.chaos!r}: the address that `python -m chaos up` prints is needed")
    share = float(values.status_share)
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"--status-share: from 0 to 1, not {share!r}")
    schedule = parse(values.arrivals, float(values.rate), int(values.seed))
    take(schedule, float(values.for_s))
    _check_model(values)
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
        sink=values.sink,
        settle_s=float(values.settle_s),
        mix=_mix(values.mix, schedule),
        model=values.model,
        think_s=float(values.think_s),
        until_done=bool(int(values.until_done)),
    )


def _check_model(values: argparse.Namespace) -> None:
    if values.model not in MODELS:
        raise ValueError(f"--model: {' or '.join(MODELS)}, not {values.model!r}")
    if values.model == CLOSED and values.arrivals != "constant":
        raise ValueError(
            "--model closed has no arrivals: its users come round by themselves; leave --arrivals out"
        )


def _mix(text: str, schedule: Schedule) -> Mix | None:
    if not isinstance(schedule, Replay):
        return parse_mix(text) if text else None
    if text:
        raise ValueError("--mix: a replay offers the kinds that are on record; leave --mix out")
    return Mix({"email": 1.0}, recorded=schedule.recorded.kinds)


def _stamp(now: float | None) -> str:
    return time.strftime("%Y%m%d-%H%M%S", time.localtime(now))
