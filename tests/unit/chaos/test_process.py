"""Managed processes: noticed when they die, restarted, ended with everything they started."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from chaos import marks
from chaos.errors import HarnessError
from chaos.stack.process import Managed, Spec, Supervisor

PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("ready", flush=True)
time.sleep(600)
"""
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""


class Lab:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = f"test-{os.getpid()}-{folder.name}"
        self.events: list[dict] = []

    def managed(self, script: str = PARENT, **options: float) -> Managed:
        log = self.folder / "server.log"
        spec = Spec(
            name="server",
            argv=[sys.executable, "-c", script],
            env=os.environ | {marks.VARIABLE: self.run},
            cwd=self.folder,
            log=log,
            ready=lambda: "ready" in log.read_text(),
            **options,
        )
        return Managed(spec, lambda event, **fields: self.events.append({"event": event, **fields}))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    yield lab
    assert marks.end_all(lab.run, lab.folder) == []


def test_a_killed_group_takes_its_children_along_and_comes_back(lab: Lab, until: Callable[..., None]) -> None:
    managed = lab.managed()
    managed.start()
    managed.await_ready()
    supervisor = Supervisor([managed])
    supervisor.start()
    until(managed.children)
    hit = managed.kill()
    assert len(hit) == 2
    until(lambda: managed.restarts == 1 and managed.running)
    assert not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in hit)
    assert [event["what"] for event in lab.events] == ["started", "killed", "exited", "started"]
    assert lab.events[2]["status"] == -9
    supervisor.end()
    managed.stop()


def test_stop_ends_the_whole_group_and_nothing_restarts_it(lab: Lab, until: Callable[..., None]) -> None:
    managed = lab.managed()
    managed.start()
    managed.await_ready()
    supervisor = Supervisor([managed])
    supervisor.start()
    until(managed.children)
    managed.stop()
    supervisor.end()
    # The group has its SIGKILL; an orphan in it may take a moment to die of it.
    until(lambda: marks.processes_of(lab.run, lab.folder) == [])
    assert managed.restarts == 0


def test_what_ignores_sigterm_is_killed_after_its_grace(lab: Lab) -> None:
    managed = lab.managed(DEAF, stop_grace_s=0.2)
    managed.start()
    managed.await_ready()
    managed.stop()
    assert not managed.running
    assert any("did not stop" in event.get("text", "") for event in lab.events)


def test_a_server_that_does_not_come_up_is_reported_with_the_end_of_its_log(lab: Lab) -> None:
    managed = lab.managed("raise SystemExit('the disk is on fire')", ready_limit_s=1.0)
    managed.start()
    with pytest.raises(HarnessError, match=r"server did not come up(.|\n)*the disk is on fire"):
        managed.await_ready()


def test_marks_find_every_descendant_and_nobody_else(
    lab: Lab, tmp_path: Path, until: Callable[..., None]
) -> None:
    managed = lab.managed()
    managed.start()
    until(lambda: len(marks.processes_of(lab.run, lab.folder)) == 2, what="parent and child")
    assert marks.processes_of("another-run", tmp_path / "elsewhere") == []
    # As after a SIGKILL of the harness: only the mark is known. The zombie needs its parent to reap it.
    reaper = threading.Thread(target=managed.stop)
    assert marks.end_all(lab.run, lab.folder) == []
    reaper.start()
    reaper.join()


@contextmanager
def sleeping(env: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    argv = [sys.executable, "-c", "import time; time.sleep(600)"]
    process = subprocess.Popen(argv, env=env, cwd=folder, start_new_session=True)
    reaper = threading.Thread(target=process.wait)
    reaper.start()
    yield process
    process.kill()
    reaper.join()


def test_a_server_that_wrote_over_its_environment_is_known_by_its_folder(
    lab: Lab, until: Callable[..., None]
) -> None:
    with sleeping({}, lab.folder) as process:
        until(lambda: [found.pid for found in marks.processes_of(lab.run, lab.folder)] == [process.pid])
        assert marks.end_all(lab.run, lab.folder) == []


def test_a_bystander_in_the_folder_is_left_alone(lab: Lab) -> None:
    with sleeping(dict(os.environ), lab.folder):
        assert marks.processes_of(lab.run, lab.folder) == []


def test_one_that_somebody_starts_again_by_hand_is_not_revived_too(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    managed = lab.managed()
    managed.start()
    managed.await_ready()
    managed.kill()
    assert managed._process is not None
    managed._process.wait(5)
    # In the moment that a supervisor leaves a dead process, a person is quicker.
    monkeypatch.setattr("chaos.stack.process.time.sleep", lambda _: managed.start())
    managed.revive()
    monkeypatch.undo()
    assert managed.restarts == 0
    assert [event["what"] for event in lab.events].count("started") == 2
    managed.stop()
