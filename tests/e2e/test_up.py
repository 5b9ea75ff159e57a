"""`up` as people use it: the addresses it prints, load and faults from Locust's page, and its end."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from chaos import marks
from tests.e2e.conftest import Harness, events

pytestmark = [pytest.mark.e2e, pytest.mark.sociable]
LIMIT_S = 20


class Up:
    """A running `up`, and Locust's page of it."""

    def __init__(self, harness: Harness, *flags: str) -> None:
        self.process, self.folder = harness.start("up", *flags)
        self.addresses: dict[str, str] = {}
        self.first = ""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("Ctrl-C"):
                break
            self.first = self.first or line
            self.addresses[line[:14].strip()] = line[15:].strip()
        assert self.process.poll() is None, self.addresses

    @property
    def web(self) -> str:
        return self.addresses["web UI"]

    def post(self, path: str, **body: Any) -> requests.Response:
        return requests.post(f"{self.web}/delivery/{path}", json=body, timeout=90)

    def state(self) -> dict[str, Any]:
        answer: dict[str, Any] = requests.get(f"{self.web}/delivery/state", timeout=LIMIT_S).json()
        return answer

    def clock(self, name: str) -> Any:
        faults = self.state()["faults"]
        return faults[-1][name] if faults else None

    def flood(self, rate: int, until: Callable[..., None]) -> None:
        form = {"user_count": 1, "spawn_rate": 1, "rate": rate, "mix": "email"}
        answer = requests.post(f"{self.web}/swarm", data=form, timeout=LIMIT_S)
        assert answer.json()["success"], answer.text
        until(self.flows, limit_s=30, what="mail that flows")

    def flows(self) -> bool:
        return sum(bool(sample[3]) for sample in self.state()["samples"]) >= 3

    def end(self) -> str:
        self.process.terminate()
        output, _ = self.process.communicate(timeout=90)
        assert self.process.returncode == 0, output
        return output

    def assert_nothing_left(self) -> None:
        run = events(self.folder)[0]["run"]
        assert marks.processes_of(run, self.folder / "work") == []
        assert not (self.folder / "work").exists()
        assert list(Path(os.environ["MAILSTORM_STATE_DIR"]).glob("*.jsonl")) == []


def names(folder: Path) -> list[str]:
    return [event["event"] for event in events(folder)]


def test_load_break_and_end_from_locusts_page(harness: Harness, until: Callable[..., None]) -> None:
    up = Up(harness)
    assert up.first.startswith("web UI"), "the page comes first"
    assert requests.get(up.web, timeout=LIMIT_S).ok
    control = requests.get(up.addresses["control API"] + "/state", timeout=LIMIT_S).json()
    assert control["running"] is None
    up.flood(20, until)
    assert up.post("faults/sever-down", hold_s=1.5, who="redis-all").status_code == 200
    until(lambda: up.clock("recovered_s"), limit_s=40, what="the recovery")
    fault = up.state()["faults"][-1]
    assert fault["inject_s"] < fault["bite_s"] < fault["healed_s"] < fault["recovered_s"]
    up.post("faults/smtp-store-twice", hold_s=600)
    until(lambda: up.clock("kind") == "smtp-store-twice" and up.clock("bite_s"), limit_s=20, what="a bite")
    up.end()
    assert names(up.folder).count("healed") == names(up.folder).count("inject") == 2
    up.assert_nothing_left()


@pytest.mark.slow
def test_a_scenario_is_cut_by_the_end_of_the_load(harness: Harness, until: Callable[..., None]) -> None:
    up = Up(harness)
    up.flood(20, until)
    assert up.post("scenarios/sever-redis").status_code == 200
    until(lambda: up.state()["running"], what="the story")
    until(lambda: up.clock("bite_s"), limit_s=30, what="a bitten fault")
    requests.post(f"{up.web}/stop", timeout=60).raise_for_status()
    until(lambda: up.state()["running"] is None, limit_s=30, what="the end of the story")
    assert not any(fault["active"] for fault in up.state()["faults"])
    up.end()
    up.assert_nothing_left()


@pytest.mark.slow
def test_the_end_of_locust_ends_nothing_else(harness: Harness, until: Callable[..., None]) -> None:
    up = Up(harness)
    run = events(up.folder)[0]["run"]
    locust = [each for each in marks.processes_of(run, up.folder / "work") if "locust" in each.cmdline()]
    assert len(locust) == 1
    locust[0].kill()
    assert up.process.stdout is not None
    assert "Locust ended (exit code -9)" in up.process.stdout.readline()
    assert requests.get(up.addresses["API"] + "/health", timeout=LIMIT_S).ok
    assert requests.post(up.addresses["control API"] + "/heal", json={}, timeout=LIMIT_S).ok
    up.end()
    up.assert_nothing_left()


@pytest.mark.slow
def test_sigkill_in_the_middle_of_a_fault_then_undo(harness: Harness, until: Callable[..., None]) -> None:
    up = Up(harness, "--no-load-ui")
    assert "web UI" not in up.addresses
    control = up.addresses["control API"]
    answer = requests.post(f"{control}/faults/sever-down", json={"hold_s": 600}, timeout=LIMIT_S)
    assert answer.status_code == 202
    until(lambda: "inject" in names(up.folder), what="the fault")
    up.process.kill()
    up.process.communicate()
    assert harness.undo().returncode == 0
    up.assert_nothing_left()
