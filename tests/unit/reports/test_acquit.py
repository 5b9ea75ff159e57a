"""What looks guilty and is not: histories that must pass, and what the verdict says of them."""

from __future__ import annotations

import pytest

from reports.evidence import DELIVERIES, EVENTS, LEDGER, METRICS, SUBMISSIONS
from reports.verdict import judge

from .bad import (
    all_down,
    copy,
    down,
    ends_as,
    kill_in_flight,
    not_delivered,
    refuse,
    refused_job,
    second_load,
    unflushed,
)
from .runs import STOP, Run, event, key


@pytest.fixture
def run():
    return Run.sound()


def passes(run, tmp_path):
    verdict = judge(run.write(tmp_path))
    assert {check.name: check.summary for check in verdict.checks if check.verdict != "pass"} == {}
    return verdict


def check(verdict, name):
    return next(check for check in verdict.checks if check.name == name)


def unclear(run, number=3):
    """Turn the only try of a job into one of unknown outcome."""
    run.find(SUBMISSIONS, "ok", key=key(number)).update(event="info", status=None, why="time-out")
    run.drop(LEDGER, "job", key=key(number))
    run.find(LEDGER, "ledger_end").update(asked=9, answered=9)


def test_refused_and_not_delivered(run, tmp_path):
    refused_job(run)
    assert passes(run, tmp_path).counts["rejected"] == 1


def test_unknown_outcome_with_one_copy_is_recovered(run, tmp_path):
    unclear(run)
    counts = passes(run, tmp_path).counts
    assert (counts["unknown"], counts["recovered"], counts["accepted"]) == (1, 1, 9)


def test_unknown_outcome_without_a_copy_is_nobodys_loss(run, tmp_path):
    unclear(run)
    run.never_stored(3)
    run.counters(accepted=9, sent=9)
    assert passes(run, tmp_path).counts["recovered"] == 0


def test_a_try_without_any_outcome_is_unknown_not_refused(run, tmp_path):
    unclear(run)
    run.drop(SUBMISSIONS, "info", key=key(3))
    run.add(SUBMISSIONS, 5, "invoke", key=key(3), **{"try": 2})
    run.add(SUBMISSIONS, 5.1, "fail", key=key(3), **{"try": 2}, status=503, why="not-accepted")
    assert passes(run, tmp_path).counts["unknown"] == 1


def test_an_unknown_outcome_with_two_copies_is_a_duplicate(run, tmp_path):
    unclear(run)
    copy(run)
    assert judge(run.write(tmp_path)).counts["duplicates"] == 1


def test_given_up_for_a_5xx_of_this_mail(run, tmp_path):
    not_delivered(run, "FAILURE", "550 no such user")
    refuse(run, 550, "rcpt", key(3))
    verdict = passes(run, tmp_path)
    assert check(verdict, "given_up").keys == (key(3),)
    assert verdict.counts["given_up"] == 1


def test_given_up_for_a_5xx_before_the_key_was_known(run, tmp_path):
    not_delivered(run, "FAILURE", {"code": 552, "text": "too big"})
    refuse(run, 552, "data", to=("u3@example.org",))
    assert passes(run, tmp_path).counts["given_up"] == 1


def test_given_up_for_a_5xx_of_the_sender(run, tmp_path):
    not_delivered(run, "FAILURE", "550 sender unknown")
    refuse(run, 550, "mail")
    assert passes(run, tmp_path).counts["given_up"] == 1


def test_a_202_that_could_not_be_read_is_listed(run, tmp_path):
    run.find(SUBMISSIONS, "ok", key=key(3))["id"] = None
    run.drop(LEDGER, "job", key=key(3))
    run.find(LEDGER, "ledger_end").update(asked=9, answered=9)
    found = check(passes(run, tmp_path), "one_job_per_key")
    assert found.details["unread_202_keys"] == [key(3)]
    assert "could not be read" in found.summary


def test_unavoidable_and_allowed(run, tmp_path):
    run.plan["receipts"] = False
    run.limits(allow_unavoidable=True)
    unflushed(run)
    copy(run)
    counts = passes(run, tmp_path).counts
    assert (counts["unavoidable_duplicates"], counts["duplicates"]) == (1, 0)


def test_a_status_read_after_the_mail_was_stored(run, tmp_path):
    run.add(SUBMISSIONS, 3.6, "status", key=key(3), id="job-3", state="SUCCESS", asked_mono_ns=1)
    passes(run, tmp_path)


def test_a_fault_with_all_its_clocks(run, tmp_path):
    run.fault()
    run.plan["expect_faults"] = ["sever"]
    run.limits(recovery_limit_s=4, drain_limit_s=10)
    (fault,) = passes(run, tmp_path).faults
    clocks = ("inject_s", "bite_s", "heal_s", "healed_s", "first_success_s", "recovered_s", "recovery_s")
    assert [fault[name] for name in clocks] == [5, 6, 8, 8.1, 8.5, 11.6, 3.5]


def test_in_flight_at_a_kill_and_delivered_in_time(run, tmp_path):
    kill_in_flight(run, 14.0)
    verdict = passes(run, tmp_path)
    (kill,) = verdict.kills
    assert (kill["in_flight"], kill["delivered"], kill["never"], kill["max_s"]) == (1, 1, 0, 10.7)
    assert check(verdict, "lease_recovery").details["max_s"] == 10.7


def test_in_flight_at_a_kill_and_already_stored(run, tmp_path):
    run.kill(3.55)
    run.find(LEDGER, "job", key=key(3))["trail"] = [event(3.1, "leased"), event(13.2, "sent", 1, "h:202")]
    (kill,) = passes(run, tmp_path).kills
    assert (kill["in_flight"], kill["stored_before"]) == (1, 1)


def test_an_attempt_that_had_ended_was_not_in_flight(run, tmp_path):
    kill_in_flight(run, 17.0)
    trail = run.find(LEDGER, "job", key=key(3))["trail"]
    trail.insert(1, event(3.2, "retry"))
    (kill,) = passes(run, tmp_path).kills
    assert kill["in_flight"] == 0


def test_the_end_of_another_attempt_is_not_the_end_of_this_one(run, tmp_path):
    kill_in_flight(run, 14.0)
    run.find(LEDGER, "job", key=key(3))["trail"].insert(1, event(3.2, "retry", 7, "h:300"))
    (kill,) = passes(run, tmp_path).kills
    assert kill["in_flight"] == 1


def test_a_mail_hit_by_two_kills_is_timed_from_the_last(run, tmp_path):
    kill_in_flight(run, 25.0)
    run.kill(13.4, pid=202, children=())
    first, second = passes(run, tmp_path).kills
    assert (first["hit_again"], first["delivered"], first["max_s"]) == (1, 0, None)
    assert (second["hit_again"], second["delivered"], second["max_s"]) == (0, 1, 11.6)


def test_other_policies_promise_no_time(run, tmp_path):
    kill_in_flight(run, 17.0)
    run.plan["delivery"] = "none"
    assert "does not apply" in check(passes(run, tmp_path), "lease_recovery").summary


def test_a_counter_that_began_again_is_added_up(run, tmp_path):
    """Ten in all: six before a restart of the API, four after it."""
    run.counters(accepted=4)
    samples = {"mail_jobs_accepted_total": 6, 'mail_jobs_terminal_total{state="sent"}': 6}
    run.add(METRICS, 6, "scrape", target="api", ok=True, samples=samples, error=None)
    run.files[METRICS].insert(3, run.files[METRICS].pop())
    passes(run, tmp_path)


def test_a_labelled_counter_appears_with_its_first_event(run, tmp_path):
    run.files[METRICS][0]["samples"].pop('mail_jobs_terminal_total{state="sent"}')
    passes(run, tmp_path)


def test_two_targets_that_show_the_same_store_are_not_added(run, tmp_path):
    for record in [record for record in run.files[METRICS] if record["target"] == "api"]:
        run.files[METRICS].insert(0, {**record, "target": "api-2"})
    passes(run, tmp_path)


def test_a_session_that_ends_with_the_last_scrape_is_not_counted_by_the_proxy_yet(run, tmp_path):
    end = run.find(DELIVERIES, "session_end", session="s9")
    end["at_s"] = 31.5
    proxy = run.files[METRICS][-1]["samples"]
    proxy[next(iter(proxy))] = 4500
    passes(run, tmp_path)


def test_a_broken_session_may_leave_bytes_unread(run, tmp_path):
    run.find(DELIVERIES, "session_end", session="s3")["how"] = "data_limit"
    proxy = run.files[METRICS][-1]["samples"]
    proxy[next(iter(proxy))] = 5000 + 2048
    passes(run, tmp_path)


def test_nobody_compares_the_bytes_of_a_session_under_tls(run, tmp_path):
    run.find(DELIVERIES, "session_end", session="s3")["tls"] = "TLSv1.3"
    proxy = run.files[METRICS][-1]["samples"]
    proxy[next(iter(proxy))] = 9000
    passes(run, tmp_path)


def test_a_newer_writer_may_say_more(run, tmp_path):
    run.add(EVENTS, 5, "weather", sky="blue")
    passes(run, tmp_path)


def test_a_sink_that_was_stopped_and_started_again_in_good_order(run, tmp_path):
    run.add(DELIVERIES, 15, "sink_stop")
    run.drop(DELIVERIES, "sink_stop", at_s=40.0)
    for event_name, at_s in (("sink_start", 16), ("sink_stop", 40)):
        run.add(DELIVERIES, at_s, event_name, writer="second")
    passes(run, tmp_path)


def test_quiet_just_within_the_limit(run, tmp_path):
    run.limits(drain_limit_s=4.5)
    passes(run, tmp_path)


def test_a_later_kill_of_another_worker_does_not_matter(run, tmp_path):
    kill_in_flight(run, 14.0)
    run.kill(15.0, pid=900, children=())
    first, second = passes(run, tmp_path).kills
    assert (first["in_flight"], second["in_flight"]) == (1, 0)


# -- nobody was there who could lease -----------------------------------------------------------------


def test_in_flight_while_all_workers_were_down_and_stored_when_they_were_back(run, tmp_path):
    all_down(run, 14.6)
    verdict = passes(run, tmp_path)
    assert check(verdict, "lease_recovery").details["max_s"] == 11.3
    assert "1 of them later than" in check(verdict, "lease_recovery").summary


def test_in_flight_and_the_lease_ended_while_a_second_kill_held_all_workers_down(run, tmp_path):
    run.plan["lease_s"] = 8
    kill_in_flight(run, 21.0)
    down(run, "kill-group-1", 3.31, 9.0)
    run.kill(10.9, pid=300, children=())
    down(run, "kill-group-2", 10.91, 20.5)
    passes(run, tmp_path)


def test_in_flight_and_a_third_kill_came_as_soon_as_the_second_was_over(run, tmp_path):
    """Within 3 s of the return nobody had to have leased it yet."""
    run.plan["lease_s"] = 8
    kill_in_flight(run, 27.0)
    for name, at_s, healed_s in (("a", 22.0, 26.0), ("b", 3.31, 9.0), ("c", 10.91, 20.5)):
        down(run, f"kill-group-{name}", at_s, healed_s)
    passes(run, tmp_path)


@pytest.mark.parametrize("kind", ["kill-child", "kill-redis"])
def test_in_flight_while_redis_or_a_child_was_down(kind, run, tmp_path):
    run.plan["lease_s"] = 8
    kill_in_flight(run, 17.2)
    down(run, f"{kind}-1", 12.0, 14.3, kind)
    passes(run, tmp_path)


def test_in_flight_and_stored_in_time_whatever_became_of_the_fault(run, tmp_path):
    kill_in_flight(run, 16.2)
    down(run, "kill-group-1", 3.31, None)
    verdict = judge(run.write(tmp_path))
    assert check(verdict, "lease_recovery").verdict == "pass"


# -- a kill must hit something, where that can be known ------------------------------------------------


def test_one_kill_of_two_hit_a_mail(run, tmp_path):
    run.plan["expect_faults"] = ["kill-group"]
    kill_in_flight(run, 14.0)
    down(run, "kill-group-1", 3.31, 5.0)
    run.kill(15.5, pid=300, children=())
    down(run, "kill-group-2", 15.51, 17.0)
    passes(run, tmp_path)


def test_nobody_knows_what_a_worker_held_without_leases(run, tmp_path):
    run.plan.update(expect_faults=["kill-group"], delivery="none")
    for job in run.files[LEDGER]:
        job["trail"] = []
    run.kill(15.5)
    down(run, "kill-group-1", 15.51, 17.0)
    passes(run, tmp_path)


def test_a_kill_of_redis_need_not_hit_a_mail(run, tmp_path):
    run.plan["expect_faults"] = ["kill-redis"]
    run.kill(15.5, pid=300, children=())
    down(run, "kill-redis-1", 15.51, 17.0, "kill-redis")
    passes(run, tmp_path)


# -- the status, the load, the drain ------------------------------------------------------------------


def test_delivered_and_held_in_doubt_is_listed(run, tmp_path):
    ends_as(run, "RETRY", "in doubt, held for an operator: nobody can be asked")
    found = check(passes(run, tmp_path), "unfinished")
    assert (found.keys, found.details["held"]) == ((key(3),), 1)
    assert "held in doubt" in found.summary


def test_two_loads_that_each_say_the_whole_rate(run, tmp_path):
    second_load(run)
    run.add(EVENTS, 20, "load_exit", status=0)
    passes(run, tmp_path)


def test_late_by_just_the_limit(run, tmp_path):
    run.find(SUBMISSIONS, "load_stop")["max_late_s"] = 1.0
    passes(run, tmp_path)


def test_an_older_run_does_not_say_whether_it_saw_everything(run, tmp_path):
    run.find(EVENTS, "quiet").pop("seen")
    passes(run, tmp_path)


def test_a_blind_look_that_was_followed_by_a_good_one(run, tmp_path):
    run.add(EVENTS, 25, "not_quiet", after_s=2, detail="due ?", seen=False)
    run.add(EVENTS, STOP - 1, "phase", name="stop")
    passes(run, tmp_path)
