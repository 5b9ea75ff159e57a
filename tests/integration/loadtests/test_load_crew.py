"""One run over several processes: one plan, one evidence file, no job twice and none left out."""

import psutil
import pytest

from loadtests import launch
from loadtests.jobs import make


def whole(run):
    """Check a file of several writers: every one begins, ends and has no gap."""
    evidence = run.evidence()
    assert evidence.problems == []
    writers = {record["writer"] for record in evidence.records}
    for event in ("load_start", "load_stop"):
        assert {record["writer"] for record in run.records(event)} == writers
    asked = sorted((record["key"], record["try"]) for record in run.records("invoke"))
    told = sorted((record["key"], record["try"]) for record in run.records("ok", "fail", "info"))
    assert asked == told
    assert len(set(asked)) == len(asked)
    return writers


def test_two_processes_share_one_schedule(standin, load):
    api = standin()
    run = load(target=api.url, for_s=2.0, rate_per_s=50.0, processes=2)
    assert run.process.wait(60) == 0
    assert len(whole(run)) == 2
    dues = sorted(run.records("due"), key=lambda record: record["key"])
    assert [due["key"] for due in dues] == [make("t1", 1, number).key for number in range(100)]
    stops = run.records("load_stop")
    assert sum(stop["sent"] for stop in stops) == sum(stop["due"] for stop in stops) == 100
    assert {stop["reason"] for stop in stops} == {"finished"}
    # Both count from the same start, to the accuracy of the wall clock.
    gaps = [(due["due_mono_ns"] - dues[0]["due_mono_ns"]) / 1e9 for due in dues]
    assert gaps == pytest.approx([number / 50 for number in range(100)], abs=0.01)


def test_stopped_by_a_signal_every_process_concludes_and_leaves(standin, load):
    api = standin(lambda seen, number: "hold" if seen.key.endswith("7") and number == 1 else "accept")
    run = load(target=api.url, for_s=0.0, rate_per_s=50.0, processes=2, stop_grace_s=1.0)
    run.until(lambda: len(run.records("ok")) > 30)
    children = psutil.Process(run.process.pid).children(recursive=True)
    assert len(children) == 2
    assert launch.stop(run.process, 30.0) == 0
    assert len(whole(run)) == 2
    assert {stop["reason"] for stop in run.records("load_stop")} == {"signal"}
    _, alive = psutil.wait_procs(children, timeout=5)
    assert alive == []
