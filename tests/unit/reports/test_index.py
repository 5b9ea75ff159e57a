"""The page over all runs: order, links, what cannot be read, many runs, and two writers at once."""

from __future__ import annotations

import json
import re
import threading
import time

import pytest

from reports import index
from reports.render import write_all
from reports.verdict import judge

from . import bad
from .runs import Run

EVIL = "<script>alert(1)</script>\"'&"


def judged(folder, **plan):
    run = Run.sound()
    run.plan.update(plan)
    write_all(run.write(folder), judge(folder))
    return folder


def stub(folder, **changes):
    """A verdict as an older version left it, without a report."""
    folder.mkdir(parents=True)
    data = {
        "schema_version": 1,
        "scenario": folder.parent.name,
        "verdict": "pass",
        "reason": "every check passed",
        "counts": {"accepted": 10, "lost": 0, "duplicates": 0},
        "latency_s": {"p99": 0.5},
    }
    (folder / "verdict.json").write_text(json.dumps({**data, **changes}))
    return folder


def rows(path):
    text = path.read_text()
    return re.findall(r'<tr class="is-(\w+) of-\d+">(.*?)</tr>', text, re.DOTALL)


def test_runs_stand_newest_first_with_their_figures_and_links(tmp_path):
    judged(tmp_path / "calm" / "20261120T010203", revision="a" * 40 + "+changes")
    run = Run.sound()
    bad.lost_while_quiet(run)
    run.plan["scenario"] = "sever"
    folder = run.write(tmp_path / "sever" / "20261121T010203")
    write_all(folder, judge(folder))
    stub(tmp_path / "sever" / "20240101T000000", verdict="unknown", reason="no data")
    stub(tmp_path / "calm" / "19990101T000000")
    (tmp_path / "sever" / "latest").symlink_to(folder)
    path = index.write(tmp_path)
    assert path == tmp_path / "index.html"
    found = rows(path)
    assert [verdict for verdict, _ in found] == ["unknown", "fail", "pass", "pass"]
    assert 'href="sever/20261121T010203/report.html"' in found[1][1]
    assert "<td>2023-11-14 22:13:20 UTC</td>" in found[1][1]
    assert '<td class="n bad">1</td>' in found[1][1]
    assert "href" not in found[0][1]  # there is no report to link to
    assert "2024-01-01 00:00:00" in found[0][1]
    assert f"<code>{'a' * 12}+changes</code>" in found[2][1]
    assert "4 judged runs of 2 scenarios" in path.read_text()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"counts": {}}', '{"counts": 1, "latency_s": null}', "\xff", None]
)
def test_what_cannot_be_read_is_said_and_harms_nothing(tmp_path, content):
    judged(tmp_path / "calm" / "1")
    foreign = tmp_path / "calm" / "2"
    foreign.mkdir()
    if content is not None:
        (foreign / "verdict.json").write_text(content, encoding="latin-1")
    (tmp_path / "notes.txt").write_text("not a run")
    (tmp_path / ".journal").mkdir()
    path = index.write(tmp_path)
    assert len(rows(path)) == 1
    assert "Not in the table" in path.read_text()
    assert "calm/2: " in path.read_text()
    assert "journal" not in path.read_text()


def test_pages_of_regressions_are_linked_and_runs_without_a_verdict_are_named(tmp_path):
    for place, name in (("regress/1", "regress.html"), ("calm/2", "plan.json"), ("up/3", "events.jsonl")):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / name).touch()
    text = index.write(tmp_path).read_text()
    assert '<a href="regress/1/regress.html">regress/1</a>' in text
    assert "calm/2: not judged: still running, or cut short" in text
    assert "up/3: no run" in text
    assert "regress/1:" not in text


def test_a_verdict_with_a_foreign_word_is_damaged(tmp_path):
    stub(tmp_path / "calm" / "1", verdict="fine")
    assert "damaged or foreign" in index.write(tmp_path).read_text()


def test_hostile_names_and_reasons_stay_text(tmp_path):
    stub(tmp_path / "a'b c#?%" / "20260101T000000", scenario=EVIL, verdict="fail", reason=EVIL, revision=EVIL)
    judged(tmp_path / "a'b c#?%" / "1 2")
    text = index.write(tmp_path).read_text()
    assert "<script" not in text
    assert 'href="a%27b%20c%23%3F%25/1%202/report.html"' in text


def test_no_runs_is_a_page_that_says_how_to_make_one(tmp_path):
    assert "No run has been judged here yet" in index.write(tmp_path / "new").read_text()


def test_the_line_of_p99_marks_what_did_not_pass(tmp_path):
    for day, (p99, verdict) in enumerate([(1.0, "pass"), (None, "unknown"), (4.0, "fail"), (2.0, "pass")]):
        stub(tmp_path / "calm" / f"2026010{day + 1}T000000", verdict=verdict, latency_s={"p99": p99})
    text = index.write(tmp_path).read_text()
    (line,) = re.findall(r'<path class="line accepted spark-line" d="([^"]+)"', text)
    assert line.count("M") == 2  # the run without a figure is a gap
    assert text.count('class="kill"') == 1
    assert "p99 over 3 runs, from 1.00 to 4.00 seconds" in text


def test_hundreds_of_runs_take_no_time(tmp_path):
    source = judged(tmp_path / "calm" / "20260101T000000") / "verdict.json"
    data = json.loads(source.read_text())
    data["trails"] = {f"k-{n}": {"lines": ["x" * 1000], "findings": [], "said": ""} for n in range(60)}
    text = json.dumps(data)
    for number in range(400):
        folder = tmp_path / f"scenario-{number % 8}" / f"{number:03}"
        folder.mkdir(parents=True)
        (folder / "verdict.json").write_text(text)
    began = time.process_time()
    assert len(rows(index.write(tmp_path))) == 401
    assert time.process_time() - began < 2


def test_several_writers_leave_a_whole_page_and_nothing_else(tmp_path):
    judged(tmp_path / "calm" / "20260101T000000")
    writers = [threading.Thread(target=index.write, args=[tmp_path]) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(20)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["calm", "index.html"]
    assert (tmp_path / "index.html").read_text().rstrip().endswith("</html>")


def test_a_suite_with_a_folder_of_its_own_has_an_index_too(tmp_path):
    judged(tmp_path / "calm")
    assert [verdict for verdict, _ in rows(index.write(tmp_path))] == ["pass"]
    assert 'href="calm/report.html"' in (tmp_path / "index.html").read_text()
