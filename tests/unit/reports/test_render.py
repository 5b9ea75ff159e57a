"""What people and CI look at: schema, JUnit, Markdown, HTML, table; hostile text, bounds, whole files."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from xml.etree import ElementTree

import jsonschema
import pytest

from reports import table, timeline
from reports.evidence import DELIVERIES, EVENTS, LEDGER, SUBMISSIONS
from reports.render import document, html, junit, markdown, summary, write_all
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
    return jsonschema.Draft202012Validator(found)


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
    assert all(value == "data:," or value.startswith("#") for _, value in found.attributes)
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
    assert "url(" not in page.replace("url(#", "")


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
    schema.validate(data)
    json.dumps(data, allow_nan=False)
    assert data["verdict"] == verdict.verdict
    page = (folder / "report.html").read_text()
    for check in verdict.checks:
        assert check.name in page
        assert all(name in page for name in check.keys)


def test_the_hostile_verdict_fits_the_schema(schema, tmp_path):
    verdict = judge(hostile(Run.sound()).write(tmp_path))
    schema.validate(json.loads(document.as_json(verdict)))


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


def test_junit_has_one_case_per_fault(tmp_path):
    run = Run.sound()
    run.limits(recovery_limit_s=3)
    for name, late in (("slow-1", 3.5), ("toothless-1", 1), ("quick-1", 2)):
        run.fault(name)
        run.find(EVENTS, "recovered", fault=name)["after_s"] = late
    run.drop(EVENTS, "bite", fault="toothless-1")
    suite = ElementTree.fromstring(junit.as_xml(judge(run.write(tmp_path)))).find("testsuite")
    cases = {case.get("name"): case for case in suite.findall("testcase[@classname='mailstorm.calm.faults']")}
    assert cases["slow-1"].find("failure").get("message") == "recovered after 3.50 s (limit 3 s)"
    assert cases["toothless-1"].find("error").get("message").startswith("it did not bite")
    assert list(cases["quick-1"]) == []
    assert {name: case.get("time") for name, case in cases.items()} == {
        "slow-1": "3.500",
        "toothless-1": "1.000",
        "quick-1": "2.000",
    }
    assert suite.get("timestamp") == "2023-11-14T22:13:20"


@pytest.mark.parametrize(("limit", "tag"), [(None, "error"), (30, "failure")])
def test_junit_says_of_a_fault_without_recovery_what_the_check_says(tmp_path, limit, tag):
    run = Run.sound()
    run.limits(recovery_limit_s=limit)
    run.fault()
    run.drop(EVENTS, "recovered")
    run.add(EVENTS, 30, "not_recovered", fault="sever-1", waited_s=22)
    suite = ElementTree.fromstring(junit.as_xml(judge(run.write(tmp_path)))).find("testsuite")
    case = suite.find("testcase[@name='sever-1']")
    assert [child.tag for child in case] == [tag]
    assert case.get("time") is None


def test_markdown_tells_limits_faults_and_where_it_went_wrong(tmp_path):
    run = Run.sound()
    run.plan["limits"] = ["lost:count==0", "e2e_seconds:p(50)<1"]
    run.fault()
    bad.lost_while_quiet(run)
    text = summary.as_markdown(judge(run.write(tmp_path)))
    assert "| `lost:count==0` | ❌ fail | it is 1 |" in text
    assert "| `e2e_seconds:p(50)<1` | ✅ pass | it is 0.5 |" in text
    assert "| `sever-1` | ✅ recovered after 3.50 s | 5.00 | 8.10 | - |" in text
    assert f"- `{key(3)}`: " in text


def test_markdown_names_what_passed_and_quotes_the_command_for_a_shell(tmp_path):
    run = Run.sound()
    run.plan["command"] = ["python", "-m", "chaos", "run", "calm", "--limit", "e2e_seconds:p(99)<5"]
    verdict = judge(run.write(tmp_path))
    text = summary.as_markdown(verdict)
    assert f"{len(verdict.checks)} checks passed: lost, duplicate," in text
    assert "| check |" not in text
    assert text.endswith("`python -m chaos run calm --limit 'e2e_seconds:p(99)<5'`\n")


def test_markdown_is_limited(tmp_path):
    run = Run.sound()
    for number in range(400):
        run.fault(f"sever-{'x' * 200}-{number}")
    text = summary.as_markdown(judge(run.write(tmp_path)))
    assert len(text.encode()) <= markdown.LIMIT
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
        assert page.count(sign) >= 2  # once for wide screens, once for phones
    assert sum(picture.sent) == sum(map(sum, picture.heat)) == 10
    assert sum(picture.never) == 0
    assert sum(picture.heat[timeline.LATENCIES_S.index(0.5)]) == 10


def test_a_mail_that_never_came_stands_above_the_heat(tmp_path):
    run = Run.sound()
    bad.lost_while_quiet(run)
    verdict = judge(run.write(tmp_path))
    width_s = verdict.timeline.width_s
    assert [index * width_s for index, count in enumerate(verdict.timeline.never) if count] == [3.0]
    assert 'class="never"' in html.as_html(verdict)


def test_drained_is_when_the_last_mail_of_before_was_stored(tmp_path):
    run = Run.sound()
    run.fault()  # read back at 8.1 s: mail 8 was accepted at 8.02 s
    run.find(DELIVERIES, "stored", key=key(8))["at_s"] = 15
    run.find(DELIVERIES, "stored", key=key(9))["at_s"] = 16
    assert judge(run.write(tmp_path / "a")).faults[0]["drained_s"] == 15
    bad.lost_while_quiet(run)
    assert judge(run.write(tmp_path / "b")).faults[0]["drained_s"] is None


def test_machine_limits_and_load_are_on_the_page_and_in_the_document(tmp_path):
    run = Run.sound()
    run.plan.update(
        machine={"cpu": "Abacus 3000"}, revision="f" * 40, mix="email:9 add:1", limits=["due:count==10"]
    )
    verdict = judge(run.write(tmp_path))
    data, page = document.as_dict(verdict), html.as_html(verdict)
    assert data["machine"] == {"cpu": "Abacus 3000"}
    assert data["limits"] == [
        {"limit": "due:count==10", "verdict": "pass", "value": 10, "why": "it is 10"},
    ]
    assert data["began"] == "2023-11-14T22:13:20Z"
    for words in ("Abacus 3000", "f" * 40, "email:9 add:1", "due:count==10", "1 of 1"):
        assert words in page


def test_the_first_screen_gives_an_example_of_what_is_wrong(tmp_path):
    run = Run.sound()
    bad.lost_while_quiet(run)
    page = html.as_html(judge(run.write(tmp_path / "bad")))
    assert '<p class="example">For example <a href="#trail-1"><code>000003</code></a>: ' in page
    assert 'class="example"' not in html.as_html(judge(Run.sound().write(tmp_path / "good")))


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
    assert not re.search(rf"\b{RUN}\b", text)  # a folder may be called pytest-100


def test_a_fault_without_a_recovery_shows_never(tmp_path):
    run = Run.sound()
    run.fault()
    run.drop(EVENTS, "recovered")
    verdict = judge(run.write(tmp_path))
    assert "never" in table.row(verdict)
    assert "did not" in html.as_html(verdict)
