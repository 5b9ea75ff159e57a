"""Mails per second and accepted jobs per second of the system, as ratios to a bare Celery task and route.

Run by `make bench-system`. Rounds alternate between the two sides. Prints a table, and as its last line a
JSON object of the two ratios. Ends with status 1 when a mail is missing or one too many.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field

from benchmarks.load import WARM_UP
from benchmarks.stage import SIDES, Stage
from chaos import http
from chaos.errors import HarnessError, Interrupted
from chaos.paths import PROJECT
from chaos.signals import interruptible

DRAIN_LIMIT_S = 60.0
# After the last mail: its outcome is being recorded, and a second copy would come now.
SETTLE_S = 0.3
LOOK_S = 0.005
PHASES = ("mails", "accepts")


class BenchError(HarnessError):
    """What was measured cannot be trusted."""


@dataclass
class Figures:
    """What was measured: jobs a second by phase and side, and CPU us a job by phase, side and server."""

    rates: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: {phase: {side: [] for side in SIDES} for phase in PHASES}
    )
    costs: dict[tuple[str, str], dict[str, list[float]]] = field(
        default_factory=lambda: {(phase, side): defaultdict(list) for phase in PHASES for side in SIDES}
    )


def say(words: str) -> None:
    """Progress, beside the result."""
    sys.stderr.write(words + "\n")
    sys.stderr.flush()


def accept(stage: Stage, side: str, jobs: int, connections: int) -> float:
    """Accepts the jobs while no worker runs; jobs per second."""
    command = [sys.executable, "-m", "benchmarks.load"]
    numbers = (str(stage.port[side]), str(jobs), str(connections))
    done = subprocess.run([*command, *numbers], cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{side}: the load ended: {done.stderr.strip()[-800:]}")
    return float(done.stdout)


def drain(stage: Stage, side: str, jobs: int) -> float:
    """Lets the side's worker send all that was accepted; mails per second after the warm-up."""
    before = stage.stored()
    first = last = (0, 0.0)
    until = time.monotonic() + DRAIN_LIMIT_S
    stage.go_on(f"{side}-worker")
    while (count := stage.stored() - before) < jobs:
        if time.monotonic() > until:
            raise BenchError(f"{side}: only {count} of {jobs} mails arrived in {DRAIN_LIMIT_S:g} s")
        if not first[0] and count >= jobs * WARM_UP:
            first = (count, time.perf_counter())
        time.sleep(LOOK_S)
    last = (count, time.perf_counter())
    return (last[0] - first[0]) / (last[1] - first[1])


def recorded(stage: Stage) -> int:
    """How many mails the ledger knows as sent."""
    text = http.get(f"http://127.0.0.1:{stage.port['system']}/metrics", 10).text
    line = next(
        line for line in text.splitlines() if line.startswith('mail_jobs_terminal_total{state="sent"}')
    )
    return int(float(line.split()[-1]))


def play(stage: Stage, side: str, jobs: int, connections: int, figures: Figures) -> None:
    """One round of one side: accept with no worker running, then send."""
    helpers = ["system-relay"] if side == "system" else []
    stage.go_on(*helpers)
    for phase in ("accepts", "mails"):
        before = stage.cpu_s()
        rate = accept(stage, side, jobs, connections) if phase == "accepts" else drain(stage, side, jobs)
        if phase == "mails":
            time.sleep(SETTLE_S)
        say(f"{side}: {phase} {rate:.0f} a second")
        figures.rates[phase][side].append(rate)
        for name, used in stage.cpu_s().items():
            figures.costs[phase, side][name.removeprefix(f"{side}-")].append(
                (used - before[name]) / jobs * 1e6
            )
    stage.halt(f"{side}-worker", *helpers)


def measure(stage: Stage, rounds: int, jobs: int, connections: int) -> Figures:
    """All rounds, the two sides in turn; the first of each only warms up."""
    figures = Figures()
    stage.halt("system-relay", *(f"{side}-worker" for side in SIDES))
    for number in range(rounds + 1):
        say(f"round {number} of {rounds}" if number else "warming up")
        for side in SIDES if number % 2 else reversed(SIDES):
            play(stage, side, jobs, connections, figures if number else Figures())
    wanted = (rounds + 1) * jobs
    if (arrived := stage.stored()) != 2 * wanted or (sent := recorded(stage)) != wanted:
        raise BenchError(f"{arrived} mails arrived instead of {2 * wanted}, {sent} of {wanted} are recorded")
    return figures


def ratios(figures: Figures) -> dict[str, float]:
    """The system's median over the bare one's."""
    median = statistics.median
    return {phase: round(median(by["system"]) / median(by["bare"]), 2) for phase, by in figures.rates.items()}


def rates_table(figures: Figures) -> str:
    """Medians, and the slowest and fastest round, as Markdown."""
    lines = ["| a second | system | bare | ratio | ratios of the rounds |", "|" + " --- |" * 5]
    for phase, by in figures.rates.items():
        cells = [
            f"{statistics.median(by[side]):.0f} ({min(by[side]):.0f}-{max(by[side]):.0f})" for side in SIDES
        ]
        each = [ours / bare for ours, bare in zip(by["system"], by["bare"], strict=True)]
        cells += [f"{ratios(figures)[phase]:.2f}", f"{min(each):.2f}-{max(each):.2f}"]
        lines.append(f"| {phase} | {' | '.join(cells)} |")
    return "\n".join(lines)


def costs_table(figures: Figures) -> str:
    """Where the time goes, as Markdown: CPU microseconds for one job, medians."""
    columns = ("api", "worker", "relay", "redis", "sink")
    lines = [f"| CPU us a job | {' | '.join(columns)} | all |", "|" + " --- |" * (len(columns) + 2)]
    for (phase, side), by in figures.costs.items():
        used = [statistics.median(by[name]) if name in by else 0.0 for name in columns]
        cells = " | ".join(f"{us:.0f}" for us in [*used, sum(used)])
        lines.append(f"| {phase}, {side} | {cells} |")
    return "\n".join(lines)


def main() -> int:
    """Runs the benchmark; 0, or 1 with words when the result cannot be trusted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.system_bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=11, help="measured rounds of each side")
    parser.add_argument("--jobs", type=int, default=1500, help="jobs of one round")
    parser.add_argument("--pool", type=int, default=4, help="Celery pool processes of each side")
    parser.add_argument("--connections", type=int, default=16, help="HTTP connections of the load")
    parser.add_argument("--small-sink", action="store_true", help="benchmarks/small_sink.py, not smtp-sink")
    parser.add_argument("--lean", action="store_true", help="the bare task writes its mails as an f-string")
    options = parser.parse_args()
    try:
        with interruptible(), Stage(options.pool, small_sink=options.small_sink, lean=options.lean) as stage:
            say(f"{options.jobs} jobs a round, {options.pool} pool processes, sink: {stage.sink}")
            figures = measure(stage, options.rounds, options.jobs, options.connections)
    except Interrupted:
        say("interrupted; everything is stopped")
        return 130
    except HarnessError as error:
        say(f"no result: {error}")
        return 1
    for text in (rates_table(figures), costs_table(figures), json.dumps(ratios(figures))):
        print(text, end="\n\n" if text.startswith("|") else "\n")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
