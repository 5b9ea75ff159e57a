"""How far the verdict can be trusted: convictions and acquittals over many seeds (`make test-slow`)."""

from __future__ import annotations

import sys

import pytest

from tests.e2e.conftest import Harness, assert_nothing_left

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(3600)]

SHORT_KILLS = ("run", "kill-workers", "--rate", "50", "--duration", "6")


def tell(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


@pytest.mark.parametrize(
    ("delivery", "scenario", "convicted_of"),
    [
        ("none", "kill-workers", "lost"),
        ("claim-first", "kill-workers", "lost"),
        ("mark-after", "drop-after-dot", "duplicate"),
    ],
)
def test_bad_systems_are_convicted_in_9_of_10_seeds(
    harness: Harness, delivery: str, scenario: str, convicted_of: str
) -> None:
    convicted = 0
    for seed in range(100, 110):
        run = harness.run("run", scenario, "--seed", str(seed), "--delivery", delivery)
        check = run.checks[convicted_of]
        convicted += run.code == 1 and check["verdict"] == "fail" and check["count"] > 0
        tell(f"{delivery} seed {seed}: exit {run.code}, {convicted_of} {check['count']}")
        assert_nothing_left(run.folder)
    tell(f"{delivery}: {convicted} of 10 convicted")
    assert convicted >= 9


def test_calm_is_acquitted_20_times_in_a_row(harness: Harness) -> None:
    for number in range(20):
        run = harness.run("run", "calm", "--rate", "50", "--duration", "5", "--seed", str(number))
        tell(f"calm {number}: exit {run.code}")
        assert run.code == 0, run.why()


def test_kill_workers_is_acquitted_for_20_seeds(harness: Harness) -> None:
    for seed in range(200, 220):
        run = harness.run(*SHORT_KILLS, "--seed", str(seed))
        slowest = max((kill["max_s"] or 0 for kill in run.verdict["kills"]), default=0)
        tell(f"kill-workers seed {seed}: exit {run.code}, slowest mail in flight {slowest:.1f} s")
        assert run.code == 0, run.why()
