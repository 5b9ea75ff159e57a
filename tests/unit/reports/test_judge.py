"""The judge as a whole: no run, no data, causes, figures, trails, damage, and the same verdict twice."""

from __future__ import annotations

import json

import pytest

from reports.checks import CHECKS
from reports.evidence import EVENTS, FILES, LEDGER, SUBMISSIONS, Appender, read, stream
from reports.render import write_all
from reports.verdict import NotARun, judge, worst

from . import bad
from .runs import Run, key


def check(verdict, name):
    return next(check for check in verdict.checks if check.name == name)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "schema None is unknown"),
        ('{"schema": 2}', "schema 2 is unknown"),
        ('{"schema": 1}', "'thresholds' is missing"),
    ],
)
def test_a_folder_without_a_plan_is_not_a_run(text, words, tmp_path):
    if text is not None:
        (tmp_path / "plan.json").write_text(text)
    with pytest.raises(NotARun, match=words):
        judge(tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("seed", "7", "'seed' is '7', not of type int"),
        ("seed", True, "not of type int"),
        ("lease_s", None, "not a number"),
        ("lease_s", float("nan"), "not a number"),
        ("run", "a_b", "letters, digits"),
        ("run", "a-", "letters, digits"),
        ("thresholds", {}, "'min_accepted' is missing"),
        ("expect_faults", "sever", "not of type list"),
    ],
)
def test_a_plan_with_a_wrong_field_is_not_a_run(field, value, words, tmp_path):
    run = Run.sound()
    run.plan[field] = value
    with pytest.raises(NotARun, match=words):
        judge(run.write(tmp_path))


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(NotARun, match="No such file"):
        judge(tmp_path / "nowhere")


def test_no_data_is_unknown_in_every_check(tmp_path):
    run = Run()
    for name in FILES:
        run.files[name].clear()
    verdict = judge(run.write(tmp_path))
    assert {check.verdict for check in verdict.checks if check.name != "limits"} == {"unknown"}
    assert verdict.exit_code == 2


def test_only_a_plan_is_unknown_in_every_check(tmp_path):
    run = Run().write(tmp_path)
    for name in FILES:
        (run / name).unlink()
    verdict = judge(run)
    assert {check.verdict for check in verdict.checks if check.name != "limits"} == {"unknown"}
    write_all(run, verdict)


def test_nothing_accepted_acquits_nobody(tmp_path):
    verdict = judge(Run.sound(jobs=0).write(tmp_path))
    assert verdict.verdict == "unknown"
    about_mail = {check.name for check in verdict.checks if check.verdict == "unknown"}
    about_mail_too = {"lost", "duplicate", "false_sent", "corrupted", "metric_drift", "accepted", "offered"}
    assert about_mail_too <= about_mail


def test_the_reason_names_the_root_before_what_follows_from_it(tmp_path):
    """A run in which no load ever spoke, one that offered nothing, and one whose story was cut."""
    silent, idle, cut = Run.sound(), Run.sound(jobs=0), Run.sound()
    silent.files[SUBMISSIONS].clear()
    bad.story_was_cut(cut)
    bad.not_quiet(cut, 20)
    silent, idle, cut = (judge(run.write(tmp_path / str(n))) for n, run in enumerate((silent, idle, cut)))
    assert silent.reason.startswith("evidence: ")
    assert "; offered: no job was due" in silent.reason
    assert idle.reason.startswith("offered: no job was due; accepted: 0 jobs accepted")
    assert cut.reason.startswith("story: the story was not told to its end: the load ended before")


def test_a_run_that_says_nothing_of_its_story_is_told_apart_from_a_cut_one(tmp_path):
    run = Run.sound()
    run.drop(EVENTS, "story")
    found = check(judge(run.write(tmp_path)), "story")
    assert found.summary == "no record says whether the story was told to its end"


def test_worst():
    assert worst(["pass", "unknown", "fail"]) == "fail"
    assert worst(["pass", "unknown"]) == "unknown"
    assert worst(["pass"]) == "pass"
    assert worst([]) == "unknown"


CAUSES = {
    "duplicate_by_worker_retry_after_a_flushed_reply": "worker_retry",
    "duplicate_by_worker_retry_after_a_kill": "worker_retry",
    "duplicate_by_broker_redelivery": "broker_redelivery",
    "duplicate_by_double_enqueue": "double_enqueue",
    "duplicate_by_in_doubt_retry": "in_doubt_retry",
    "duplicate_by_sink_error": "sink_error",
    "duplicate_by_client_resubmit": "client_resubmit",
    "a_third_copy_after_a_flushed_second_is_not_unavoidable": "worker_retry",
    "same_session_other_attempt": "worker_retry",
    "without_a_job_id": "worker_retry",
}


@pytest.mark.parametrize("name", CAUSES)
def test_cause_of_a_duplicate(name, tmp_path):
    run = Run.sound()
    getattr(bad, name)(run)
    verdict = judge(run.write(tmp_path))
    assert check(verdict, "duplicate").details["causes"] == {CAUSES[name]: 1}
    assert verdict.counts["duplicates"] == 1


def test_keys_are_the_first_twenty_and_the_count_is_of_all(tmp_path):
    run = Run.sound(jobs=30)
    for number in range(30):
        run.never_stored(number)
        run.find(LEDGER, "job", key=key(number))["state"] = "PENDING"
    run.counters(sent=0)
    verdict = judge(run.write(tmp_path))
    found = check(verdict, "lost")
    assert check(verdict, "given_up").count == 0
    assert found.count == 30
    assert found.keys == tuple(key(number) for number in range(20))


def test_latency_is_from_the_due_time(tmp_path):
    times = judge(Run.sound().write(tmp_path)).latency_s
    assert times == {"p50": 0.5, "p95": 0.5, "p99": 0.5, "max": 0.5}


def test_a_trail_tells_the_whole_story_in_order(tmp_path):
    run = Run.sound()
    run.fault()
    bad.duplicate_by_worker_retry_after_a_flushed_reply(run)
    run.kill(3.6)
    verdict = judge(run.write(tmp_path))
    trail = verdict.trails[key(3)]
    assert trail.findings[0] == "duplicate (fail): worker_retry"
    texts = [line.text for line in trail.lines]
    wanted = (
        "due, to",
        "try 1: submitted",
        "try 1: accepted",
        "leased by",
        "stored for",
        "killed",
        "stored for",
    )
    places = [next(n for n, text in enumerate(texts) if word in text) for word in wanted[:-1]]
    assert places == sorted(places)
    assert sum("stored for" in text for text in texts) == 2
    assert any(text == "fault sever-1 begins" for text in texts)
    assert [line.at_s for line in trail.lines] == sorted(line.at_s for line in trail.lines)
    assert trail.lines[0].since_due_s == 0


def test_judging_twice_gives_the_same_bytes(tmp_path):
    run = Run.sound()
    run.fault()
    bad.duplicate_by_client_resubmit(run)
    run.kill(3.6)
    folder = run.write(tmp_path)
    names = ("verdict.json", "report.html", "junit.xml", "summary.md")
    seen = []
    for _ in range(2):
        write_all(folder, judge(folder))
        seen.append([(folder / name).read_bytes() for name in names])
    assert seen[0] == seen[1]
    assert {path.name for path in folder.iterdir()} == {*FILES, "plan.json", *names}


@pytest.mark.parametrize("name", FILES)
def test_every_field_of_every_record_may_be_missing_or_wrong(name, tmp_path):
    """No damage raises, and none of it makes a run pass that lost its meaning."""
    run = Run.sound(jobs=2)
    run.limits(min_accepted=1)
    run.fault()
    run.kill(1.2)
    folder = run.write(tmp_path)
    lines = (folder / name).read_text().splitlines()
    kinds = {json.loads(line)["event"]: index for index, line in enumerate(lines)}
    for index in kinds.values():
        record = json.loads(lines[index])
        for field in record:
            for value in (None, [], {"a": 1}, "x", -1, True, 1e300, 10**400):
                spoilt = [*lines[:index], json.dumps({**record, field: value}), *lines[index + 1 :]]
                (folder / name).write_text("\n".join(spoilt) + "\n")
                assert len(judge(folder).checks) == len(CHECKS)


def test_stream_and_read_agree(tmp_path):
    path = tmp_path / EVENTS
    appender = Appender(path, "t-1", "test")
    for number in range(3):
        appender.append("note", text=str(number))
    appender.close()
    path.write_bytes(path.read_bytes() + b"junk\n{torn")
    problems: list[str] = []
    assert list(stream(path, problems)) == read(path).records
    assert problems == read(path).problems
    assert [
        word for word in ("not an evidence record", "truncated") if any(word in text for text in problems)
    ]
    assert not read(path).complete


def test_many_problems_are_counted_not_listed(tmp_path):
    path = tmp_path / SUBMISSIONS
    path.write_bytes(b"junk\n" * 1000)
    problems = read(path).problems
    assert len(problems) == 21
    assert "980 more" in problems[-1]
