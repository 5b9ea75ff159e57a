"""The known-bad histories: each spoils a sound run in one way and names exactly the checks that must notice.

Used by test_checks.py. To add a check's history, write a function with `@bad(...)` here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reports.evidence import DELIVERIES, EVENTS, LEDGER, METRICS, SUBMISSIONS

from .runs import LOAD_END, QUIET, RUN, STOP, Run, event, key, mono


@dataclass(frozen=True)
class Bad:
    name: str
    build: Callable[[Run], Callable[[Path], None] | None]
    expected: dict[str, str]


BAD: list[Bad] = []
# Without the whole of a file, every check that would acquit by it is unknown.
NO_LOAD = (
    "lost stuck held given_up phantom unexpected corrupted misdelivered false_sent false_failed"
    " unfinished one_job_per_key"
)
NO_SINK = (
    "lost stuck held given_up phantom unexpected corrupted misdelivered false_sent false_failed duplicate"
    " unfinished unavoidable_duplicate"
)
NO_EVENTS = "drained bite recovery lease_recovery story metric_drift evidence"


def bad(fail: str = "", unknown: str = ""):
    def register(build):
        expected = dict.fromkeys(fail.split(), "fail") | dict.fromkeys(unknown.split(), "unknown")
        BAD.append(Bad(build.__name__, build, expected))
        return build

    return register


# -- lost, stuck, given up ----------------------------------------------------------------------------


def not_delivered(run: Run, state: str, error: str | None = None) -> None:
    run.never_stored(3)
    job = run.find(LEDGER, "job", key=key(3))
    job.update(state=state, error=error)
    if state != "SUCCESS":
        run.counters(sent=9)


@bad(fail="lost")
def lost_while_quiet(run):
    not_delivered(run, "PENDING")


@bad(fail="lost")
def lost_while_merely_said_to_be_in_doubt(run):
    not_delivered(run, "RETRY", "in doubt")


@bad(fail="lost")
def lost_after_giving_up_for_a_4xx(run):
    not_delivered(run, "FAILURE", "450 try later")


@bad(fail="lost")
def lost_after_giving_up_for_a_refused_login(run):
    not_delivered(run, "FAILURE", "535 authentication failed")
    refuse(run, 535, "auth")


@bad(fail="lost")
def lost_after_giving_up_for_a_5xx_that_the_sink_never_said(run):
    not_delivered(run, "FAILURE", "550 no such user")


@bad(fail="lost")
def lost_after_giving_up_for_a_5xx_of_another_mail(run):
    not_delivered(run, "FAILURE", "550 no such user")
    refuse(run, 550, "rcpt", key(4))


@bad(fail="lost")
def lost_after_giving_up_for_a_5xx_to_another_recipient(run):
    not_delivered(run, "FAILURE", "550 no such user")
    refuse(run, 550, "rcpt", to=("u4@example.org",))


@bad(fail="lost")
def lost_after_giving_up_for_a_5xx_of_nobody(run):
    not_delivered(run, "FAILURE", "552 too big")
    refuse(run, 552, "data")


@bad(unknown="held")
def held_in_doubt_for_an_operator(run):
    not_delivered(run, "RETRY")
    run.find(LEDGER, "job", key=key(3)).update(detail="in doubt, held for an operator: nobody can be asked")


@bad(fail="lost")
def lost_after_cancelling(run):
    not_delivered(run, "REVOKED")


@bad(fail="lost false_sent")
def said_sent_and_never_stored(run):
    not_delivered(run, "SUCCESS")


@bad(fail="lost", unknown="drained metric_drift")
def done_without_a_mail_while_not_quiet(run):
    not_delivered(run, "FAILURE", "gave up")
    not_quiet(run, 20)


@bad(
    unknown="lost false_sent drained evidence held given_up phantom unexpected corrupted misdelivered"
    " false_failed unfinished duplicate unavoidable_duplicate stuck metric_drift"
)
def absence_is_not_proven_by_a_sink_that_was_cut_off(run):
    not_delivered(run, "SUCCESS")
    run.drop(DELIVERIES, "sink_stop")
    not_quiet(run, 20)


@bad(unknown="lost held given_up false_sent false_failed unfinished metric_drift evidence")
def perhaps_given_up_its_state_is_not_on_record(run):
    not_delivered(run, "FAILURE", "550 no such user")
    refuse(run, 550, "rcpt", key(3))
    run.find(LEDGER, "job", key=key(3)).update(http=None, state=None)


def not_quiet(run: Run, after_s: float, seen: bool = True) -> None:
    run.drop(EVENTS, "quiet")
    run.add(EVENTS, QUIET, "not_quiet", after_s=after_s, detail="due 1", seen=seen)


def refuse(run: Run, code: int, stage: str, of: str | None = None, to: tuple[str, ...] = ()) -> None:
    run.add(DELIVERIES, 9, "refused", session="sx", stage=stage, code=code, fault=None, key=of, to=list(to))


# While things move, the counter of sent mails cannot be held against the ledger.
@bad(unknown="stuck drained metric_drift")
def stuck_without_a_limit(run):
    not_delivered(run, "RETRY")
    not_quiet(run, 20)


@bad(fail="stuck drained", unknown="metric_drift")
def stuck_over_the_limit(run):
    not_delivered(run, "RETRY")
    not_quiet(run, 20)
    run.limits(drain_limit_s=20.0)


@bad(unknown="stuck drained metric_drift")
def stuck_but_the_drain_was_broken_off(run):
    not_delivered(run, "RETRY")
    not_quiet(run, 3)
    run.limits(drain_limit_s=20.0)


@bad(unknown=f"{NO_SINK} drained metric_drift evidence")
def stuck_is_not_proven_by_a_sink_that_was_cut_off(run):
    not_delivered(run, "RETRY")
    not_quiet(run, 20)
    run.limits(drain_limit_s=None)
    run.drop(DELIVERIES, "sink_stop")


@bad(unknown="stuck drained metric_drift")
def stuck_over_the_limit_and_the_last_look_was_blind(run):
    not_delivered(run, "RETRY")
    not_quiet(run, 20, seen=False)
    run.limits(drain_limit_s=20.0)


# -- duplicates ---------------------------------------------------------------------------------------


def copy(run: Run, first: dict | None = None, **changes) -> None:
    stored = run.find(DELIVERIES, "stored", key=key(3))
    stored.update(first or {})
    run.store(3, 8, **{"attempt": 2, **changes})
    run.counters(stored=11)


def unflushed(run: Run) -> None:
    mail = run.find(DELIVERIES, "stored", key=key(3))["mail"]
    run.find(DELIVERIES, "reply", mail=mail)["flushed"] = False


@bad(fail="duplicate")
def duplicate_by_worker_retry_after_a_flushed_reply(run):
    copy(run)


@bad(fail="duplicate lease_recovery")
def duplicate_by_worker_retry_after_a_kill(run):
    copy(run, worker="h:202")
    run.kill(3.52)
    # An innocent mail on the same worker was held up for ever longer.
    run.find(LEDGER, "job", key=key(5))["trail"] = [event(3.5, "leased")]
    run.find(DELIVERIES, "stored", key=key(5))["at_s"] = 18.0
    run.find(DELIVERIES, "reply", mail="m5")["at_s"] = 18.1
    run.find(DELIVERIES, "session_end", session="s5")["at_s"] = 18.2


@bad(fail="duplicate")
def duplicate_by_broker_redelivery(run):
    copy(run, hint="task-3 redelivered")


@bad(fail="duplicate")
def duplicate_by_double_enqueue(run):
    copy(run, attempt=1, hint="task-other")


@bad(fail="duplicate")
def duplicate_by_in_doubt_retry(run):
    unflushed(run)
    copy(run)


@bad(fail="duplicate")
def duplicate_by_sink_error(run):
    copy(run, attempt=1, session="s3")


@bad(fail="duplicate one_job_per_key")
def duplicate_by_client_resubmit(run):
    two_jobs(run)
    copy(run, attempt=1, id="job-other")


def two_jobs(run: Run) -> None:
    run.add(SUBMISSIONS, 3.5, "invoke", key=key(3), **{"try": 2})
    run.add(SUBMISSIONS, 3.6, "ok", key=key(3), **{"try": 2}, id="job-other", status=202, latency_s=0.1)
    run.ledger(3, id="job-other")
    run.find(LEDGER, "ledger_end").update(asked=11, answered=11)
    run.counters(accepted=11, sent=11)


@bad(fail="one_job_per_key")
def two_jobs_for_one_key(run):
    two_jobs(run)


@bad(fail="unavoidable_duplicate")
def unavoidable_and_not_allowed(run):
    run.plan["receipts"] = False
    unflushed(run)
    copy(run)


@bad(fail="duplicate")
def a_third_copy_after_a_flushed_second_is_not_unavoidable(run):
    run.plan["receipts"] = False
    run.limits(allow_unavoidable=True)
    unflushed(run)
    copy(run)
    run.store(3, 9, attempt=3)
    run.counters(stored=12)


# -- intruders ----------------------------------------------------------------------------------------


def refused_job(run: Run) -> None:
    run.add(SUBMISSIONS, 11, "due", key=key(10), due_mono_ns=mono(11), to="u10@example.org", digest="d10")
    run.add(SUBMISSIONS, 11, "invoke", key=key(10), **{"try": 1}, late_s=0)
    run.add(SUBMISSIONS, 11.1, "fail", key=key(10), **{"try": 1}, status=503, why="not-accepted")
    run.find(SUBMISSIONS, "load_stop").update(due=11, sent=11)


@bad(fail="phantom")
def phantom_of_a_refused_submission(run):
    refused_job(run)
    run.store(10, 12)
    run.counters(stored=11)


@bad(fail="phantom", unknown="offered")
def phantom_that_was_never_submitted(run):
    refused_job(run)
    run.drop(SUBMISSIONS, "invoke", key=key(10))
    run.drop(SUBMISSIONS, "fail", key=key(10))
    run.find(SUBMISSIONS, "load_stop").update(sent=10)
    run.store(10, 12)
    run.counters(stored=11)


@bad(unknown=f"{NO_LOAD} offered metric_drift evidence")
def phantom_is_not_proven_by_a_load_that_was_cut_off(run):
    phantom_of_a_refused_submission(run)
    run.find(SUBMISSIONS, "load_stop").update(event="status", key=key(10), id="x", state="PENDING")


def stray(run: Run, **changes) -> None:
    run.store(3, 12, **changes)
    run.counters(stored=11)


@bad(fail="unexpected")
def mail_of_another_run(run):
    stray(run, key="other-000003")


@bad(fail="unexpected")
def mail_without_a_key(run):
    stray(run, key=None)


@bad(fail="unexpected")
def mail_with_an_unknown_key(run):
    stray(run, key=f"{RUN}-999999")


@bad(unknown=f"{NO_LOAD} metric_drift evidence")
def an_unknown_key_may_stand_in_a_lost_line(run):
    stray(run, key=f"{RUN}-999999")
    run.find(SUBMISSIONS, "invoke", key=key(5))["seq"] = 77


@bad(fail="unexpected", unknown=f"{NO_LOAD.replace(' unexpected', '')} metric_drift evidence")
def a_foreign_key_is_proof_even_with_a_lost_line(run):
    stray(run, key="other-000003")
    run.find(SUBMISSIONS, "invoke", key=key(5))["seq"] = 77


@bad(fail="corrupted")
def other_content(run):
    run.find(DELIVERIES, "stored", key=key(3))["digest"] = "other"


@bad(fail="misdelivered")
def other_recipient(run):
    run.find(DELIVERIES, "stored", key=key(3))["to"] = ["eve@example.org"]


@bad(fail="misdelivered")
def one_recipient_too_many(run):
    run.find(DELIVERIES, "stored", key=key(3))["to"].append("eve@example.org")


# -- the status API -----------------------------------------------------------------------------------


def read_status(run: Run, at_s: float, state: str) -> None:
    run.add(SUBMISSIONS, at_s, "status", key=key(3), id="job-3", state=state, asked_mono_ns=mono(at_s - 0.1))


@bad(fail="false_sent")
def said_sent_too_early(run):
    read_status(run, 3.4, "SUCCESS")


@bad(fail="false_sent lost")
def said_sent_once_and_never_stored(run):
    not_delivered(run, "PENDING")
    read_status(run, 3.4, "SUCCESS")


@bad(fail="false_failed")
def said_failed_at_the_end(run):
    run.find(LEDGER, "job", key=key(3))["state"] = "FAILURE"
    run.counters(sent=9)


@bad(fail="false_failed")
def said_failed_on_the_way(run):
    read_status(run, 3.3, "FAILURE")


@bad(fail="false_failed")
def said_cancelled_at_the_end(run):
    run.find(LEDGER, "job", key=key(3))["state"] = "REVOKED"
    run.counters(sent=9)


@bad(fail="false_failed")
def said_cancelled_on_the_way(run):
    read_status(run, 3.3, "REVOKED")


def ends_as(run: Run, state: str, detail: str | None = None) -> None:
    """The mail is delivered; the API's last word on its job is another one."""
    run.find(LEDGER, "job", key=key(3)).update(state=state, detail=detail)
    run.counters(sent=9)


@bad(fail="unfinished")
def delivered_and_started_for_ever(run):
    ends_as(run, "STARTED")


@bad(fail="unfinished")
def delivered_and_forgotten_by_a_policy_that_promises_nothing(run):
    ends_as(run, "STARTED", "task-3")
    run.plan["delivery"] = "none"


@bad(fail="unfinished")
def delivered_and_merely_in_doubt(run):
    ends_as(run, "RETRY", "in doubt")


@bad(fail="unfinished")
def one_held_in_doubt_does_not_excuse_another(run):
    ends_as(run, "RETRY", "in doubt, held for an operator")
    run.find(LEDGER, "job", key=key(4))["state"] = "PENDING"
    run.counters(sent=8)


@bad(unknown="unfinished drained metric_drift")
def delivered_and_still_at_work(run):
    ends_as(run, "STARTED")
    not_quiet(run, 20)


@bad(unknown="held given_up false_sent false_failed unfinished metric_drift evidence")
def unfinished_is_not_proven_by_a_torn_ledger(run):
    ends_as(run, "STARTED")
    run.drop(LEDGER, "ledger_end")


@bad(unknown=f"{NO_SINK} metric_drift evidence")
def unfinished_is_not_proven_by_a_sink_that_was_cut_off(run):
    ends_as(run, "STARTED")
    run.drop(DELIVERIES, "sink_stop")


@bad(unknown="drained bite recovery lease_recovery story evidence unfinished")
def unfinished_is_not_proven_by_an_experiment_with_a_gap(run):
    ends_as(run, "STARTED")
    gap(run)


def gap(run: Run) -> None:
    """A record of the experiment is missing before the last one."""
    run.find(EVENTS, "quiet")["seq"] = 77


# -- counters -----------------------------------------------------------------------------------------


@bad(fail="metric_drift")
def accepted_counter_runs_ahead(run):
    run.counters(accepted=11)


@bad(fail="metric_drift")
def accepted_counter_lags(run):
    run.counters(accepted=9)


@bad(fail="metric_drift")
def sent_counter_counts_twice(run):
    run.counters(sent=11)


@bad(fail="metric_drift")
def stored_counter_lags(run):
    run.files[METRICS][-2]["samples"]["sink_messages_stored_total"] = 9


@bad(unknown="metric_drift")
def a_counter_is_missing(run):
    for record in run.files[METRICS]:
        record["samples"].pop("mail_jobs_accepted_total", None)


@bad(unknown="metric_drift")
def first_scrape_came_too_late(run):
    for record in run.files[METRICS][:3]:
        record["at_s"] = 5.0


@bad(unknown="metric_drift")
def last_scrape_came_too_early(run):
    run.counters(accepted=4, sent=4)
    run.files[METRICS][-3]["at_s"] = 4.7


@bad(unknown="metric_drift evidence")
def no_successful_scrape(run):
    for record in run.files[METRICS]:
        record.update(ok=False, samples={}, error="refused")


# -- the experiment -----------------------------------------------------------------------------------


@bad(unknown="bite")
def expected_fault_was_never_injected(run):
    run.plan["expect_faults"] = ["sever"]


@bad(unknown="bite")
def fault_did_not_bite(run):
    run.fault()
    run.drop(EVENTS, "bite")


@bad(unknown="bite")
def heal_was_not_read_back(run):
    run.fault()
    run.drop(EVENTS, "healed")


@bad(unknown="bite")
def heal_was_read_back_without_words(run):
    run.fault()
    run.find(EVENTS, "healed")["read_back"] = " "


@bad(unknown="bite story evidence lease_recovery recovery drained")
def bite_of_a_fault_that_was_never_injected(run):
    run.add(EVENTS, 6, "bite", fault="ghost-1", proof="?")


@bad(fail="recovery")
def not_recovered_with_a_limit(run):
    run.fault()
    run.limits(recovery_limit_s=30)
    run.find(EVENTS, "recovered").update(event="not_recovered", waited_s=30.1)


@bad(unknown="recovery")
def not_recovered_without_a_limit(run):
    run.fault()
    run.find(EVENTS, "recovered").update(event="not_recovered", waited_s=30.1)


@bad(fail="recovery")
def recovered_too_late(run):
    run.fault()
    run.limits(recovery_limit_s=3)


@bad(unknown="recovery")
def nobody_looked_whether_it_recovered(run):
    run.fault()
    run.limits(recovery_limit_s=30)
    run.drop(EVENTS, "recovered")


@bad(unknown="drained metric_drift")
def nobody_looked_whether_it_is_quiet(run):
    run.drop(EVENTS, "quiet")


@bad(unknown="drained metric_drift")
def not_quiet_without_a_limit(run):
    not_quiet(run, 20)


@bad(fail="drained", unknown="metric_drift")
def not_quiet_within_the_limit(run):
    not_quiet(run, 20)
    run.limits(drain_limit_s=20)


@bad(fail="drained")
def quiet_after_the_limit(run):
    run.limits(drain_limit_s=3)


@bad(unknown="drained metric_drift")
def not_quiet_within_the_limit_and_the_last_look_was_blind(run):
    not_quiet(run, 20, seen=False)
    run.limits(drain_limit_s=20)


@bad(unknown="drained metric_drift")
def called_quiet_by_a_blind_look(run):
    run.find(EVENTS, "quiet")["seen"] = False
    run.limits(drain_limit_s=3)


@bad(unknown="bite")
def every_kill_of_a_worker_found_it_idle(run):
    run.plan["expect_faults"] = ["kill-group"]
    run.fault("kill-group-1", "kill-group")
    run.kill(4.99)


@bad(unknown="bite")
def every_kill_of_a_child_found_it_idle(run):
    run.plan["expect_faults"] = ["sever", "kill-child"]
    run.fault()
    run.fault("kill-child-1", "kill-child")
    run.kill(4.99)


@bad(unknown="story")
def nobody_says_whether_the_story_was_told(run):
    run.drop(EVENTS, "story")


@bad(unknown="story")
def story_was_cut(run):
    run.find(EVENTS, "story").update(told=False, why="the load ended before the story did")


@bad(unknown="story")
def story_was_cut_and_then_called_told(run):
    run.add(EVENTS, LOAD_END - 1, "story", told=False, why=None)


@bad(unknown="story")
def harness_failed(run):
    run.add(EVENTS, STOP, "harness_failed", why="not undone: processes [7] cannot be ended")


@bad(unknown="story")
def nobody_says_how_the_load_ended(run):
    run.drop(EVENTS, "load_exit")


@bad(unknown="story")
def load_ended_with_an_error(run):
    run.find(EVENTS, "load_exit")["status"] = 1


@bad(unknown="story")
def load_was_killed(run):
    run.find(EVENTS, "load_exit")["status"] = -9


@bad(unknown="story")
def load_was_not_seen_to_end(run):
    run.find(EVENTS, "load_exit")["status"] = None


@bad(unknown="story")
def one_of_two_loads_ended_with_an_error(run):
    run.add(EVENTS, LOAD_END, "load_exit", status=3)


def kill_in_flight(run: Run, stored_at: float | None) -> None:
    """Job 3 is leased at 3.1 s by a worker that dies at 3.3 s."""
    run.kill(3.3, pid=100, children=(101,))
    run.find(LEDGER, "job", key=key(3))["trail"] = [event(3.1, "leased"), event(13.2, "leased", 2, "h:202")]
    if stored_at is None:
        not_delivered(run, "PENDING")
    else:
        stored_late(run, 3, stored_at)


def stored_late(run: Run, number: int, at_s: float) -> None:
    stored = run.find(DELIVERIES, "stored", key=key(number))
    stored["at_s"] = at_s
    run.find(DELIVERIES, "reply", mail=stored["mail"])["at_s"] = at_s + 0.001
    run.find(DELIVERIES, "session_end", session=stored["session"])["at_s"] = at_s + 0.1


@bad(fail="lease_recovery")
def in_flight_at_a_kill_and_late(run):
    kill_in_flight(run, 16.5)


@bad(fail="lease_recovery lost")
def in_flight_at_a_kill_and_never_stored(run):
    kill_in_flight(run, None)


@bad(unknown=f"{NO_SINK} lease_recovery metric_drift evidence")
def late_after_a_kill_is_not_proven_by_a_sink_that_was_cut_off(run):
    kill_in_flight(run, 16.5)
    run.drop(DELIVERIES, "sink_stop")


@bad(unknown="held given_up false_sent false_failed unfinished lease_recovery metric_drift evidence")
def a_kill_and_a_torn_ledger(run):
    kill_in_flight(run, 12)
    run.drop(LEDGER, "ledger_end")


def down(run: Run, name: str, at_s: float, healed_s: float | None, kind: str = "kill-group") -> None:
    """A fault that takes processes away, from its injection to its end as read back."""
    run.add(EVENTS, at_s, "inject", fault=name, kind=kind, detail="")
    run.add(EVENTS, at_s + 0.01, "bite", fault=name, proof="14 processes ended")
    run.add(EVENTS, at_s + 0.02, "heal", fault=name)
    if healed_s is not None:
        run.add(EVENTS, healed_s, "healed", fault=name, read_back="restarted and ready")
        run.add(EVENTS, healed_s + 1, "recovered", fault=name, after_s=0.9)


def all_down(run: Run, stored_at: float | None, healed_s: float | None = 14.3) -> None:
    """Both groups are killed at 3.3 s, and back 11 s later; the lease of 8 s ends before that."""
    run.plan["lease_s"] = 8
    kill_in_flight(run, stored_at)
    down(run, "kill-group-1", 3.31, healed_s)


@bad(fail="lease_recovery")
def late_after_all_workers_were_back(run):
    all_down(run, 18.3)


@bad(fail="lease_recovery lost")
def never_stored_after_all_workers_were_back(run):
    all_down(run, None)


@bad(fail="lease_recovery")
def a_fault_that_kills_nothing_is_no_excuse(run):
    run.plan["lease_s"] = 8
    kill_in_flight(run, 14.6)
    down(run, "sever-1", 3.31, 14.3, "sever")


@bad(fail="lease_recovery")
def a_kill_that_was_over_before_is_no_excuse(run):
    kill_in_flight(run, 16.5)
    down(run, "kill-group-1", 1.0, 3.2)


@bad(fail="lease_recovery")
def a_kill_after_the_time_was_up_is_no_excuse(run):
    kill_in_flight(run, 18.0)
    down(run, "kill-group-1", 16.4, 17.9)


@bad(unknown="lease_recovery bite")
def late_after_a_kill_whose_end_is_not_on_record(run):
    all_down(run, 14.6, healed_s=None)
    run.add(EVENTS, 15, "recovered", fault="kill-group-1", after_s=0.9)


@bad(fail="lease_recovery", unknown="bite")
def late_after_one_kill_and_perhaps_after_another(run):
    kill_in_flight(run, 16.5)
    run.kill(18.0, pid=300, children=())
    down(run, "kill-group-2", 18.0, None)
    run.add(EVENTS, 35, "recovered", fault="kill-group-2", after_s=0.9)
    run.find(LEDGER, "job", key=key(9))["trail"] = [event(17.5, "leased", 1, "h:300")]
    stored_late(run, 9, 31.5)


@bad(unknown="lease_recovery", fail="lost")
def never_stored_by_a_run_that_ended_before_the_time_was_up(run):
    kill_in_flight(run, None)
    run.add(EVENTS, 16.0, "phase", name="stop")


@bad(unknown="drained bite recovery lease_recovery story evidence")
def late_after_a_kill_is_not_proven_by_an_experiment_with_a_gap(run):
    kill_in_flight(run, 16.5)
    gap(run)


# -- the load -----------------------------------------------------------------------------------------


@bad(unknown="accepted")
def too_few_accepted(run):
    run.limits(min_accepted=11)


@bad(unknown="offered")
def due_and_never_sent(run):
    run.add(SUBMISSIONS, 11, "due", key=key(10), due_mono_ns=mono(11), to="u10@example.org", digest="d10")
    run.find(SUBMISSIONS, "load_stop").update(due=11)


@bad(unknown="offered")
def the_load_says_that_it_sent_more(run):
    run.find(SUBMISSIONS, "load_stop").update(sent=11)


@bad(unknown="offered")
def the_load_broke(run):
    run.find(SUBMISSIONS, "load_stop")["reason"] = "load broken: OSError: disk full"


@bad(unknown="offered")
def the_load_could_not_hold_its_schedule(run):
    run.find(SUBMISSIONS, "load_stop")["max_late_s"] = 1.01


@bad(unknown="offered")
def the_load_ran_at_another_rate(run):
    run.find(SUBMISSIONS, "load_start")["rate_per_s"] = 9


@bad(unknown="offered")
def the_load_ran_with_another_seed(run):
    run.find(SUBMISSIONS, "load_start")["seed"] = 8


def second_load(run: Run, **start) -> None:
    """A load is several processes: each says the rate and the seed of the whole run."""
    fields = {"rate_per_s": 10, "seed": 7, "target": "http://x", "schedule": "constant"}
    run.add(SUBMISSIONS, 0, "load_start", writer="second", **{**fields, **start})
    run.add(SUBMISSIONS, LOAD_END, "load_stop", writer="second", due=0, sent=0, max_late_s=0, reason="signal")


@bad(unknown="offered")
def one_of_two_loads_ran_with_another_seed(run):
    second_load(run, seed=8)


@bad(unknown="offered")
def the_first_of_two_loads_could_not_hold_its_schedule(run):
    run.find(SUBMISSIONS, "load_stop")["max_late_s"] = 1.01
    second_load(run)


@bad(unknown=f"{NO_LOAD} metric_drift evidence")
def the_load_does_not_say_its_rate(run):
    run.find(SUBMISSIONS, "load_start")["rate_per_s"] = None


# -- the evidence -------------------------------------------------------------------------------------


@bad(unknown=f"{NO_LOAD} offered metric_drift evidence")
def load_was_cut_off(run):
    run.drop(SUBMISSIONS, "load_stop")


@bad(unknown=f"{NO_LOAD} metric_drift evidence")
def load_never_said_that_it_began(run):
    run.drop(SUBMISSIONS, "load_start")


@bad(unknown=f"{NO_LOAD} metric_drift evidence")
def load_counts_more_due_jobs(run):
    run.find(SUBMISSIONS, "load_stop").update(due=11)


@bad(unknown=f"{NO_LOAD} metric_drift evidence")
def submitted_without_being_due(run):
    run.drop(SUBMISSIONS, "due", key=key(3))
    run.find(SUBMISSIONS, "load_stop").update(due=9)


@bad(unknown=f"{NO_SINK} metric_drift evidence")
def sink_was_cut_off(run):
    run.drop(DELIVERIES, "sink_stop")


@bad(unknown=f"{NO_SINK} metric_drift evidence")
def sink_was_killed_and_started_again(run):
    run.add(
        DELIVERIES,
        15,
        "sink_start",
        writer="second",
        smtp_port=1,
        idle_limit_s=5,
        data_limit_s=5,
        latency_s=0,
    )
    run.find(DELIVERIES, "sink_stop")["writer"] = "second-deliveries"


@bad(unknown=f"{NO_SINK} metric_drift evidence")
def sink_never_said_that_it_began(run):
    run.drop(DELIVERIES, "sink_start")


@bad(unknown=f"{NO_SINK} metric_drift evidence")
def session_did_not_end(run):
    run.drop(DELIVERIES, "session_end", session="s3")


@bad(unknown=f"{NO_SINK} metric_drift evidence")
def stored_without_a_reply(run):
    run.drop(DELIVERIES, "reply", mail="m3")


@bad(unknown=f"{NO_SINK} metric_drift evidence")
def two_replies_for_one_mail(run):
    run.add(DELIVERIES, 5, "reply", mail="m3", session="s3", code=250, flushed=True, fault=None)


@bad(unknown=f"{NO_SINK} metric_drift evidence")
def gap_in_the_sink(run):
    run.find(DELIVERIES, "data_begin", session="s3")["seq"] = 999


@bad(unknown=f"{NO_SINK} metric_drift evidence")
def sink_record_with_a_wrong_field(run):
    run.find(DELIVERIES, "reply", mail="m3")["flushed"] = "yes"


@bad(unknown=f"{NO_SINK} metric_drift evidence")
def record_of_another_run(run):
    run.add(DELIVERIES, 5, "data_begin", session="s3")["run"] = "t-2"


@bad(unknown="held given_up false_sent false_failed unfinished metric_drift evidence")
def ledger_was_cut_off(run):
    run.drop(LEDGER, "ledger_end")


@bad(unknown="held given_up false_sent false_failed unfinished metric_drift evidence")
def ledger_did_not_answer_everything(run):
    run.find(LEDGER, "ledger_end").update(answered=9)


@bad(unknown="held given_up false_sent false_failed unfinished metric_drift evidence")
def accepted_job_was_not_asked_for(run):
    run.drop(LEDGER, "job", key=key(3))
    run.counters(sent=9)


@bad(unknown="held given_up false_sent false_failed unfinished metric_drift evidence")
def accepted_job_is_unknown_to_the_system(run):
    run.find(LEDGER, "job", key=key(3)).update(http=404, state=None)


@bad(unknown="held given_up false_sent false_failed unfinished metric_drift evidence")
def one_job_stands_twice_in_the_ledger(run):
    run.ledger(3)
    run.find(LEDGER, "ledger_end").update(asked=11, answered=11)


@bad(unknown="evidence")
def sink_read_more_than_its_proxy_sent(run):
    proxy = run.files[METRICS][-1]["samples"]
    proxy[next(iter(proxy))] = 4999


@bad(unknown="evidence")
def proxy_sent_more_than_the_sink_read(run):
    proxy = run.files[METRICS][-1]["samples"]
    proxy[next(iter(proxy))] = 5001


@bad(unknown="evidence")
def proxy_sent_more_than_a_broken_session_explains(run):
    run.find(DELIVERIES, "session_end", session="s3")["how"] = "idle"
    proxy = run.files[METRICS][-1]["samples"]
    proxy[next(iter(proxy))] = 5000 + 2049


def truncated(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / name
        path.write_bytes(path.read_bytes()[:-10])

    return spoil


@bad(unknown=f"{NO_LOAD} offered metric_drift evidence")
def last_line_of_the_load_is_torn(run):
    return truncated(SUBMISSIONS)


@bad(unknown=f"{NO_SINK} metric_drift evidence")
def last_line_of_the_sink_is_torn(run):
    return truncated(DELIVERIES)


@bad(unknown=NO_EVENTS)
def last_line_of_the_experiment_is_torn(run):
    return truncated(EVENTS)


@bad(unknown="metric_drift evidence")
def last_line_of_the_scrapes_is_torn(run):
    return truncated(METRICS)


@bad(unknown="held given_up false_sent false_failed unfinished metric_drift evidence")
def last_line_of_the_ledger_is_torn(run):
    return truncated(LEDGER)


@bad(unknown=f"{NO_SINK} metric_drift evidence")
def sink_file_is_missing(run):
    return lambda folder: (folder / DELIVERIES).unlink()


@bad(unknown=f"{NO_SINK} metric_drift evidence")
def sink_file_is_unreadable(run):
    def spoil(folder: Path) -> None:
        (folder / DELIVERIES).unlink()
        (folder / DELIVERIES).mkdir()

    return spoil


@bad(unknown=f"{NO_SINK} metric_drift evidence")
def sink_file_is_garbage(run):
    return lambda folder: (folder / DELIVERIES).write_bytes(b"\xff\xfe\n[1]\n{}\n\n" * 100)


@bad(unknown=f"{NO_SINK} metric_drift evidence")
def sink_file_is_empty(run):
    return lambda folder: (folder / DELIVERIES).write_bytes(b"")


@bad(unknown=NO_EVENTS)
def experiment_file_is_missing(run):
    return lambda folder: (folder / EVENTS).unlink()


# -- corners that a mutated judge would cut -----------------------------------------------------------


@bad(unknown="stuck drained metric_drift")
def stuck_with_a_limit_and_no_drain_on_record(run):
    not_delivered(run, "RETRY")
    run.drop(EVENTS, "quiet")
    run.limits(drain_limit_s=20.0)


@bad(fail="lost")
def lost_though_refused_for_good_since_nobody_gave_it_up(run):
    not_delivered(run, "PENDING")
    refuse(run, 550, "rcpt", key(3))


@bad(fail="lost", unknown="held given_up false_sent false_failed unfinished metric_drift evidence")
def lost_without_a_state_on_record(run):
    not_delivered(run, "PENDING")
    run.find(LEDGER, "job", key=key(3)).update(http=None, state=None)


@bad(fail="metric_drift")
def a_refused_submission_was_counted_as_accepted(run):
    refused_job(run)
    run.counters(accepted=11)


@bad(fail="metric_drift")
def a_submission_that_was_repeated_was_counted_twice(run):
    run.add(SUBMISSIONS, 3.005, "info", key=key(3), **{"try": 1}, status=None, why="time-out")
    run.counters(accepted=11)


@bad(fail="lease_recovery")
def leased_again_too_late_before_the_next_kill(run):
    kill_in_flight(run, 20.0)
    run.find(LEDGER, "job", key=key(3))["trail"] = [event(3.1, "leased"), event(17.0, "leased", 2, "h:202")]
    run.kill(17.2, pid=202, children=())


@bad(unknown=NO_EVENTS)
def torn_experiment_with_a_fault(run):
    run.fault()
    return truncated(EVENTS)


def same_session_other_attempt(run: Run) -> None:
    """A connection kept open for two attempts is no error of the sink."""
    copy(run, session="s3")


def without_a_job_id(run: Run) -> None:
    """A copy without a job id proves no second job."""
    copy(run, id=None)
