import time
from pathlib import Path

import pytest
from load_standin import StandIn

from loadtests import launch
from reports.evidence import SUBMISSIONS, read
from tests.integration.fake_smtp.conftest import Sink


@pytest.fixture
def standin():
    """Make stand-ins; all are closed at the end."""
    made = []

    def make(*args, **kwargs):
        made.append(StandIn(*args, **kwargs))
        return made[-1]

    yield make
    for each in made:
        each.close()


class Load:
    """A load process under test: its log, its evidence, and conditions to wait for."""

    def __init__(self, folder: Path, **spec):
        self.folder, self.log = folder / "evidence", folder / "locust.log"
        values = {
            "rate_per_s": 20.0,
            "seed": 1,
            "run": "t1",
            "evidence_dir": self.folder,
            "stop_grace_s": 5.0,
        }
        self.process = launch.start(launch.LoadSpec(**{**values, **spec}), self.log)

    def evidence(self):
        return read(self.folder / SUBMISSIONS)

    def records(self, *events):
        return [record for record in self.evidence().records if not events or record["event"] in events]

    def until(self, condition, limit_s=30.0):
        end = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < end, f"not within {limit_s} s; log:\n{self.log.read_text()}"
            time.sleep(0.02)

    def wait(self, limit_s=60.0):
        """Wait for the end by itself, check the evidence whole, return the exit code."""
        code = self.process.wait(limit_s)
        self.check()
        return code

    def stop(self, grace_s=20.0):
        code = launch.stop(self.process, grace_s)
        self.check()
        return code

    def check(self):
        evidence = self.evidence()
        assert evidence.problems == []
        events = [record["event"] for record in evidence.records]
        assert (events[0], events[-1]) == ("load_start", "load_stop")
        assert events.count("load_stop") == 1
        asked = [(record["key"], record["try"]) for record in evidence.records if record["event"] == "invoke"]
        told = [(r["key"], r["try"]) for r in evidence.records if r["event"] in ("ok", "fail", "info")]
        assert sorted(asked) == sorted(told)
        assert len(set(asked)) == len(asked)


@pytest.fixture
def load(tmp_path):
    """Start load processes; all are stopped at the end."""
    made = []

    def make(folder=tmp_path, **spec):
        made.append(Load(folder, **spec))
        return made[-1]

    yield make
    for each in made:
        launch.stop(each.process, 0.0)


@pytest.fixture
def sink(tmp_path):
    """A real sink."""
    started = Sink(tmp_path / "sink", "--idle-limit-s", "60")
    yield started
    started.stop()
