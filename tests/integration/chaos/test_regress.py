"""`regress` as a whole, as small as it can be: two stacks, a few mails, one comparison, nothing left."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from chaos import marks, servers
from chaos.paths import state_dir
from chaos.regress import rounds, sources
from chaos.regress.rounds import Shape
from chaos.regress.run import regress
from chaos.regress.wish import Wish
from reports.evidence import read
from tests.conftest import need

TINY = Shape(rounds=2, lives=2, warm_up=0, turns=2, mails=3, alone=1)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """The same system in another folder."""
    source = sources.find("worktree")
    source.lay(tmp_path / "other")
    (tmp_path / "other" / sources.LOCK).write_bytes(source.lock())
    return tmp_path / "other"


@pytest.mark.e2e
@pytest.mark.sociable
def test_two_sides_are_measured_judged_and_leave_nothing_behind(other: Path, tmp_path: Path) -> None:
    found = servers.find_all()
    need(found["redis-server"].path, "redis-server")
    comparison, folder = regress(Wish(base=str(other), shape=TINY, out=tmp_path / "out"), found)

    assert comparison.correctness == "pass", comparison.reason
    assert comparison.performance == "unknown"  # two rounds say nothing
    assert comparison.head.revision != ""
    written = {path.name for path in folder.iterdir()}
    assert written >= {"regress.html", "regress.json", "summary.md", "history.csv", "rounds.jsonl"}
    about, played, again = read(folder / "rounds.jsonl").records
    assert [record["life"] for record in (played, again)] == [1, 2]
    assert about["taken_from"] == dict.fromkeys(("base", "head"), "system/__init__.py")
    assert all(played[side]["values"]["cpu_ms"] > 0 for side in ("base", "head"))
    for side in ("base", "head"):
        assert (folder / side / "report.html").exists()
        assert not (folder / side / "work").exists()
        mails = TINY.rounds * TINY.mails_a_round
        assert sum(r["event"] == "ok" for r in read(folder / side / "submissions.jsonl").records) == mails
    assert not list(state_dir().glob("*.jsonl"))
    assert not [p for p in psutil.process_iter() if _ours(p, comparison.head.run, comparison.base.run)]


@pytest.mark.e2e
@pytest.mark.sociable
@pytest.mark.slow
def test_a_head_that_loses_mails_fails_although_nothing_could_be_measured(
    other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = servers.find_all()
    need(found["redis-server"].path, "redis-server")
    mailer = other / "system" / "delivery" / "mailer.py"
    text = mailer.read_text()
    line = "        kept = self._kept()\n"
    assert text.count(line) == 1
    liar = (
        '        if recipient.startswith("u000001"):\n            return Outcome("sent", "dot", "250 ok")\n'
    )
    mailer.write_text(text.replace(line, liar + line))
    monkeypatch.setattr(rounds, "BURST_LIMIT_S", 1.0)

    wish = Wish(base="worktree", head=str(other), shape=replace(TINY, rounds=3), out=tmp_path / "out")
    comparison, _ = regress(wish, found)
    assert (comparison.verdict, comparison.correctness) == ("fail", "fail")
    assert comparison.base.verdict == "pass"
    assert "false" in comparison.reason or "lost" in comparison.reason
    assert any("were not stored within 1 s" in note for note in comparison.notes)


def _ours(process: psutil.Process, *runs: str) -> bool:
    try:
        return process.environ().get(marks.VARIABLE) in runs
    except psutil.Error:
        return False
