"""Runs the harness as its users do, as a process, and holds it to leaving nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from chaos import marks
from chaos.servers import redis_server, toxiproxy_server
from reports import evidence
from tests.conftest import need


@dataclass
class Finished:
    """A run that has ended."""

    folder: Path
    code: int
    output: str

    @property
    def verdict(self) -> dict[str, Any]:
        return json.loads((self.folder / "verdict.json").read_text())

    @property
    def checks(self) -> dict[str, dict[str, Any]]:
        return {check["name"]: check for check in self.verdict["checks"]}

    def failed(self) -> set[str]:
        return {name for name, check in self.checks.items() if check["verdict"] != "pass"}

    def why(self) -> str:
        """For a failing test: what the judge says, and the end of what was printed."""
        try:
            said = [
                f"{n}: {c['verdict']} {c['summary']}"
                for n, c in self.checks.items()
                if c["verdict"] != "pass"
            ]
        except OSError:
            said = ["no verdict.json"]
        return "\n".join([f"exit {self.code}", *said, self.output[-2000:]])


class Harness:
    """Starts `python -m chaos` with folders of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *argv: str, env: dict[str, str] | None = None) -> tuple[subprocess.Popen[str], Path]:
        self._count += 1
        out = self.folder / f"run-{self._count}"
        process = subprocess.Popen(
            [sys.executable, "-m", "chaos", *argv, "--out", str(out)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | (env or {}),
        )
        self.started.append(process)
        return process, out

    def run(self, *argv: str, env: dict[str, str] | None = None) -> Finished:
        return self.end(*self.start(*argv, env=env))

    def end(self, process: subprocess.Popen[str], out: Path) -> Finished:
        """Wait for a run that was started."""
        output, _ = process.communicate(timeout=280)
        return Finished(out, process.returncode, output)

    def undo(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "chaos", "undo"], capture_output=True, text=True, timeout=60, check=False
        )


def run_of(folder: Path) -> str:
    return str(json.loads((folder / "plan.json").read_text())["run"])


def events(folder: Path) -> list[dict[str, Any]]:
    return evidence.read(folder / evidence.EVENTS).records


def lives(process: psutil.Process) -> bool:
    """Whether it has not ended. A zombie has; that init has not looked yet is not for us to judge."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def assert_nothing_left(folder: Path) -> None:
    assert marks.processes_of(run_of(folder), folder / "work") == []
    assert not (folder / "work").exists()
    state = Path(os.environ["MAILSTORM_STATE_DIR"])
    assert list(state.glob("*.jsonl")) == []


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    need(redis_server().path, "redis-server")
    need(toxiproxy_server().path, "toxiproxy-server")
    harness = Harness(tmp_path)
    yield harness
    for process in harness.started:
        if process.poll() is None:  # the test failed half-way
            process.terminate()
            process.communicate(timeout=60)
        if process.stdout:
            process.stdout.close()
    for folder in tmp_path.glob("run-*"):
        if (folder / "plan.json").exists():
            mine = (run_of(folder), folder / "work")
            left = [process.cmdline() for process in marks.processes_of(*mine)]
            marks.end_all(*mine)
            assert left == []


@pytest.fixture
def in_fault(until: Callable[..., None]) -> Callable[[Path], None]:
    """Wait until a fault of the run has bitten."""

    def wait(folder: Path) -> None:
        until(
            lambda: (folder / "events.jsonl").exists() and any(e["event"] == "bite" for e in events(folder)),
            limit_s=60,
            what="a bitten fault",
        )

    return wait


def send(process: subprocess.Popen[str], *signals: signal.Signals) -> None:
    for number in signals:
        process.send_signal(number)
