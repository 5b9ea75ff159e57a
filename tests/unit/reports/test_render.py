"""What people and CI look at: schema, JUnit, Markdown, HTML, table; hostile text, bounds, whole files."""

from __future__ import annotations

import io
import json
from html.parser import HTMLParser
from importlib.resources import files
from xml.etree import ElementTree

import jsonschema
import pytest

from reports import table
from reports.evidence import DELIVERIES, EVENTS, LEDGER, SUBMISSIONS
from reports.render import document, html, junit, summary, write_all
from reports.render.svg import nice_top
from reports.timeline import MAX_BINS
from reports.verdict import judge

from . import bad
from .bad import BAD
from .runs import RUN, Run, event, key, mono

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>|`**[x](javascript:1)"


@pytest.fixture(scope="module")
def schema():
    found = json.loads(files("reports.render").joinpath("verdict.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(found)
    return found


def hostile(run):
    """Put hostile text everywhere that evidence can carry it to a page."""
    run.plan.update(scenario=EVIL, command=["run", EVIL], versions={EVIL: EVIL}, delivery=EVIL)
    run.store(3, 12, key=f"other {EVIL}", hint=EVIL, worker=f"{EVIL}:1", to=[EVIL], id=EVIL)
    bad.not_delivered(run, "FAILURE", EVIL)
    run.find(LEDGER, "job", key=key(3)).update(
        detail=EVIL, trail=[event(3.1, EVIL, 1, EVIL, EVIL), event(3.2, "leased", 1, EVIL, EVIL)]
    )
    run.fault(EVIL, EVIL)
    run.find(EVENTS, "bite")["proof"] = EVIL
    run.find(EVENTS, "healed")["read_back"] = EVIL
    run.kill(5)["name"] = EVIL
    run.add(SUBMISSIONS, 4, "info", key=key(3), **{"try": 2}, status=None, why=EVIL)
    run.add(DELIVERIES, 4, "refused", session="s", stage=EVIL, code=450, fault=EVIL, key=key(3))
    run.drop(EVENTS, "quiet")
    run.add(EVENTS, 30, "not_quiet", after_s=1, detail=EVIL)
    return run


class Tags(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes = set(), set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {
            (name, value) for name, value in attrs if name.startswith("on") or name in ("src", "href")
        }


def seen_by_a_browser(text):
    tags = Tags()
    tags.feed(text)
    tags.close()
    return tags


def test_hostile_text_stays_text(tmp_path):
    verdict = judge(hostile(Run.sound()).write(tmp_path))
    page = html.as_html(verdict)
    found = seen_by_a_browser(page)
    assert not found.tags & {"script", "img", "iframe", "object", "base", "form"}
    assert all(value == "data:," or value.startswith("#trail-") for _, value in found.attributes)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 20
    markdown = summary.as_markdown(verdict)
    for line in markdown.splitlines():
        outside = "".join(line.split("`")[::2])
        assert "<" not in outside
        assert "](" not in outside
    ElementTree.fromstring(junit.as_xml(verdict))


def test_the_page_needs_no_network(tmp_path):
    page = html.as_html(judge(Run.sound().write(tmp_path)))
    assert "http:" not in page
    assert "https:" not in page
    assert "@import" not in page
    assert "url(" not in page.replace("url(#hatch)", "")


def test_control_characters_and_lone_surrogates_do_not_break_a_file(tmp_path):
    run = Run.sound()
    run.store(3, 12, key="x\x00\x1b[31m\ud800\n|y")
    folder = run.write(tmp_path)
    verdict = judge(folder)
    write_all(folder, verdict)
    ElementTree.parse(folder / "junit.xml")
    assert json.loads((folder / "verdict.json").read_text())["trails"]
    assert "\x1b" not in (folder / "summary.md").read_text()
    out = io.StringIO()
    table.render([verdict], out)
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize("known", BAD, ids=[known.name for known in BAD])
def test_every_known_bad_verdict_fits_the_schema_and_the_page(known, schema, tmp_path):
    run = Run.sound()
    folder = run.write(tmp_path, known.build(run))
    verdict = judge(folder)
    assert write_all(folder, verdict) == folder / "report.html"
    data = json.loads((folder / "verdict.json").read_text())
    jsonschema.validate(data, schema)
    json.dumps(data, allow_nan=False)
    assert data["verdict"] == verdict.verdict
    page = (folder / "report.html").read_text()
    for check in verdict.checks:
        assert check.name in page
        assert all(name in page for name in check.keys)


def test_the_hostile_verdict_fits_the_schema(schema, tmp_path):
    verdict = judge(hostile(Run.sound()).write(tmp_path))
    jsonschema.validate(json.loads(document.as_json(verdict)), schema)


def test_junit_has_one_case_per_check_and_three_outcomes(tmp_path):
    run = Run.sound()
    bad.lost_while_quiet(run)
    run.limits(min_accepted=11)
    verdict = judge(run.write(tmp_path))
    suite = ElementTree.fromstring(junit.as_xml(verdict)).find("testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == (
        str(len(verdict.checks)),
        "1",
        "1",
    )
    assert [case.get("name") for case in suite.findall("testcase")] == [
        check.name for check in verdict.checks
    ]
    assert suite.find("testcase[@name='lost']/failure").text == key(3)
    assert suite.find("testcase[@name='accepted']/error") is not None
    assert suite.find("testcase[@name='duplicate']").find("failure") is None


def test_markdown_is_limited(tmp_path):
    run = Run.sound()
    for number in range(400):
        run.fault(f"sever-{'x' * 200}-{number}")
    text = summary.as_markdown(judge(run.write(tmp_path)))
    assert len(text.encode()) <= summary.LIMIT
    assert text.endswith("the rest is in report.html\n")


def test_a_big_run_makes_a_small_report(tmp_path):
    """20,000 jobs of which all are lost, with 300 faults and 300 kills: the page stays under 1 MB."""
    run, jobs = Run(), 20_000
    run.add(SUBMISSIONS, 0, "load_start", rate_per_s=1, seed=1, target="x", schedule="x")
    for number in range(jobs):
        run.submit(number, number / 20)
        trail = [event(number / 20 + 0.1 * step, "leased", step, f"h:{step}", "x" * 500) for step in range(3)]
        run.ledger(number, state="SUCCESS", trail=trail)
    for number in range(300):
        run.fault(f"sever-{number}")
        run.kill(number, pid=number, children=())
    run.add(SUBMISSIONS, 2000, "load_stop", due=jobs, sent=jobs, max_late_s=0, reason="done")
    folder = run.write(tmp_path)
    verdict = judge(folder)
    page = write_all(folder, verdict)
    assert page.stat().st_size < 1_000_000
    assert len(verdict.timeline.offered) <= MAX_BINS
    assert sum(verdict.timeline.offered) == jobs
    assert verdict.timeline.backlog[-1] == jobs


def test_the_picture_of_a_run_adds_up(tmp_path):
    run = Run.sound()
    run.fault()
    run.kill(4)
    verdict = judge(run.write(tmp_path))
    picture = verdict.timeline
    assert sum(picture.offered) == sum(picture.accepted) == sum(picture.delivered) == 10
    assert picture.backlog[-1] == 0
    assert max(picture.backlog) == 1
    page = html.as_html(verdict)
    for sign in ('class="band"', 'class="diamond"', 'class="kill"', "sever-1", "mails per second"):
        assert sign in page


def test_a_run_with_nothing_in_it_still_has_a_picture(tmp_path):
    run = Run()
    run.add(SUBMISSIONS, 0, "load_start", rate_per_s=1, seed=1, target="x", schedule="x")
    assert "<svg" in html.as_html(judge(run.write(tmp_path)))


def test_a_clock_gone_wild_does_not_blow_up_the_picture(tmp_path):
    run = Run.sound()
    run.find(SUBMISSIONS, "due", key=key(3))["due_mono_ns"] = mono(3) + 10**18
    assert len(judge(run.write(tmp_path)).timeline.offered) <= MAX_BINS


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1), (0.3, 0.4), (1, 1), (3, 4), (9, 10), (10, 10), (11, 20), (99.5, 100)]
)
def test_nice_top(value, top):
    assert nice_top(value) == pytest.approx(top)


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    folder = Run.sound().write(tmp_path / "run")
    verdict = judge(folder)
    write_all(folder, verdict)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        write_all(folder, verdict)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_the_table_names_every_run_and_the_reasons(tmp_path):
    run = Run.sound()
    run.fault()
    bad.lost_while_quiet(run)
    verdicts = [judge(Run.sound().write(tmp_path / "a")), judge(run.write(tmp_path / "b"))]
    out = io.StringIO()
    table.render(verdicts, out)
    text = out.getvalue()
    assert "PASS" in text
    assert "FAIL" in text
    assert "lost: 1 of 10 accepted mails" in text
    assert f"{tmp_path / 'b' / 'report.html'}" in text
    assert "3.50" in text
    assert RUN not in text


def test_a_fault_without_a_recovery_shows_never(tmp_path):
    run = Run.sound()
    run.fault()
    run.drop(EVENTS, "recovered")
    verdict = judge(run.write(tmp_path))
    assert "never" in table.row(verdict)
    assert "did not" in html.as_html(verdict)
