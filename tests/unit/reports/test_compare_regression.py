from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reports.compare import gate, regression, render, text
from reports.compare.stored import NotComparable
from reports.evidence import Appender
from reports.render import document, markdown, replace_file
from reports.verdict import judge
from tests.unit.reports.runs import Run

SCHEMA = json.loads((Path(render.__file__).parent / "comparison.schema.json").read_bytes())


def measured(folder: Path, ratio: float = 1.0, rounds: int = 16) -> Path:
    """A folder as `regress` leaves it."""
    for name in ("base", "head"):
        Run.sound().write(folder / name)
        replace_file(folder / name / "verdict.json", document.as_json(judge(folder / name)))
    record = Appender(folder / regression.ROUNDS, "r-1", "regress")
    record.append("measurement", base="main (abc)", head="<b>mine</b>", settings={"seed": 1}, command=["x"])
    record.append("spoilt", round=0, why="head: 1 of 3 mails were not stored")
    for number in range(rounds):
        record.append("round", round=number, warm_up=number == 0, **played(number, ratio))
    record.close()
    return folder


def played(number: int, ratio: float) -> dict[str, Any]:
    wobble = 1 + 0.004 * (number % 5 - 2)
    base = {metric.name: 5.0 + number / 10 for metric in gate.METRICS}
    head = {name: value * wobble * ratio for name, value in base.items()}
    return {"base": {"values": base}, "head": {"values": head}}


def test_a_slow_head_fails_and_the_same_folder_says_the_same_again(tmp_path: Path) -> None:
    folder = measured(tmp_path, ratio=1.1)
    found = regression.conclude(folder, gate.Limits())
    assert (found.verdict, found.correctness, found.performance) == ("fail", "pass", "fail")
    assert found.reason.startswith("slower: CPU time per mail")
    assert render.as_json(found) == render.as_json(regression.conclude(folder, gate.Limits()))
    jsonschema.validate(json.loads(render.as_json(found)), SCHEMA)


def test_rounds_that_warmed_up_or_were_spoilt_give_no_points(tmp_path: Path) -> None:
    found = regression.conclude(measured(tmp_path), gate.Limits())
    assert found.verdict == "pass"
    assert len(found.points["cpu_ms"]) == 15
    assert found.notes == ("round 0 says nothing: head: 1 of 3 mails were not stored",)


def test_a_broken_head_fails_however_fast_it_is(tmp_path: Path) -> None:
    folder = measured(tmp_path, ratio=0.8)
    broken = Run.sound()
    broken.never_stored(0)
    broken.write(folder / "head")
    replace_file(folder / "head" / "verdict.json", document.as_json(judge(folder / "head")))
    found = regression.conclude(folder, gate.Limits())
    assert (found.verdict, found.correctness, found.performance) == ("fail", "fail", "pass")
    assert "lost" in found.reason


def test_no_rounds_are_unknown_and_no_verdict_is_an_error(tmp_path: Path) -> None:
    folder = measured(tmp_path, rounds=3)
    found = regression.conclude(folder, gate.Limits())
    assert (found.verdict, found.rows) == ("unknown", ())
    assert "nothing was measured" in render.as_html(found)
    jsonschema.validate(json.loads(render.as_json(found)), SCHEMA)
    (folder / "head" / "verdict.json").unlink()
    with pytest.raises(NotComparable, match="has not been judged"):
        regression.conclude(folder, gate.Limits())


def test_a_torn_record_is_noted(tmp_path: Path) -> None:
    folder = measured(tmp_path)
    with (folder / regression.ROUNDS).open("ab") as file:
        file.write(b'{"event": "rou')
    assert any("truncated" in note for note in regression.conclude(folder, gate.Limits()).notes)


def test_the_page_has_the_verdict_first_a_picture_per_metric_and_needs_no_network(tmp_path: Path) -> None:
    folder = measured(tmp_path, ratio=1.1)
    page = render.write_regress(folder, regression.conclude(folder, gate.Limits())).read_text()
    assert page.count('<svg viewBox="0 0 700') == len(gate.METRICS)
    assert page.index('class="verdict"') < page.index("<svg")
    assert "http" not in page.replace("http-equiv", "")
    assert "&lt;b&gt;mine&lt;/b&gt;" in page
    assert "<b>mine</b>" not in page
    assert len(page) < 60_000


def test_the_summary_is_limited_and_quotes_what_it_did_not_write(tmp_path: Path) -> None:
    folder = measured(tmp_path, ratio=1.1)
    found = regression.conclude(folder, gate.Limits())
    written = render.as_markdown(found)
    assert written.startswith("## ❌ regression: fail")
    assert "<b>" not in written
    many = regression.Comparison(
        **{name: getattr(found, name) for name in found.__slots__ if name != "notes"},
        notes=("x" * 250,) * 500,
    )
    assert len(render.as_markdown(many).encode()) <= markdown.LIMIT
    assert "the rest is on the page" in render.as_markdown(many)


def test_every_finding_has_a_tone() -> None:
    assert set(text.TONES) == {gate.SLOWER, gate.FASTER, gate.SMALL, gate.NOISY, gate.SAME}
