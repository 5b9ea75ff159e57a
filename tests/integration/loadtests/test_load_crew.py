"""One run over several processes: one plan, one evidence file, no job twice and none left out."""

import csv
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from load_delivery import Delivery

from loadtests import launch
from loadtests.jobs import make
from reports.evidence import DELIVERIES, SUBMISSIONS, read
from reports.intake import load as load_run
from reports.plan import Plan, Thresholds, store_plan
from tests.integration.fake_smtp.conftest import Sink


@pytest.fixture
def delivery(tmp_path):
    """A stand-in for the system, and the sink whose evidence goes where the load's does."""
    api = Delivery(Sink(tmp_path / "evidence", run="t1"))
    yield api
    api.close()
    api.sink.stop()


def counted(prefix):
    """How often Locust has counted each row, from its CSV."""
    with Path(f"{prefix}_stats.csv").open(newline="") as file:
        return {row["Name"]: int(row["Request Count"]) for row in csv.DictReader(file)}


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


def test_two_processes_share_one_schedule(delivery, load, tmp_path):
    run = load(
        target=delivery.url,
        for_s=2.0,
        rate_per_s=50.0,
        processes=2,
        late_limit_s=20.0,
        sink=f"http://127.0.0.1:{delivery.sink.control_port}",
        stats=tmp_path / "load",
    )
    assert run.process.wait(60) == 0
    told = counted(tmp_path / "load")
    assert told["/jobs"] == told["due -> stored"] == told["202 -> stored"] == 100
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
    run = load(target=api.url, for_s=0.0, rate_per_s=50.0, processes=2, stop_grace_s=1.0, late_limit_s=20.0)
    run.until(lambda: len(run.records("ok")) > 30)
    children = psutil.Process(run.process.pid).children(recursive=True)
    assert len(children) == 2
    assert launch.stop(run.process, 30.0) == 0
    assert len(whole(run)) == 2
    assert {stop["reason"] for stop in run.records("load_stop")} == {"signal"}
    _, alive = psutil.wait_procs(children, timeout=5)
    assert alive == []


def test_two_loads_on_one_host_share_nothing(standin, load, tmp_path):
    runs = [
        load(tmp_path / name, target=standin().url, run=name, for_s=1.0, processes=2, late_limit_s=20.0)
        for name in ("t1", "t2")
    ]
    for run in runs:
        run.until(lambda run=run: run.records("ok"))
        sockets = psutil.Process(run.process.pid).net_connections()
        assert [one.laddr.ip for one in sockets if one.status == psutil.CONN_LISTEN] == ["127.0.0.1"]
    for run in runs:
        assert run.process.wait(60) == 0, run.log.read_text()
        assert len(whole(run)) == 2
        assert len(run.records("due")) == 20


class Separate:
    """A master and workers, each started as its own process, as on several hosts."""

    def __init__(self, folder: Path, api, sink, *words: str) -> None:
        self.folder, self.evidence = folder, folder / "evidence"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = str(probe.getsockname()[1])
        self.processes: list[subprocess.Popen[bytes]] = []
        sought = ("--sink", f"http://127.0.0.1:{sink.control_port}") if sink else ()
        self.master = self.start(
            *("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", self.port),
            *("--headless", "--only-summary", "--expect-workers", "2", "-u", "2", "-r", "2"),
            *("--host", api.url, "--rate", "40", "--run-id", "t1", "--evidence", str(self.evidence)),
            *("--mix", "email", "--late-limit-s", "20", "--csv", str(folder / "load"), *sought, *words),
        )
        self.workers = [self.join(), self.join()]

    def join(self) -> subprocess.Popen[bytes]:
        return self.start("--worker", "--master-host", "127.0.0.1", "--master-port", self.port)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        number = len(self.processes)
        with (self.folder / f"{number}.log").open("wb") as log:
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "locust", "-f", str(launch.LOCUSTFILE), *words],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )
        return self.processes[-1]

    def log(self, number: int = 0) -> str:
        return (self.folder / f"{number}.log").read_text()

    def records(self, *events: str) -> list[dict]:
        return [record for record in read(self.evidence / SUBMISSIONS).records if record["event"] in events]

    def until(self, condition, limit_s: float = 30.0) -> None:
        end = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < end, self.log()
            time.sleep(0.02)


@pytest.fixture
def separate(tmp_path):
    made = []

    def make(*args):
        made.append(Separate(tmp_path, *args))
        return made[-1]

    yield make
    for crew in made:
        for process in crew.processes:
            launch.stop(process, 0.0)


def test_a_master_and_workers_of_their_own_give_one_run(separate, delivery, tmp_path):
    run = separate(delivery, delivery.sink, "--for-s", "3", "--status-share", "0.2")
    run.until(lambda: len(run.records("ok")) > 20)
    late = run.join()
    assert run.master.wait(40) == 0, run.log()
    assert [worker.wait(20) for worker in (*run.workers, late)] == [0, 0, 0]
    delivery.close()
    assert delivery.sink.stop() == (0, "")
    # A worker that came late only watched, and that is said.
    assert "joined when run t1 was on" in run.log(3)
    stops = run.records("load_stop")
    assert len(stops) == 2
    assert sum(stop["sent"] for stop in stops) == sum(stop["due"] for stop in stops) == 120
    history = judged(run.evidence)
    assert history.problems[SUBMISSIONS] == history.problems[DELIVERIES] == []
    assert history.due == history.said_sent == 120
    assert sorted(history.jobs) == [make("t1", 1, number).key for number in range(120)]
    assert all(job.accepted and len(job.copies) == 1 for job in history.jobs.values())
    told = counted(tmp_path / "load")
    assert told["/jobs"] == told["due -> stored"] == told["202 -> stored"] == 120


@pytest.mark.slow
def test_a_worker_that_dies_is_missed(separate, standin):
    run = separate(standin(), None, "--for-s", "2")
    run.until(lambda: len({record["writer"] for record in run.records("ok")}) == 2)
    run.workers[0].send_signal(signal.SIGKILL)
    assert run.master.wait(40) == 2
    assert "no report" in run.log()
    assert run.workers[1].wait(20) == 0
    (problem,) = judged(run.evidence).problems[SUBMISSIONS]
    assert "has no load_stop" in problem


def judged(folder: Path):
    """The run as the judge indexes it."""
    limits = Thresholds(min_accepted=1)
    plan = Plan("t1", "x", 1, 40.0, 3.0, "ledger", 10.0, True, limits, (), (), {})
    store_plan(folder, plan)
    return load_run(folder)
