"""Every check against a sound history and against every known-bad one: exactly the right checks notice."""

from __future__ import annotations

import pytest

from reports.checks import CHECKS
from reports.verdict import judge

from .bad import BAD
from .runs import Run

# Its histories are in test_limits.py; without limits in the plan it has nothing to say.
ELSEWHERE = {"limits"}
NAMES = {check.__name__ for check in CHECKS} - ELSEWHERE


def outcome(verdict):
    return {check.name: check.verdict for check in verdict.checks if check.verdict != "pass"}


def test_a_sound_run_passes_every_check(tmp_path):
    verdict = judge(Run.sound().write(tmp_path))
    assert outcome(verdict) == {}
    assert (verdict.verdict, verdict.exit_code) == ("pass", 0)


@pytest.mark.parametrize("bad", BAD, ids=[bad.name for bad in BAD])
def test_known_bad_history(bad, tmp_path):
    run = Run.sound()
    spoil = bad.build(run)
    verdict = judge(run.write(tmp_path, spoil))
    assert outcome(verdict) == bad.expected
    worst = "fail" if "fail" in bad.expected.values() else "unknown"
    assert verdict.verdict == worst
    assert verdict.exit_code == {"fail": 1, "unknown": 2}[worst]
    guilty = [check for check in verdict.checks if check.verdict == worst]
    assert any(check.name in verdict.reason for check in guilty)


def test_every_check_has_a_known_bad_history():
    covered = {name for bad in BAD for name in bad.expected}
    assert covered == NAMES


# What can never fail a run: evidence, and what only says whether the experiment took place.
NEVER_FAIL = {"evidence", "accepted", "offered", "story", "bite", "held", "given_up"}


def test_every_check_that_can_fail_has_a_history_that_fails_it():
    failing = {name for bad in BAD for name, verdict in bad.expected.items() if verdict == "fail"}
    assert failing == NAMES - NEVER_FAIL


def test_every_check_has_a_history_that_leaves_it_unknown():
    unknown = {name for bad in BAD for name, verdict in bad.expected.items() if verdict == "unknown"}
    assert unknown == NAMES


def test_a_result_bears_the_name_of_its_function(tmp_path):
    verdict = judge(Run.sound().write(tmp_path))
    assert [check.name for check in verdict.checks] == [check.__name__ for check in CHECKS]
