"""Jobs that are no mails: of each, the one mail that tells its end is judged; the end is no delivery."""

from __future__ import annotations

import pytest

from reports.evidence import DELIVERIES, EVENTS, LEDGER, METRICS, SUBMISSIONS
from reports.verdict import judge

from .runs import QUIET, Run, event, key

CHORE = 10  # the first of three, in a run of ten mails
TOLD = f"{key(CHORE)}+notify"


def outcome(verdict):
    return {check.name: check.verdict for check in verdict.checks if check.verdict != "pass"}


def ledger(run, notify):
    """What the system says at the end of the chore, or of the mail that tells its end."""
    return next(r for r in run.files[LEDGER] if r.get("key") == key(CHORE) and ("notify" in r) == notify)


def untold(run, state=None):
    """Take the mail away; `state`: what the system says of it."""
    mail = run.find(DELIVERIES, "stored", key=TOLD)
    for name in ("session_begin", "data_begin", "stored", "reply", "session_end"):
        run.drop(DELIVERIES, name, session=mail["session"])
    ledger(run, notify=True)["state"] = state
    run.counters(stored=12, sent=13 if state == "SUCCESS" else 12)


def killed(run, at_s):
    run.fault("kill-1", "kill-group")
    run.plan["expect_faults"] = ["kill-group"]
    run.kill(at_s)


# -- histories that must pass ---------------------------------------------------------------------------


def as_it_is(run):
    pass


def failed_and_told(run):
    ledger(run, notify=False).update(state="FAILURE", error="no such name")


def done_was_read_before_the_mail_was_stored(run):
    read(run, "SUCCESS")


def failed_was_read_and_the_mail_was_stored(run):
    ledger(run, notify=False).update(state="FAILURE", error="no such name")
    read(run, "FAILURE")


def read(run, state):
    asked = {"key": key(CHORE), "id": f"job-{CHORE}", "asked_mono_ns": 1}
    run.add(SUBMISSIONS, CHORE + 0.3, "status", state=state, **asked)


def a_kill_that_found_only_a_chore_did_bite(run):
    """The chore took long: no mail waited for it, so no lease of a mail is late."""
    trail = [event(5.0, "leased"), event(25.0, "leased", 2, "h:9"), event(26.0, "done", 2, "h:9")]
    ledger(run, notify=False)["trail"] = trail
    killed(run, 6.0)
    for record in run.files[LEDGER]:
        if record["event"] == "job" and record["key"] != key(CHORE):
            record["trail"] = []


def a_killed_worker_held_the_mail_and_another_sent_it(run):
    caught(run, 10.8)


def caught(run, stored_s):
    """A worker is killed with the mail in its hands; the chore itself had long been done."""
    killed(run, 10.35)
    mail = run.find(DELIVERIES, "stored", key=TOLD)
    mail["at_s"] = stored_s
    for name, after_s in (("reply", 0.01), ("session_end", 0.02)):
        run.find(DELIVERIES, name, session=mail["session"])["at_s"] = stored_s + after_s
    again, sent = event(stored_s - 0.1, "leased", 2, "h:9"), event(stored_s, "sent", 2, "h:9")
    ledger(run, notify=True)["trail"] = [event(10.3, "leased"), again, sent]


def refused_for_good(run):
    untold(run, "FAILURE")
    ledger(run, notify=True)["error"] = "550 no such user"
    refusal = {"session": "sx", "stage": "rcpt", "code": 550, "fault": None, "to": []}
    run.add(DELIVERIES, 11, "refused", key=TOLD, **refusal)


GOOD = (
    as_it_is,
    failed_and_told,
    done_was_read_before_the_mail_was_stored,
    failed_was_read_and_the_mail_was_stored,
    a_kill_that_found_only_a_chore_did_bite,
    a_killed_worker_held_the_mail_and_another_sent_it,
    refused_for_good,
)


@pytest.mark.parametrize("build", GOOD, ids=lambda build: build.__name__)
def test_known_good(build, tmp_path):
    run = Run.sound(chores=3)
    build(run)
    verdict = judge(run.write(tmp_path))
    assert outcome(verdict) == {}
    assert (verdict.counts["accepted"], verdict.counts["due"]) == (13, 13)


# -- histories that must not ----------------------------------------------------------------------------


def done_and_never_told(run):
    untold(run, "PENDING")


def failed_and_never_told(run):
    untold(run, "PENDING")
    ledger(run, notify=False).update(state="FAILURE", error="550 no such user")


def never_done_though_all_is_quiet(run):
    untold(run)
    run.files[LEDGER].remove(ledger(run, notify=True))
    ledger(run, notify=False)["state"] = "STARTED"
    run.find(LEDGER, "ledger_end").update(asked=15, answered=15)
    accepted_counter(run, 15)


def still_at_work(run):
    never_done_though_all_is_quiet(run)
    run.drop(EVENTS, "quiet")
    run.add(EVENTS, QUIET, "not_quiet", after_s=20, detail="due 1", seen=True)


def told_twice(run):
    run.store(CHORE, 12, key=TOLD, id=f"note-{CHORE}", attempt=2)
    run.counters(stored=14)


def told_to_another(run):
    run.find(DELIVERIES, "stored", key=TOLD)["to"] = ["u1@example.org"]


def other_words_than_planned(run):
    run.find(SUBMISSIONS, "due", key=key(CHORE))["digest"] = "as planned"


def a_mail_under_the_key_of_the_chore_itself(run):
    run.store(CHORE, 12)
    run.counters(stored=14)


def said_sent_and_never_stored(run):
    untold(run, "SUCCESS")


def said_failed_and_was_stored(run):
    ledger(run, notify=True)["state"] = "FAILURE"
    run.counters(sent=12)


def told_and_never_said_to_be_done(run):
    ledger(run, notify=False)["state"] = "STARTED"


def refused_and_told(run):
    run.find(SUBMISSIONS, "ok", key=key(CHORE)).update(event="fail", status=422, why="/invalid")
    run.files[LEDGER] = [r for r in run.files[LEDGER] if r.get("key") != key(CHORE)]
    run.find(LEDGER, "ledger_end").update(asked=14, answered=14)
    run.counters(sent=12)
    accepted_counter(run, 14)


def the_mails_of_chores_are_not_counted(run):
    accepted_counter(run, 13)


def accepted_counter(run, accepted):
    run.files[METRICS][-3]["samples"]["mail_jobs_accepted_total"] = accepted


def a_mail_caught_by_a_kill_came_late(run):
    caught(run, 29.0)


BAD = (
    (done_and_never_told, {"lost": "fail"}),
    (failed_and_never_told, {"lost": "fail"}),
    (never_done_though_all_is_quiet, {"lost": "fail"}),
    (still_at_work, {"stuck": "unknown", "drained": "unknown", "metric_drift": "unknown"}),
    (told_twice, {"duplicate": "fail"}),
    (told_to_another, {"misdelivered": "fail"}),
    (other_words_than_planned, {"corrupted": "fail"}),
    (a_mail_under_the_key_of_the_chore_itself, {"unexpected": "fail"}),
    (said_sent_and_never_stored, {"lost": "fail", "false_sent": "fail"}),
    (said_failed_and_was_stored, {"false_failed": "fail"}),
    (told_and_never_said_to_be_done, {"unfinished": "fail"}),
    (refused_and_told, {"phantom": "fail"}),
    (the_mails_of_chores_are_not_counted, {"metric_drift": "fail"}),
    (a_mail_caught_by_a_kill_came_late, {"lease_recovery": "fail"}),
)


@pytest.mark.parametrize(("build", "expected"), BAD, ids=[build.__name__ for build, _ in BAD])
def test_known_bad(build, expected, tmp_path):
    run = Run.sound(chores=3)
    build(run)
    assert outcome(judge(run.write(tmp_path))) == expected


def test_the_story_of_a_chore_tells_of_its_mail(tmp_path):
    run = Run.sound(chores=3)
    told_twice(run)
    lines = judge(run.write(tmp_path)).trails[key(CHORE)].lines
    assert sum(line.text.startswith("stored for") for line in lines) == 2


def test_a_chore_without_the_key_of_its_mail_is_a_gap(tmp_path):
    run = Run.sound(chores=3)
    del run.find(SUBMISSIONS, "due", key=key(CHORE))["mail_key"]
    verdict = judge(run.write(tmp_path))
    assert "mail_key" in " ".join(next(c for c in verdict.checks if c.name == "evidence").details["problems"])
    assert verdict.exit_code != 0
