"""A real load process against a scripted API: what it offers, what it writes, how it ends."""

import json
import os
import re
import signal
import socket
import time

import psutil
import pytest

from benchmarks import k6_agree
from chaos.servers import k6
from loadtests.jobs import make
from tests.conftest import need


def by_key(load, *events):
    found = {}
    for record in load.records(*events):
        found.setdefault(record["key"], []).append(record)
    return found


def test_a_finite_run_ends_by_itself(standin, load):
    api = standin()
    run = load(target=api.url, for_s=2.0, rate_per_s=50.0, status_share=0.3)
    assert run.wait() == 0
    start, stop = run.records("load_start", "load_stop")
    assert (start["rate_per_s"], start["seed"], start["target"]) == (50.0, 1, api.url)
    assert start["schedule"] == "constant at 50/s, seed 1"
    assert (stop["due"], stop["sent"], stop["reason"]) == (100, 100, "finished")
    assert stop["max_late_s"] >= 0
    jobs = [make("t1", 1, number) for number in range(100)]
    dues = run.records("due")
    assert [(due["key"], due["to"], due["digest"]) for due in dues] == [(j.key, j.to, j.digest) for j in jobs]
    gaps = [(due["due_mono_ns"] - dues[0]["due_mono_ns"]) / 1e9 for due in dues]
    assert gaps == pytest.approx([number / 50 for number in range(100)], abs=1e-6)
    oks = by_key(run, "ok")
    assert {key: records[0]["id"] for key, records in oks.items()} == {
        job.key: f"id-{job.key}" for job in jobs
    }
    assert {seen.key: seen.body for seen in api.posts()} == {job.key: job.request for job in jobs}
    statuses = run.records("status")
    assert statuses
    assert {record["state"] for record in statuses} <= {"PENDING", "SUCCESS"}
    assert api.connections < 20  # connections are kept


OUTCOMES = {
    0: "accept", 1: "plain202", 2: "cut202", 3: "reset", 4: "close", 5: "hold", 6: "redirect",
    7: "422", 8: "not-accepted", 9: "outcome-unknown", 10: "500", 11: "429", 12: "404", 13: "503",
}  # fmt: skip


def test_every_outcome(standin, load):
    def script(seen, number):
        return OUTCOMES.get(int(seen.key[-6:]), "accept") if number == 1 else "accept"

    api = standin(script)
    run = load(target=api.url, for_s=1.0, rate_per_s=14.0, timeout_s=2.0)
    assert run.wait() == 0
    first = {int(r["key"][-6:]): r for r in run.records("ok", "fail", "info") if r["try"] == 1}
    verdicts = {OUTCOMES[number]: first[number]["event"] for number in OUTCOMES}
    assert verdicts == {
        "accept": "ok", "plain202": "ok", "cut202": "ok", "reset": "info", "close": "info", "hold": "info",
        "redirect": "info", "422": "fail", "not-accepted": "fail", "outcome-unknown": "info", "500": "info",
        "429": "fail", "404": "fail", "503": "info",
    }  # fmt: skip
    assert (first[1]["id"], first[2]["id"]) == (None, None)
    for number, record in first.items():
        key = record["key"]
        tries = api.posts(key)
        # Nothing hidden: exactly the tries on record reached the wire, each unknown one once more.
        assert len(tries) == len(by_key(run, "invoke")[key]) == (2 if record["event"] == "info" else 1), (
            number
        )
        assert all(seen.path == "/jobs" for seen in tries)
        assert len({json.dumps(seen.body) for seen in tries}) == 1
    log = run.log.read_text()
    assert "/jobs (again)" in log


def test_a_frozen_server_shows_in_the_latency_and_not_in_the_rate(standin, load):
    api = standin()
    run = load(target=api.url, for_s=6.0, rate_per_s=100.0)
    run.until(lambda: len(run.records("ok")) > 100)
    began_ns = time.monotonic_ns()
    api.freeze(2.0)
    assert run.wait() == 0
    stop = run.records("load_stop")[0]
    assert (stop["due"], stop["sent"]) == (600, 600)
    frozen = [r for r in run.records("invoke") if began_ns < r["mono_ns"] < began_ns + 2e9]
    assert len(frozen) > 150  # the open model: nothing waited for an answer
    latencies = sorted(record["latency_s"] for record in run.records("ok"))
    assert len(latencies) == 600
    assert latencies[int(len(latencies) * 0.99)] > 1.5
    # Locust's own row must tell the same story.
    row = next(line for line in run.log.read_text().splitlines() if line.startswith("POST"))
    assert int(row.split("|")[1].split()[2]) > 1500


@pytest.mark.slow
def test_two_frozen_seconds_of_twenty_are_in_the_p99(standin, load):
    api = standin()
    run = load(target=api.url, for_s=20.0, rate_per_s=100.0)
    run.until(lambda: len(run.records("ok")) > 800)
    api.freeze(2.0)
    assert run.wait() == 0
    latencies = sorted(record["latency_s"] for record in run.records("ok"))
    assert len(latencies) == 2000
    assert latencies[int(len(latencies) * 0.99)] > 1.5


@pytest.mark.slow
def test_k6_sees_the_same_p99():
    need(k6(get=True).path, "k6")
    _, apart = k6_agree.compare(k6_agree.Setting())
    assert abs(apart) < k6_agree.AGREE


def test_what_reached_the_server_is_on_disk_whenever_the_load_is_killed(standin, load):
    api = standin()
    run = load(target=api.url, for_s=0.0, rate_per_s=400.0)
    run.until(lambda: len(api.posts()) > 150)
    run.process.kill()
    run.process.wait()
    api.die()
    seen = {post.key for post in api.posts()}
    asked, due, accepted = (set(by_key(run, event)) for event in ("invoke", "due", "ok"))
    assert seen <= asked <= due
    # At most the outcomes of the last moment are missing: those jobs count as unknown.
    assert accepted <= asked
    assert len(asked - accepted) < 0.5 * len(asked)


def test_a_full_core_is_named(standin, load):
    api = standin()
    run = load(target=api.url, for_s=0.1, rate_per_s=20_000.0, late_limit_s=0.05, resubmit_limit_s=0.0)
    assert run.wait() == 2
    stop = run.records("load_stop")[0]
    assert stop["cpu_share"] > 0.1
    assert 0.1 < stop["busiest_core"] <= 1.0
    log = run.log.read_text()
    assert re.search(
        r"late \(limit 0\.05 s\): (this load process filled its core|core \d was full|no core)", log
    )
    assert re.search(r"open model: offered 2000 \(.*/s\), sent 2000 \(.*/s\) in .* s, largest lateness", log)


def test_a_dying_server_never_kills_the_load(standin, load):
    api = standin()
    run = load(target=api.url, for_s=0.0, rate_per_s=50.0)
    run.until(lambda: len(run.records("ok")) > 20)
    api.freeze(60)
    run.until(lambda: len(by_key(run, "invoke")) > len(by_key(run, "ok")) + 3)
    api.die()
    run.until(lambda: len(run.records("fail")) > 20 and run.records("info"))
    assert all(record["status"] is None for record in run.records("fail"))
    standin(port=api.port)
    healed = len(run.records("ok"))
    run.until(lambda: len(run.records("ok")) > healed + 20)
    unknown = {record["key"] for record in run.records("info")}
    run.until(lambda: unknown <= set(by_key(run, "ok")))
    assert run.stop() == 0
    assert run.records("load_stop")[0]["reason"] == "signal"
    again = {record["key"] for record in run.records("invoke") if record["try"] > 1}
    assert again == unknown  # the refused ones were left alone


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_gently(standin, load, number):
    slow = standin(lambda seen, _: "hold" if seen.key.endswith("3") else "accept")
    run = load(target=slow.url, for_s=0.0, rate_per_s=40.0, stop_grace_s=0.5)
    run.until(lambda: len(run.records("ok")) > 20)
    children = psutil.Process(run.process.pid).children(recursive=True)
    run.process.send_signal(number)
    assert run.wait(20) == 0
    stop = run.records("load_stop")[0]
    assert stop["reason"] == "signal"
    assert stop["due"] == stop["sent"] == len(run.records("due"))
    cut = run.records("info")
    assert cut
    assert all(record["key"].endswith("3") for record in cut)
    assert children == []


def test_a_second_signal_cuts_the_grace_short(standin, load):
    api = standin(lambda *_: "hold")
    run = load(target=api.url, for_s=0.0, stop_grace_s=600.0)
    run.until(lambda: len(api.posts()) > 3)
    run.process.terminate()
    run.until(lambda: "SIGTERM" in run.log.read_text())
    run.process.terminate()
    assert run.wait(20) == 0
    assert {record["event"] for record in run.records()} == {
        "load_start",
        "due",
        "invoke",
        "info",
        "load_stop",
    }


def test_a_resubmit_in_the_grace_still_finds_its_answer(standin, load):
    api = standin(lambda _, number: "reset" if number == 1 else "accept")
    run = load(target=api.url, for_s=0.0, rate_per_s=10.0)
    run.until(lambda: len(run.records("info")) > 2)
    assert run.stop() == 0
    assert set(by_key(run, "ok")) == set(by_key(run, "due"))


def test_nobody_listens(load):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        run = load(target=f"http://127.0.0.1:{taken.getsockname()[1]}", for_s=1.0)
        assert run.wait() == 0
    assert len(run.records("fail")) == 20


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"rate_per_s": 0.0}, "rate_per_s must be above 0"),
        ({"arrivals": "steady"}, "unknown arrivals"),
        ({"target": "ftp://x"}, "an address such as"),
        ({"target": ""}, "no target"),
        ({"evidence_dir": "/proc/nowhere"}, "the load was not offered"),
    ],
)
def test_a_load_that_cannot_be_offered_exits_with_2(load, spec, words):
    run = load(**{"target": "http://127.0.0.1:9", "for_s": 1.0, **spec})
    assert run.process.wait(30) == 2
    assert words in run.log.read_text()


def test_a_second_load_never_mixes_into_the_first_ones_evidence(standin, load):
    api = standin()
    first = load(target=api.url, for_s=0.5)
    assert first.wait() == 0
    before = first.records()
    second = load(target=api.url, for_s=0.5)
    assert second.process.wait(30) == 2
    assert "holds the evidence of another load" in second.log.read_text()
    assert first.records() == before


def test_a_load_that_falls_behind_says_so(standin, load):
    api = standin()
    run = load(target=api.url, for_s=0.0, rate_per_s=100.0, late_limit_s=1.0)
    run.until(lambda: len(run.records("ok")) > 10)
    os.kill(run.process.pid, signal.SIGSTOP)
    run.until(lambda: psutil.Process(run.process.pid).status() == psutil.STATUS_STOPPED)
    before, frozen = len(run.records("due")), run.records("due")[-1]["mono_ns"]
    run.until(lambda: time.monotonic_ns() - frozen > 1.5e9)
    os.kill(run.process.pid, signal.SIGCONT)
    run.until(lambda: len(run.records("ok")) > before + 100)
    assert run.stop() == 2
    stop = run.records("load_stop")[0]
    assert stop["max_late_s"] > 1.2
    assert stop["sent"] == stop["due"]
    assert "late (limit 1 s)" in run.log.read_text()
