"""The load in Locust's web UI, as a person uses it: start, look, stop, start again."""

import socket
import subprocess
import sys
import time

import psutil
import pytest
import requests

from loadtests.launch import LOCUSTFILE
from reports.evidence import SUBMISSIONS, read


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Web:
    def __init__(self, folder, api, *words):
        self.folder, self.port = folder / "ev", free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.log = folder / "log"  # read by its path: a shared descriptor's place would be the writer's too
        command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--host", api.url]
        command += ["--web-host", "127.0.0.1", "--web-port", str(self.port), "--evidence", str(self.folder)]
        command += ["--run-id", "web", "--rate", "40", "--late-limit-s", "20", *words]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=folder
            )
        self.until(self._up)

    def _up(self):
        try:
            return requests.get(self.base + "/", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def until(self, condition, limit_s=30.0):
        end = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.02)

    def swarm(self, **form):
        answer = requests.post(
            self.base + "/swarm", data={"user_count": 100, "spawn_rate": 100, **form}, timeout=10
        )
        assert answer.json()["success"], answer.text

    def stop(self):
        assert requests.post(self.base + "/stop", timeout=60).json()["success"]

    def stats(self):
        return requests.get(self.base + "/stats/requests", timeout=10).json()

    def evidence(self, suffix=""):
        return read(self.folder.with_name(self.folder.name + suffix) / SUBMISSIONS)

    def oks(self, suffix=""):
        return [record for record in self.evidence(suffix).records if record["event"] == "ok"]


@pytest.fixture
def web(standin, tmp_path):
    made = []

    def make(*words):
        made.append(Web(tmp_path, standin(), *words))
        return made[-1]

    yield make
    for each in made:
        each.process.terminate()
        each.process.wait(30)


def test_start_stop_and_start_again(web):
    ui = web()
    assert "Locust" in requests.get(ui.base + "/", timeout=10).text
    ui.swarm()
    ui.until(lambda: len(ui.oks()) > 40)
    rows = {(row["method"], row["name"]) for row in ui.stats()["stats"]}
    assert ("POST", "/jobs") in rows
    ui.stop()
    first = ui.evidence()
    assert first.problems == []
    assert first.records[-1]["event"] == "load_stop"
    assert first.records[-1]["reason"] == "stopped"
    # A hundred users asked for, and yet one schedule at the run's rate.
    dues = [record["due_mono_ns"] for record in first.records if record["event"] == "due"]
    assert (dues[-1] - dues[0]) / 1e9 == pytest.approx((len(dues) - 1) / 40, abs=0.001)
    ui.swarm()
    ui.until(lambda: len(ui.oks("-2")) > 10)
    ui.stop()
    second = ui.evidence("-2")
    assert {record["run"] for record in second.records} == {"web-2"}
    assert len(ui.evidence().records) == len(first.records)


def test_a_value_changed_in_the_form_counts(web):
    ui = web()
    ui.swarm(rate="120", for_s="1")
    ui.until(lambda: ui.stats()["state"] == "stopped")
    stop = ui.evidence().records[-1]
    assert (stop["event"], stop["due"], stop["reason"]) == ("load_stop", 120, "finished")
    assert ui.process.poll() is None


def test_more_users_in_a_running_test_do_not_raise_the_rate(web):
    ui = web()
    ui.swarm(user_count=1)
    ui.until(lambda: len(ui.oks()) > 5)
    ui.swarm(user_count=50)
    ui.until(lambda: len(ui.oks()) > 60)
    ui.stop()
    keys = [record["key"] for record in ui.evidence().records if record["event"] == "due"]
    assert len(set(keys)) == len(keys)


def test_a_wrong_value_in_the_form_is_logged_and_sends_nothing(web):
    ui = web()
    ui.swarm(arrivals="steady")
    ui.until(lambda: "unknown arrivals 'steady'" in ui.log.read_text())
    assert not ui.folder.exists()
    ui.stop()
    ui.swarm(arrivals="poisson")
    ui.until(lambda: ui.oks("-2"))


def test_sigterm_while_running_leaves_whole_evidence(web):
    ui = web()
    ui.swarm()
    ui.until(lambda: len(ui.oks()) > 10)
    assert psutil.Process(ui.process.pid).children() == []
    ui.process.terminate()
    assert ui.process.wait(30) == 0
    assert ui.evidence().problems == []
    assert ui.evidence().records[-1]["reason"] == "signal"
