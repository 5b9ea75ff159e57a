"""The harness on real systems: it acquits the sound one under every fault, and convicts the bad ones."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.e2e.conftest import Finished, Harness, assert_nothing_left

pytestmark = pytest.mark.e2e


def assert_acquitted(run: Finished) -> None:
    assert run.code == 0, run.why()
    assert run.verdict["verdict"] == "pass"
    assert run.verdict["counts"]["lost"] == 0
    assert run.verdict["counts"]["duplicates"] == 0
    for name in ("report.html", "junit.xml", "summary.md", "verdict.json"):
        assert (run.folder / name).stat().st_size > 0
    assert_nothing_left(run.folder)


def test_calm_is_acquitted_and_judging_again_says_the_same(harness: Harness) -> None:
    run = harness.run("run", "calm", "--rate", "40", "--duration", "5", "--seed", "3")
    assert_acquitted(run)
    first = (run.folder / "verdict.json").read_bytes()
    again = subprocess.run(
        [sys.executable, "-m", "chaos", "judge", str(run.folder)], capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    assert (run.folder / "verdict.json").read_bytes() == first


def test_evidence_that_lost_its_end_is_never_a_pass(harness: Harness) -> None:
    run = harness.run("run", "calm", "--rate", "40", "--duration", "4")
    assert run.code == 0, run.why()
    deliveries = run.folder / "deliveries.jsonl"
    whole = deliveries.read_bytes()
    judge = [sys.executable, "-m", "chaos", "judge", str(run.folder)]
    deliveries.write_bytes(whole[:-20])
    assert subprocess.run(judge, capture_output=True, check=False).returncode == 2
    assert "truncated" in json.dumps(run.checks["evidence"])
    deliveries.unlink()
    assert subprocess.run(judge, capture_output=True, check=False).returncode == 2
    deliveries.write_bytes(whole)
    assert subprocess.run(judge, capture_output=True, check=False).returncode == 0


def test_kill_workers_is_acquitted_and_mails_in_flight_come_within_lease_and_3_s(harness: Harness) -> None:
    run = harness.run("run", "kill-workers", "--rate", "60", "--duration", "8", "--seed", "5")
    assert_acquitted(run)
    hit = [kill for kill in run.verdict["kills"] if kill["in_flight"]]
    assert hit, "no kill hit a mail in flight, so nothing was shown"


@pytest.mark.parametrize("scenario", ["sever-redis", "break-smtp-login", "drop-after-dot", "kill-redis"])
def test_a_sound_system_is_acquitted(harness: Harness, scenario: str) -> None:
    assert_acquitted(harness.run("run", scenario, "--rate", "40", "--duration", "10", "--seed", "11"))


@pytest.mark.parametrize(
    ("delivery", "convicted_of"), [("none", "lost"), ("claim-first", "lost"), ("mark-after", "duplicate")]
)
def test_a_bad_system_is_convicted(harness: Harness, delivery: str, convicted_of: str) -> None:
    run = harness.run("run", "kill-workers", "--seed", "7", "--delivery", delivery)
    assert run.code == 1, run.why()
    check = run.checks[convicted_of]
    assert check["verdict"] == "fail"
    assert check["count"] > 0
    report = (run.folder / "report.html").read_text()
    assert all(key in report for key in check["keys"])
    assert_nothing_left(run.folder)
