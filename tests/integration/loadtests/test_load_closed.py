"""The closed model: as many jobs at a time as there are users, and a slow system slows them down."""

from itertools import pairwise

from loadtests import launch
from loadtests.mix import make


def in_flight(records):
    """How many jobs were on the way at most."""
    now = most = 0
    for record in records:
        now += {"invoke": 1, "ok": -1}.get(record["event"], 0)
        most = max(most, now)
    return most


def test_users_wait_for_their_answers(standin, load):
    api = standin()
    run = load(target=api.url, for_s=2.0, model="closed", users=3, think_s=0.05, mix="email=1,add=1")
    run.until(lambda: len(run.records("ok")) > 10)
    api.freeze(0.8)
    assert run.wait() == 0
    start, stop = run.records("load_start", "load_stop")
    assert (start["model"], start["schedule"]) == (
        "closed",
        "closed: each user waits for the answer, thinks 0.05 s, seed 1",
    )
    assert stop["due"] == stop["sent"] == len(run.records("ok"))
    assert in_flight(run.records()) == 3
    dues = run.records("due")
    assert [due["key"] for due in dues] == [make("t1", 1, number).key for number in range(len(dues))]
    # While nothing was answered nobody wanted anything: what the open model shows is hidden here.
    gaps = [(after["due_mono_ns"] - before["due_mono_ns"]) / 1e9 for before, after in pairwise(dues)]
    assert max(gaps) > 0.6
    latencies = [record["latency_s"] for record in run.records("ok")]
    assert sum(latency > 0.6 for latency in latencies) <= 3
    assert "closed model: offered" in run.log.read_text()


def test_users_may_wait_for_the_end_of_their_job(standin, load):
    api = standin()
    api.states = ["SUCCESS"]
    run = load(target=api.url, for_s=1.2, model="closed", users=2, think_s=0.01, until_done=True)
    assert run.wait() == 0
    done = [record["mono_ns"] for record in run.records("status") if record["state"] == "SUCCESS"]
    dues = run.records("due")
    assert len(done) >= 2
    # The third job is due only when one of the first two was done.
    assert dues[2]["due_mono_ns"] > min(done)
    assert in_flight(run.records()) <= 2


def test_users_of_two_processes_never_take_the_same_job_and_end_gently(standin, load):
    api = standin()
    run = load(target=api.url, model="closed", users=4, think_s=0.02, processes=2)
    run.until(lambda: {int(record["key"][-6:]) % 2 for record in run.records("ok")} == {0, 1})
    run.until(lambda: len(run.records("ok")) > 40)
    assert launch.stop(run.process, 30.0) == 0
    keys = [due["key"] for due in run.records("due")]
    assert len(keys) == len(set(keys)) == len(run.records("ok"))
    assert {stop["reason"] for stop in run.records("load_stop")} == {"signal"}
