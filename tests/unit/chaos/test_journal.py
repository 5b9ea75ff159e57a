"""The undo journal: on disk before the act, undone last first, never forgotten."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chaos.errors import HarnessError
from chaos.journal import Journal, refuse_stale, stale, undo_file


def entries(journal: Journal) -> list[dict]:
    return [json.loads(line) for line in journal.path.read_text().splitlines()]


def dead_journal(state: Path, run: str = "dead") -> Path:
    """A journal whose owner lived and is gone."""
    script = (
        "import sys, pathlib; from chaos.journal import Journal;"
        f"Journal(pathlib.Path(sys.argv[1]), {run!r}).will('thing', name='left')"
    )
    subprocess.run([sys.executable, "-c", script, str(state)], check=True)
    return state / f"{run}.jsonl"


def test_an_entry_is_on_disk_before_the_act(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "run")
    journal.will("thing", name="a")
    assert entries(journal)[-1]["params"] == {"name": "a"}


def test_open_entries_are_undone_last_first_and_the_file_goes(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "run")
    undone: list[str] = []
    numbers = [journal.will("thing", name=name) for name in "abc"]
    journal.done(numbers[1])
    problems = journal.undo_all({"thing": lambda params: undone.append(params["name"])})
    assert (problems, undone) == ([], ["c", "a"])
    assert not journal.path.exists()


def test_one_failed_undo_keeps_the_others_going_and_the_journal_there(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "run")
    undone: list[str] = []

    def undo(params: dict) -> str | None:
        if params["name"] == "b":
            raise OSError("no way")
        undone.append(params["name"])
        return None

    for name in "abc":
        journal.will("thing", name=name)
    problems = journal.undo_all({"thing": undo})
    assert undone == ["c", "a"]
    assert len(problems) == 1
    assert "no way" in problems[0]
    assert journal.path.exists()


def test_an_unknown_kind_is_a_problem(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "run")
    journal.will("sorcery")
    assert "sorcery" in journal.undo_all({})[0]


def test_a_line_torn_by_the_death_of_its_writer_announces_nothing(tmp_path: Path) -> None:
    path = dead_journal(tmp_path)
    with path.open("a") as file:
        file.write('{"op": "will", "n": 1, "ki')
    undone: list[dict] = []
    assert undo_file(path, {"thing": undone.append}) == []
    assert undone == [{"name": "left"}]


def test_a_journal_is_stale_only_when_its_owner_is_gone(tmp_path: Path) -> None:
    live = Journal(tmp_path, "live")
    dead = dead_journal(tmp_path)
    assert stale(tmp_path) == [dead]
    assert live.path.exists()


def test_a_reused_pid_does_not_make_a_journal_live(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "run")
    opened = entries(journal)[0]
    journal.path.write_text(json.dumps(opened | {"born": "1"}) + "\n")
    assert stale(tmp_path) == [journal.path]


def test_a_run_refuses_to_start_over_a_stale_journal_and_says_what_to_do(tmp_path: Path) -> None:
    dead_journal(tmp_path, "yesterday")
    with pytest.raises(HarnessError, match=r"yesterday.*python -m chaos undo"):
        Journal(tmp_path, "today")
    with pytest.raises(HarnessError):
        refuse_stale(tmp_path)
