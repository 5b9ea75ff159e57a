"""The counts of a plan, in memory and shared."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_smtp.capture import EvidenceError
from fake_smtp.tally import OwnTally, SharedTally, Tally


@pytest.fixture(params=["own", "shared"])
def tally(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tally]:
    made = OwnTally() if request.param == "own" else SharedTally(tmp_path / "1")
    yield made
    made.close()


def test_each_mail_and_stage_is_counted_for_itself(tally: Tally) -> None:
    asked = [
        ("rcpt", "a"),
        ("rcpt", "b"),
        ("rcpt", "a"),
        ("dot", "a"),
        ("rcpt", "\udc80"),
        ("rcpt", "\udc80"),
    ]
    assert [tally.seen(stage, name) for stage, name in asked] == [1, 1, 2, 1, 1, 2]


def test_a_rule_is_used_up(tally: Tally) -> None:
    assert [tally.try_use(0, 2) for _ in range(4)] == [True, True, False, False]
    assert tally.try_use(1, 1)


def test_a_shared_tally_without_rules_that_ask_makes_no_file(tmp_path: Path) -> None:
    SharedTally(tmp_path / "1").close()
    assert not list(tmp_path.iterdir())


def test_a_lost_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="the counts of the plan"):
        SharedTally(tmp_path / "gone" / "1").seen("rcpt", "a")


def test_several_processes_count_together(tmp_path: Path) -> None:
    times, processes = 200, 3
    pids = []
    for _ in range(processes):
        pid = os.fork()
        if not pid:
            code = 1
            try:
                own = SharedTally(tmp_path / "1")
                uses = sum(own.try_use(0, 100) for _ in range(times))
                for _ in range(times):
                    own.seen("rcpt", "a")
                (tmp_path / f"uses-{os.getpid()}").write_text(str(uses))
                code = 0
            finally:
                os._exit(code)
        pids.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * processes
    last = SharedTally(tmp_path / "1")
    assert last.seen("rcpt", "a") == times * processes + 1
    assert sum(int((tmp_path / f"uses-{pid}").read_text()) for pid in pids) == 100
    last.close()
