from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reports.compare import render, runs, text
from reports.compare.correctness import check_rows, conclude
from reports.compare.stored import NotComparable
from reports.evidence import DELIVERIES
from reports.render import document, replace_file
from reports.verdict import judge
from tests.unit.reports.runs import Run

MACHINE = {"cpu": "a processor", "cores": "2"}
SCHEMA = json.loads((Path(render.__file__).parent / "comparison.schema.json").read_bytes())


def stored(folder: Path, spoil: Any = None, **plan: Any) -> Path:
    folder.mkdir()
    run = Run.sound()
    run.plan |= {"machine": MACHINE} | plan
    if spoil:
        spoil(run)
    run.write(folder)
    replace_file(folder / "verdict.json", document.as_json(judge(folder)))
    return folder


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return stored(tmp_path / "base")


def test_two_sound_runs_pass_and_nothing_is_called_significant(base: Path, tmp_path: Path) -> None:
    found = runs.compare(base, stored(tmp_path / "head", revision="abc"))
    assert (found.verdict, found.correctness) == ("pass", "pass")
    assert found.performance == "unknown"
    assert {row.finding for row in found.rows} == {"shown only"}
    assert any("one run each" in note for note in found.notes)
    assert any("50%" in note for note in found.notes)
    jsonschema.validate(json.loads(render.as_json(found)), SCHEMA)


def test_a_head_that_loses_a_mail_fails_and_the_check_is_named(base: Path, tmp_path: Path) -> None:
    head = stored(tmp_path / "head", lambda run: run.never_stored(0))
    found = runs.compare(base, head)
    assert found.verdict == "fail"
    assert "lost fails, and passed before" in found.reason
    assert "`lost`" in render.as_markdown(found)
    assert runs.compare(head, base).verdict == "pass"


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"rate_per_s": 11}, "rate per s"),
        ({"delivery": "none"}, "delivery"),
        ({"arrivals": "poisson"}, "arrivals"),
        ({"machine": MACHINE | {"cores": "4"}}, "machine, cores: 2 and 4"),
        ({"machine": {}}, "machine: not on record"),
    ],
)
def test_unlike_runs_are_refused_with_the_difference_named(
    base: Path, tmp_path: Path, plan: dict[str, Any], words: str
) -> None:
    head = stored(tmp_path / "head", **plan)
    with pytest.raises(NotComparable, match=words):
        runs.compare(base, head)
    looked = runs.compare(base, head, anyway=True)
    assert looked.verdict == "unknown"
    assert any(words in note for note in looked.notes)


def test_other_seeds_and_versions_are_remarked_not_refused(base: Path, tmp_path: Path) -> None:
    found = runs.compare(base, stored(tmp_path / "head", versions={"python": "3.12"}))
    assert "python: 3.11 and 3.12" in found.notes


def test_a_folder_that_was_not_judged_says_what_to_do(base: Path, tmp_path: Path) -> None:
    (base / "verdict.json").unlink()
    with pytest.raises(NotComparable, match="python -m chaos judge"):
        runs.compare(base, base)
    with pytest.raises(NotComparable, match="is not a run"):
        runs.compare(tmp_path / "none", base)
    (base / "verdict.json").write_text('{"verdict": "fine"}')
    with pytest.raises(NotComparable, match="judge the run again"):
        runs.compare(base, base)


def test_without_evidence_there_are_no_times_and_it_says_so(base: Path, tmp_path: Path) -> None:
    head = stored(tmp_path / "head")
    (head / DELIVERIES).unlink()
    found = runs.compare(base, head)
    assert "due to stored: no evidence in one of the runs" in found.notes
    assert next(row for row in found.rows if row.metric.name == "due_to_stored_p50").head is None


def test_only_a_fail_after_a_pass_is_the_heads_fault() -> None:
    rows = check_rows(
        {"a": "pass", "b": "fail", "c": "unknown", "d": "pass", "gone": "pass"},
        {"a": "fail", "b": "fail", "c": "fail", "d": "unknown", "new": "pass"},
    )
    verdicts = {row.name: row.verdict for row in rows}
    assert verdicts == {
        "a": "fail",
        "b": "unknown",
        "c": "unknown",
        "d": "unknown",
        "new": "pass",
        "gone": "unknown",
    }
    assert conclude(rows)[0] == "fail"
    assert "b fails in both" in conclude(rows[1:])[1]


def test_the_table_is_for_a_terminal(base: Path, tmp_path: Path) -> None:
    lines = text.as_text(runs.compare(base, stored(tmp_path / "head"))).splitlines()
    assert lines[0].startswith("PASS: ")
    assert any(line.startswith("due to stored, p99, s") for line in lines)
