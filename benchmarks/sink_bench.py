"""Mails per second that the sink takes and writes down, as ratios to an aiosmtpd that keeps nothing.

Run by `make bench-sink`. The servers are measured in turn, round after round. Prints tables, and as its last
line a JSON object of the two ratios. Ends with status 1 and no such line when they cannot be trusted.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import requests

from benchmarks.sink_sides import (
    GREENMAIL,
    OURS,
    OURS_OPEN,
    STOCK,
    Side,
    Sides,
    debian_tool,
)
from benchmarks.sink_tables import (
    RATIOS,
    Sample,
    Samples,
    ceiling,
    compared,
    middle,
    ratios,
    ratios_table,
    sides_table,
)
from chaos.errors import HarnessError, Interrupted
from chaos.paths import PROJECT
from chaos.signals import interruptible
from chaos.stack.ports import HOST

LIMIT_S = 120
MAIL_BYTES = 700
BUSY, FREE = 0.8, 0.9


class BenchError(HarnessError):
    """What was measured cannot be trusted."""


@dataclass(frozen=True)
class Phase:
    """One way to send: a new connection for each mail or kept ones, by our sender or by smtp-source."""

    name: str
    mode: str
    by_source: bool = False


PHASES = (
    Phase("auth_each", "each"),
    Phase("kept", "kept"),
    Phase("source_each", "each", by_source=True),
    Phase("source_kept", "kept", by_source=True),
)


def say(words: str) -> None:
    """Progress, beside the result."""
    sys.stderr.write(words + "\n")
    sys.stderr.flush()


def run(argv: list[str], what: str) -> str:
    """Runs a sender; what it printed."""
    try:
        done = subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        raise BenchError(f"{what} did not end in {LIMIT_S} s") from None
    if done.returncode:
        raise BenchError(f"{what} ended with an error: {done.stderr.strip()[-800:]}")
    return done.stdout


def send(side: Side, phase: Phase, mails: int, connections: int) -> tuple[float, float]:
    """Sends the mails with our sender; wall and CPU seconds that it took."""
    words = (str(side.port), phase.mode, str(mails), str(connections), "login" if side.login else "open")
    took = json.loads(run([sys.executable, "-m", "benchmarks.smtp_load", *words], f"the load of {side.name}"))
    if took["mails"] != mails:
        raise BenchError(f"{side.name} took {took['mails']} of {mails} mails")
    return took["wall_s"], took["cpu_s"]


def send_by_source(side: Side, phase: Phase, mails: int, connections: int) -> tuple[float, float]:
    """Sends the mails with smtp-source, which cannot log in; wall and CPU seconds that it took."""
    tool = debian_tool("smtp-source")
    assert tool is not None
    kept = ["-d"] if phase.mode == "kept" else []
    numbers = ("-s", str(connections), "-m", str(mails), "-l", str(MAIL_BYTES))
    addresses = ("-f", "shop@example.org", "-t", "somebody@example.org")
    before, began = used_by_children_s(), time.perf_counter()
    run([tool, *kept, *numbers, *addresses, f"{HOST}:{side.port}"], f"smtp-source to {side.name}")
    return time.perf_counter() - began, used_by_children_s() - before


def used_by_children_s() -> float:
    """CPU seconds of all senders that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def takes_part(side: Side, phase: Phase) -> bool:
    """Whether this is a phase for that server: smtp-source needs one without a login, ours is there twice."""
    if phase.by_source:
        return side.open and debian_tool("smtp-source") is not None
    return side.name != OURS_OPEN


def play(sides: Sides, side: Side, phase: Phase, mails: int, connections: int) -> Sample:
    """One phase of one server, all others standing still."""
    mails = max(connections, round(mails * side.share.get(phase.mode, 1)))
    ours = side.name in (OURS, OURS_OPEN)
    sides.go_on(side.name)
    stored = sides.stored(side.name) if ours else 0
    before_s = sides.cpu_s(side.name)
    wall_s, sender_s = (send_by_source if phase.by_source else send)(side, phase, mails, connections)
    sample = Sample(mails, wall_s, sender_s, sides.cpu_s(side.name) - before_s)
    if ours and (grown := sides.stored(side.name) - stored) != mails:
        raise BenchError(f"{phase.name}: {mails} mails were sent, and {side.name} stored {grown}")
    if side.name == GREENMAIL:
        sides.forget(side.name)
    sides.halt(side.name)
    say(f"{phase.name}, {side.name}: {sample.rate:.0f} a second, {sample.cost_us:.0f} us a mail")
    return sample


def measure(sides: Sides, rounds: int, mails: dict[str, int], connections: int) -> Samples:
    """All rounds, the servers in turn and every other time backwards; a short one before only warms up."""
    parts = [(phase, side) for phase in PHASES for side in sides.all.values() if takes_part(side, phase)]
    samples: Samples = {(phase.name, side.name): [] for phase, side in parts}
    for number in range(rounds + 1):
        say(f"round {number} of {rounds}" if number else "warming up")
        order = list(sides.all.values())[:: 1 if number % 2 else -1]
        for phase in PHASES:
            count = mails[phase.mode] if number else max(connections, mails[phase.mode] // 4)
            for side in (side for side in order if takes_part(side, phase)):
                sample = play(sides, side, phase, count, connections)
                samples[phase.name, side.name] += [sample] if number else []
    return samples


def distrust(samples: Samples) -> tuple[str | None, str | None]:
    """Why the ratios say nothing, and why to run it again; None: no reason."""
    limited = doubtful = None
    for phase in RATIOS:
        for name, by in zip((OURS, STOCK), compared(samples, phase), strict=True):
            server, sender = middle(by, lambda one: one.server_busy), middle(by, lambda one: one.sender_busy)
            where = f"{phase}, {name}: server busy {server:.0%}, sender busy {sender:.0%}"
            if sender > FREE:
                limited = f"{where}; the sender was the limit"
            elif server < BUSY:
                doubtful = f"{where}; the machine had other work: run it again when it has none"
    return limited, doubtful


def main() -> int:
    """Runs the benchmark; 0, or 1 with words when the result cannot be trusted."""
    options = parser().parse_args()
    mails = {"each": options.mails, "kept": options.mails_kept}
    jar = options.greenmail or os.environ.get("GREENMAIL_JAR")
    try:
        with (
            interruptible(),
            Sides(
                uvloop=options.aiosmtpd_uvloop,
                spared=options.aiosmtpd_malloc,
                greenmail=Path(jar) if jar else None,
            ) as sides,
        ):
            say(f"{', '.join(sides.all)}; {options.connections} connections")
            samples = measure(sides, options.rounds, mails, options.connections)
            texts = [ratios_table(samples), sides_table(samples), ceiling(samples)]
    except Interrupted:
        say("interrupted; everything is stopped")
        return 130
    except (HarnessError, requests.RequestException) as error:
        say(f"no result: {error}")
        return 1
    for text in texts:
        print(text, end="\n\n")  # noqa: T201
    limited, doubtful = distrust(samples)
    if limited:
        say(f"no result: {limited}")
        return 1
    if doubtful:
        say(f"a doubtful result: {doubtful}")
    print(json.dumps(ratios(samples)))  # noqa: T201
    return 0


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.sink_bench", description=__doc__)
    made.add_argument("--rounds", type=int, default=7, help="measured rounds of each server")
    made.add_argument("--mails", type=int, default=2000, help="mails of one round, each on its connection")
    made.add_argument("--mails-kept", type=int, default=6000, help="mails of one round on kept connections")
    made.add_argument("--connections", type=int, default=16, help="connections at a time")
    made.add_argument("--aiosmtpd-uvloop", action="store_true", help="measure aiosmtpd on uvloop too")
    made.add_argument("--aiosmtpd-malloc", action="store_true", help="and one spared of mmap (see sink.md)")
    made.add_argument("--greenmail", metavar="JAR", help="measure GreenMail too (or GREENMAIL_JAR=JAR)")
    return made


if __name__ == "__main__":
    sys.exit(main())
