"""The harness on real systems: it acquits the sound one under every fault, and convicts the bad ones."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from chaos import marks
from tests.e2e.conftest import Finished, Harness, assert_nothing_left

pytestmark = pytest.mark.e2e


def judge(run: Finished) -> int:
    argv = [sys.executable, "-m", "chaos", "judge", str(run.folder)]
    return subprocess.run(argv, capture_output=True, check=False).returncode


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
    assert judge(run) == 0
    assert (run.folder / "verdict.json").read_bytes() == first

    # The same run with damaged evidence: never a pass, with words, and whole again when it is mended.
    deliveries = run.folder / "deliveries.jsonl"
    whole = deliveries.read_bytes()
    deliveries.write_bytes(whole[:-20])
    assert judge(run) == 2
    assert "truncated" in json.dumps(run.checks["evidence"])
    deliveries.unlink()
    deliveries.mkdir()  # unreadable, also for root
    assert judge(run) == 2
    assert "cannot be read" in json.dumps(run.checks["evidence"])
    deliveries.rmdir()
    deliveries.write_bytes(whole)
    assert judge(run) == 0
    assert (run.folder / "verdict.json").read_bytes() == first


def test_kill_workers_is_acquitted_and_mails_in_flight_come_within_lease_and_3_s(harness: Harness) -> None:
    run = harness.run("run", "kill-workers", "--rate", "60", "--duration", "8", "--seed", "5")
    assert_acquitted(run)
    hit = [kill for kill in run.verdict["kills"] if kill["delivered"]]
    assert hit, "no kill hit a mail in flight, so nothing was shown"
    # Within the lease + 3 s, or 3 s after the restart where that is later, as on a slow machine.
    assert run.checks["lease_recovery"]["verdict"] == "pass"
    assert run.checks["lease_recovery"]["details"]["applies"]


@pytest.mark.parametrize("pair", [("sever-redis", "break-smtp-login"), ("drop-after-dot", "kill-redis")])
def test_a_sound_system_is_acquitted(harness: Harness, pair: tuple[str, str]) -> None:
    """Two harnesses at once: neither may get into the other's way, and both together take less time."""
    flags = ("--rate", "40", "--duration", "8", "--seed", "11")
    started = [harness.start("run", scenario, *flags) for scenario in pair]
    for run in [harness.end(*one) for one in started]:
        assert_acquitted(run)


def test_bad_systems_are_convicted_side_by_side(harness: Harness) -> None:
    """Three harnesses at once, which must not get into each other's way."""
    bad = {
        "none": ("kill-workers", "lost"),
        "claim-first": ("kill-workers", "lost"),
        "mark-after": ("drop-after-dot", "duplicate"),
    }
    short = ("--rate", "60", "--duration", "8")
    started = {
        delivery: harness.start("run", scenario, *short, "--seed", "7", "--delivery", delivery)
        for delivery, (scenario, _) in bad.items()
    }
    for delivery, one in started.items():
        run = harness.end(*one)
        assert run.code == 1, f"{delivery}: {run.why()}"
        check = run.checks[bad[delivery][1]]
        assert check["verdict"] == "fail", delivery
        assert check["count"] > 0
        report = (run.folder / "report.html").read_text()
        assert all(key in report for key in check["keys"])
        assert set(check["keys"]) <= set(run.verdict["trails"])
        assert_nothing_left_of(run)


@pytest.mark.sociable
def test_a_sink_that_lies_is_found_out(harness: Harness) -> None:
    """Nobody but the judge can notice: every job says SUCCESS."""
    run = harness.run("run", "lying-sink", "--rate", "40", "--duration", "8", "--seed", "11")
    assert run.code == 1, run.why()
    stored = {fault: run.verdict["counts"][fault] for fault in ("lost", "duplicates")}
    assert min(stored.values()) > 0, stored
    assert {run.checks[name]["verdict"] for name in ("lost", "duplicate", "false_sent")} == {"fail"}
    assert_nothing_left(run.folder)


def assert_nothing_left_of(run: Finished) -> None:
    """Nothing of this run; the journals of the others are still live."""
    assert marks.processes_of(str(run.verdict["run"]), run.folder / "work") == []
    assert not (run.folder / "work").exists()


@pytest.mark.slow
def test_where_nobody_can_be_asked_held_doubts_are_neither_lost_nor_delivered(harness: Harness) -> None:
    """No receipts, DOUBT_POLICY=hold: every doubt stays with a person, and nothing is sent twice."""
    run = harness.run("run", "drop-after-dot", "--rate", "40", "--duration", "8", "--no-receipts")
    assert run.code == 0, run.why()  # all of them were stored, so none is missing
    assert run.verdict["counts"]["in_doubt"] > 0
    assert run.verdict["counts"]["duplicates"] == 0


@pytest.mark.sociable
def test_where_nobody_can_be_asked_resending_duplicates_and_says_why(harness: Harness) -> None:
    run = harness.run(
        "run",
        "drop-after-dot",
        *("--rate", "40", "--duration", "8"),
        *("--no-receipts", "--doubt-policy", "resend"),
    )
    assert run.code == 1, run.why()
    assert run.checks["unavoidable_duplicate"]["verdict"] == "fail"
    assert run.checks["lost"]["verdict"] == "pass"
    assert run.checks["duplicate"]["verdict"] == "pass"  # each of them could not be avoided
