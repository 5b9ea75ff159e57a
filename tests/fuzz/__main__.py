"""python -m tests.fuzz --minutes 10 --seed 1: attack a sink of our own until the time is over.

A failing case is named with its seed and number; `--seed S --case N` does it again. Exit codes: 0 nothing
found, 1 something.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import math
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.fuzz.control import Probe, valid_plan
from tests.fuzz.smtp import Attack
from tests.fuzz.target import Target

_CALM_EVERY = 10
_PATIENCE_S = 0.3
# A 503 says in JSON what is wrong; every other 5xx is an accident.
_ACCIDENT = re.compile(rb"^HTTP/1\.[01] (?!503 [^\0]*\r\n\r\n\{\"error\")5\d\d", re.MULTILINE)


@dataclass
class Runner:
    """One run: its cases are made from the seed and their number, and from nothing else."""

    target: Target
    seed: int
    tell: Callable[[str], object]
    """Hears of each problem when it is found."""
    found: int = 0

    def case(self, number: int) -> None:
        """Carry out one case, and look at the target."""
        rng = Random(f"{self.seed}/{number}")
        if rng.random() < 0.5:
            self.target.put_plan(valid_plan(rng))
        attacks = [Attack.make(rng) for _ in range(rng.choice((1, 2, 8, 20)))]
        probes = [Probe.make(rng) for _ in range(rng.choice((0, 2, 10, 25)))]
        self._note(number, asyncio.run(self._storm(attacks, probes)))
        self._note(number, self.target.problems())
        if number % _CALM_EVERY == 0:
            self.calm(number)

    def calm(self, number: int) -> None:
        """Let the target come to rest, and look at it again."""
        self._note(number, self.target.calm(Random(number)))
        self._note(number, self.target.problems())

    def end(self, number: int) -> None:
        """Stop the target and judge its whole life."""
        self._note(number, self.target.growth())
        self._note(number, self.target.stop())

    async def _storm(self, attacks: list[Attack], probes: list[Probe]) -> list[str]:
        clients = [attack.run(self.target.smtp_port, _PATIENCE_S) for attack in attacks]
        answers = asyncio.gather(*(probe.run(self.target.control_port) for probe in probes))
        await asyncio.gather(answers, *clients)
        return [
            f"{answer[:200]!r} to {probe.said[:1500]!r}"
            for probe, answer in zip(probes, answers.result(), strict=True)
            if _ACCIDENT.search(answer)
        ]

    def _note(self, number: int, problems: Iterable[str]) -> None:
        for problem in problems:
            self.found += 1
            self.tell(f"seed {self.seed}, case {number}: {problem}")


def attack(
    out: Path,
    seed: int,
    cases: Iterable[int],
    until_s: float = math.inf,
    tell: Callable[[str], object] = print,
    options: Iterable[str] = (),
) -> str:
    """Attack a new sink in `out` with these cases, or until the monotonic time; tell what is wrong.

    Returns the numbers of the run in words. `options` are more options of the sink.
    """
    runner = Runner(Target(out, *options), seed, tell)
    number = 0
    try:
        for number in cases:
            if time.monotonic() > until_s or not runner.target.alive():
                break
            runner.case(number)
        if runner.target.alive():
            runner.calm(number)
    finally:
        runner.end(number)
    return f"{runner.found} found up to case {number}; {runner.target.state()}"


def main() -> int:
    """Run as asked; print what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Attack a sink of our own.")
    parser.add_argument("--minutes", type=float, default=1.0, help="how long (default 1)")
    parser.add_argument("--seed", type=int, default=1, help="which cases (default 1)")
    parser.add_argument("--case", type=int, help="only this one")
    parser.add_argument("--sink", default="", help="more options of the sink, such as --sink=--tls")
    given = parser.parse_args()
    cases = itertools.count(1) if given.case is None else [given.case]
    told: list[str] = []

    def tell(problem: str) -> None:
        told.append(problem)
        sys.stdout.write(f"{problem}\n")
        sys.stdout.flush()

    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        until_s = time.monotonic() + given.minutes * 60
        summary = attack(Path(folder) / "sink", given.seed, cases, until_s, tell, given.sink.split())
    sys.stdout.write(f"{summary}\n")
    if told:
        sys.stdout.write(f"again: python -m tests.fuzz --seed {given.seed} --case N\n")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
