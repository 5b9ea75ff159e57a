"""Requests per second and core of our load, evidence on, over those of a plain FastHttpUser.

Run by `make bench-load`. The two are measured in turn, round after round. Prints a table, and as its last
line a JSON object of the ratio. Ends with status 1 and no such line when it cannot be trusted.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable

from benchmarks.load_sides import OURS, PLAIN, SIDES, Sample, play, server
from chaos.errors import HarnessError, Interrupted
from chaos.signals import interruptible

FULL, BUSY = 0.9, 0.8


def say(words: str) -> None:
    """Progress, beside the result."""
    sys.stderr.write(words + "\n")
    sys.stderr.flush()


def measure(rounds: int, requests: int, users: int) -> dict[str, list[Sample]]:
    """All rounds, every other one backwards; a short one before only warms up."""
    samples: dict[str, list[Sample]] = {side: [] for side in SIDES}
    with server() as served:
        for number in range(rounds + 1):
            for side in SIDES[:: 1 if number % 2 else -1]:
                sample = play(side, served, requests if number else requests // 5, users)
                say(
                    f"round {number}, {side}: {sample.per_core:.0f} per CPU second, {sample.rate:.0f} a"
                    f" second, server busy {sample.server_s / sample.wall_s:.0%}"
                )
                samples[side] += [sample] if number else []
    return samples


def middle(samples: list[Sample], value: Callable[[Sample], float]) -> float:
    """The median of a value."""
    return statistics.median(value(sample) for sample in samples)


def ratios(samples: dict[str, list[Sample]]) -> list[float]:
    """One for each round, sorted: the two sides of a round had the same weather."""
    pairs = zip(samples[OURS], samples[PLAIN], strict=True)
    return sorted(ours.per_core / plain.per_core for ours, plain in pairs)


def ratio(samples: dict[str, list[Sample]]) -> float:
    """Their median: the result."""
    return statistics.median(ratios(samples))


def table(samples: dict[str, list[Sample]]) -> str:
    """The medians, side by side."""
    lines = [
        "| | per core and second | CPU us a request | by the clock, a second | load's core | server's core |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for side in SIDES:
        of = samples[side]
        cells = [
            f"{middle(of, lambda one: one.per_core):.0f}",
            f"{middle(of, lambda one: 1e6 / one.per_core):.0f}",
            f"{middle(of, lambda one: one.rate):.0f}",
            f"{middle(of, lambda one: one.cpu_s / one.wall_s):.0%}",
            f"{middle(of, lambda one: one.server_s / one.wall_s):.0%}",
        ]
        lines.append(f"| {side} | {' | '.join(cells)} |")
    lines.append(f"\nratios of the rounds: {', '.join(f'{one:.2f}' for one in ratios(samples))}")
    return "\n".join(lines)


def main() -> int:
    """Run the benchmark; 0, or 1 with words when the result cannot be trusted."""
    options = parser().parse_args()
    try:
        with interruptible():
            samples = measure(options.rounds, options.requests, options.users)
    except Interrupted:
        say("interrupted; everything is stopped")
        return 130
    except HarnessError as error:
        say(f"no result: {error}")
        return 1
    print(table(samples), end="\n\n")  # noqa: T201
    busy = max(middle(samples[side], lambda one: one.server_s / one.wall_s) for side in SIDES)
    if busy > FULL:
        say(f"no result: the server was the limit (its core was {busy:.0%} full)")
        return 1
    had = min(middle(samples[side], lambda one: one.cpu_s / one.wall_s) for side in SIDES)
    if had < BUSY:
        say(f"a doubtful result: the load had only {had:.0%} of its core; the machine had other work")
    print(json.dumps({"load": round(ratio(samples), 3)}))  # noqa: T201
    return 0


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.load_bench", description=__doc__)
    made.add_argument("--rounds", type=int, default=7, help="measured rounds of each side")
    made.add_argument("--requests", type=int, default=20_000, help="requests of one round")
    made.add_argument("--users", type=int, default=16, help="users of the plain side")
    return made


if __name__ == "__main__":
    sys.exit(main())
