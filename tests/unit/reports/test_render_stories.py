"""Where it went wrong: the sentence of each kind of failure, the step it points at, the logs around it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from reports import logs, pick
from reports.evidence import DELIVERIES, LEDGER, SUBMISSIONS
from reports.render import html, write_all
from reports.verdict import MAX_EXCERPTS, judge

from . import bad
from .runs import WALL0, Run, event, key


def story(run, folder, number=3):
    """The sentence of one key's trail, and the text of the step that it points at."""
    trail = judge(run.write(folder)).trails[key(number)]
    wrong = [line.text for line in trail.lines if line.wrong]
    assert len(wrong) <= 1
    return trail.said, wrong[0] if wrong else ""


def twice(run, at_s=4.7, **changes):
    run.store(3, at_s, attempt=2, worker="h:102", **changes)
    run.counters(stored=11)
    return run


def test_a_second_copy_is_told_with_both_senders_and_the_question_that_was_not_asked(tmp_path):
    run = twice(Run.sound())
    run.find(DELIVERIES, "reply", mail="m3")["flushed"] = False
    said, step = story(run, tmp_path)
    assert said.startswith(
        "Stored twice: first by pid 101 at +0.50 s, its 250 never left the sink;"
        " then again by pid 102 at +1.70 s."
    )
    assert "The sender had no answer" in said
    assert "could have been asked, and no question to it is on record" in said
    assert step.startswith("stored for u3@example.org")
    assert "h:102" in step


def test_a_killed_sender_stands_in_the_story_of_the_second_copy(tmp_path):
    run = twice(Run.sound())
    run.kill(4)
    said, _ = story(run, tmp_path)
    assert "Pid 101 was killed in between, at +1.00 s." in said


def test_a_question_that_was_asked_is_told(tmp_path):
    run = twice(Run.sound())
    run.find(LEDGER, "job", key=key(3))["trail"] += [event(4.2, "asked")]
    assert "The receiver was asked in between." in story(run, tmp_path)[0]


def test_no_receipts_is_told(tmp_path):
    run = twice(Run.sound())
    run.plan["receipts"] = False
    assert "There were no receipts to ask for." in story(run, tmp_path)[0]


@pytest.mark.parametrize(("worker", "words"), [("", "an unnamed worker"), ("robot", "'robot'")])
def test_a_sender_without_a_pid_is_called_what_it_calls_itself(tmp_path, worker, words):
    run = twice(Run.sound())
    run.find(DELIVERIES, "stored", key=key(3))["worker"] = worker
    assert f"first by {words} at +0.50 s" in story(run, tmp_path)[0]


def lost(run, *trail, state="STARTED"):
    run.never_stored(3)
    run.find(LEDGER, "job", key=key(3)).update(state=state, trail=list(trail))
    return run


def test_a_lost_mail_whose_worker_was_killed(tmp_path):
    run = lost(Run.sound(), event(3.02, "accepted", None, None), event(3.1, "leased"))
    run.kill(3.4)
    said, step = story(run, tmp_path)
    assert said == "Pid 101 took it at +0.10 s and was killed at +0.40 s; nobody took it up again."
    assert step == "worker-1 killed with 3 processes, pid 101 among them while it held this mail"


def test_a_lost_mail_that_was_taken_up_again_after_the_kill(tmp_path):
    run = lost(Run.sound(), event(3.1, "leased"), event(9, "leased", 2, "h:202"))
    run.kill(3.4)
    said, step = story(run, tmp_path)
    assert said == "Pid 202 took it at +6.00 s; nothing more of it is on record."
    assert step == "leased by h:202 (attempt 2)"


def test_a_lost_mail_that_nobody_took_with_what_happened_around_it(tmp_path):
    run = lost(Run.sound(), event(3.02, "accepted", None, None), state="PENDING")
    run.kill(3.4)
    said, step = story(run, tmp_path)
    assert said == (
        "Accepted at +0.02 s, and no worker ever took it up. At +0.40 s: worker-1 killed with 3 processes."
    )
    assert step.startswith(("try 1: accepted", "job recorded"))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("SUCCESS", "says that it sent this mail, and the sink never"),
        ("FAILURE", "gave this mail up, and no"),
    ],
)
def test_a_lost_mail_of_which_the_system_says_that_it_is_done(tmp_path, state, words):
    run = lost(Run.sound(), event(3.1, "leased"), event(3.5, "sent"), event(3.6, "failed"), state=state)
    said, step = story(run, tmp_path)
    assert words in said
    assert step == ("marked as sent (attempt 1)" if state == "SUCCESS" else "given up (attempt 1)")


def test_a_mail_that_was_stored_and_never_noted(tmp_path):
    run = Run.sound()
    run.find(LEDGER, "job", key=key(3)).update(state="STARTED", trail=[event(3.1, "leased")])
    run.kill(3.8)
    said, step = story(run, tmp_path)
    assert said.startswith("Stored at +0.50 s. Pid 101 took it at +0.10 s and was killed at +0.80 s; nobody")
    assert said.endswith("At the end the system still says STARTED of it.")
    assert step.startswith("worker-1 killed")


def test_other_content_and_another_address_are_told(tmp_path):
    run = Run.sound()
    run.find(DELIVERIES, "stored", key=key(3))["digest"] = "other"
    assert "has another content" in story(run, tmp_path / "a")[0]
    run = Run.sound()
    run.find(DELIVERIES, "stored", key=key(3))["to"] = ["b@x"]
    assert "went to another address" in story(run, tmp_path / "b")[0]


def test_a_job_of_another_kind_is_told_with_the_mail_that_tells_its_end(tmp_path):
    run = Run.sound(10, chores=1)
    run.store(10, 11.2, key=f"{key(10)}+notify", id="note-10", attempt=2, worker="h:102")
    trail = judge(run.write(tmp_path)).trails[key(10)]
    texts = [line.text for line in trail.lines]
    assert trail.said.startswith("Stored twice: first by pid 101 at +0.50 s")
    assert texts.index("done (attempt 1)") < texts.index("its mail: leased by h:101 (attempt 1)")
    assert sum(text.startswith("stored for") for text in texts) == 2


def test_a_chore_that_died_with_its_worker(tmp_path):
    run = Run.sound(10, chores=1)
    mail = run.find(DELIVERIES, "stored", key=f"{key(10)}+notify")
    for name in ("session_begin", "data_begin", "stored", "reply", "session_end"):
        run.drop(DELIVERIES, name, session=mail["session"])
    run.drop(LEDGER, "job", notify=True)
    run.find(LEDGER, "job", key=key(10)).update(state="STARTED", trail=[event(10.1, "leased")])
    run.kill(10.2)
    said, step = story(run, tmp_path, 10)
    assert said == "Pid 101 took it at +0.10 s and was killed at +0.20 s; nobody took it up again."
    assert step.endswith("while it did this job")


@pytest.mark.parametrize("known", bad.BAD, ids=[known.name for known in bad.BAD])
def test_no_known_bad_run_marks_more_than_one_step_of_a_trail(known, tmp_path):
    run = Run.sound()
    for trail in judge(run.write(tmp_path, known.build(run))).trails.values():
        assert sum(line.wrong for line in trail.lines) <= 1
        assert "None" not in trail.said
        assert trail.said == "" or trail.said.endswith((".", ": ")) or ":" in trail.said


def test_only_records_of_the_wanted_keys_are_parsed(tmp_path):
    folder = Run.sound().write(tmp_path)
    found = list(pick.records(folder / SUBMISSIONS, key=[key(3)]))
    assert [record["event"] for record in found] == ["due", "invoke", "ok"]
    assert list(pick.records(folder / "none.jsonl", key=["x"])) == []
    assert list(pick.records(folder / SUBMISSIONS, key=[])) == []
    odd = {"run": "r", "writer": "w", "seq": 0, "wall_ns": 1, "mono_ns": 1, "event": "x", "key": "\u00e9\n"}
    (tmp_path / "odd.jsonl").write_text(json.dumps(odd) + '\n{"key": "broken"\n')
    assert list(pick.records(tmp_path / "odd.jsonl", key=["\u00e9\n", "broken"])) == [odd]


# -- logs ---------------------------------------------------------------------------------------

MOMENT = datetime.fromtimestamp(WALL0 / 1e9, UTC)


def stamp(at_s, zone_h=0):
    return (MOMENT + timedelta(seconds=at_s, hours=zone_h)).strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]


def at(folder, moment_s, *words):
    return logs.Logs(folder, WALL0 / 1e9).around(WALL0 / 1e9 + moment_s, words)


@pytest.mark.parametrize(
    ("line", "at_s"),
    [
        (b"2026-11-21 21:24:16,430 INFO worker: x", 1795296256.43),
        (b"[2026-11-21 21:24:16,430] vm/INFO/locust.main: x", 1795296256.43),
        (b"2026-11-21 21:24:16.430000+00:00 [info] <0.223.0> x", 1795296256.43),
        (b'{"level":"info","time":"2026-11-21T21:24:16Z","message":"x"}', 1795296256.0),
        (b"24270:M 21 Nov 2026 21:24:16.430 * x", 1795296256.43),
        (b"2026-11-21T23:24:16+02:00 x", 1795296256.0),
        (b"Traceback (most recent call last):", None),
        (b"2026-99-99 99:99:99 x", None),
    ],
)
def test_the_times_of_every_log_are_understood(line, at_s):
    assert logs.when(line) == (None if at_s is None else pytest.approx(at_s))


def test_a_log_in_local_time_is_put_on_the_clock_of_the_run(tmp_path):
    (tmp_path / "logs").mkdir()
    for name, zone_h in (("utc", 0), ("tokyo", 9), ("newfoundland", -3.5)):
        lines = [f"{stamp(-3, zone_h)} INFO up", f"{stamp(5, zone_h)} INFO job-7 taken by {name}"]
        (tmp_path / "logs" / f"{name}.log").write_text("\n".join(lines))
    found = at(tmp_path, 5, "job-7")
    assert sorted(line.log for line in found if line.about) == ["newfoundland", "tokyo", "utc"]
    assert {line.offset_s for line in found} == {0.0}


def test_an_excerpt_is_short_and_keeps_what_matters(tmp_path):
    (tmp_path / "logs").mkdir()
    lines = [f"{stamp(0.01 * n)} INFO noise {n}" for n in range(2000)]
    lines[1000:1000] = [
        f"{stamp(10)} ERROR lost connection",
        "Traceback (most recent call last):",
        *["  deep"] * 30,
        "OSError: gone",
    ]
    lines.insert(990, f"{stamp(9.9)} INFO job-7 leased")
    lines.insert(0, f"{stamp(-5)} DEBUG nothing")
    (tmp_path / "logs" / "worker.log").write_text("\n".join(lines))
    found = at(tmp_path, 10, "job-7")
    assert len(found) == 2 + logs.NEIGHBOURS
    assert [line.text.split(" ", 2)[2] for line in found if line.about] == ["INFO job-7 leased"]
    (trace,) = [line.text for line in found if "ERROR" in line.text]
    assert trace.splitlines()[-1] == "OSError: gone"
    assert len(trace.splitlines()) <= 6
    assert list(found) == sorted(found, key=lambda line: line.offset_s)


def test_a_moment_in_a_long_log_is_found_without_reading_it_all(tmp_path, monkeypatch):
    (tmp_path / "logs").mkdir()
    text = "".join(f"{stamp(0.01 * n)} INFO job-{n} sent and some more words\n" for n in range(30_000))
    (tmp_path / "logs" / "worker.log").write_text(text)
    monkeypatch.setattr(logs, "BUDGET", 200_000)
    assert any(line.about for line in at(tmp_path, 250, "job-25000 "))


def test_no_logs_are_no_error(tmp_path):
    assert at(tmp_path, 1) == ()
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "raw.log").write_bytes(b"\xff\x00 no time here\n" * 3)
    assert at(tmp_path, 1) == ()


def test_the_page_shows_the_sentence_the_step_and_the_logs(tmp_path):
    run = twice(Run.sound())
    folder = run.write(tmp_path)
    (folder / "logs").mkdir()
    (folder / "logs" / "worker-1.log").write_text(
        f"{stamp(-3)} INFO up\n{stamp(4.6)} INFO job-3 <b>again</b>\n{stamp(5)} INFO other\n"
    )
    verdict = judge(folder)
    page = html.as_html(verdict)
    assert page.count("Stored twice: first by pid 101") == 2  # with the check, and with the story
    assert page.count("✗ here:") == 1
    assert "job-3 &lt;b&gt;again&lt;/b&gt;" in page
    assert "What the processes said around that moment (2)" in page
    write_all(folder, verdict)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    write_all(folder, judge(folder))
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def crowded(folder):
    """A run that has more of everything than a page can show: 120 lost mails with long hostile trails."""
    run, jobs = Run(), 120
    run.add(SUBMISSIONS, 0, "load_start", rate_per_s=1, seed=1, target="x", schedule="x")
    for number in range(jobs):
        run.submit(number, number / 20)
        trail = [event(number / 20 + 0.01 * n, "leased", n, "h:1", "<" * 500) for n in range(79)]
        run.ledger(number, state="SUCCESS", trail=trail)
        run.find(SUBMISSIONS, "due", key=key(number))["to"] = "<" * 200
    for number in range(80):
        run.fault(f"sever-{number}")
    run.add(SUBMISSIONS, 20, "load_stop", due=jobs, sent=jobs, max_late_s=0, reason="done")
    run.write(folder)
    (folder / "logs").mkdir()
    text = f"{stamp(-3)} up\n" + f"{stamp(0.5)} ERROR {'<&>' * 200}\n" * 2000
    (folder / "logs" / "worker.log").write_text(text)
    return folder


def test_what_a_page_of_bounded_size_leaves_out_is_in_the_document(tmp_path):
    folder = crowded(tmp_path / "run")
    verdict = judge(folder)
    assert len(verdict.logs) <= MAX_EXCERPTS
    page = write_all(folder, verdict).read_text()
    assert len(page.encode()) < 1_000_000
    assert "more stories are in verdict.json" in page
    assert "20 more faults are in verdict.json" in page
    assert len(json.loads((folder / "verdict.json").read_text())["trails"]) > page.count('class="trail"')
