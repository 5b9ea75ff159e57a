"""Whatever ends the harness in the middle of a fault: faults undone, no process, port or file left."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.e2e.conftest import Harness, assert_nothing_left, events, lives, send

pytestmark = [pytest.mark.e2e, pytest.mark.sociable]

SEVER = ("run", "sever-redis", "--rate", "40", "--duration", "60")


class Stack:
    """What a running harness has started, found without any help of the harness's own book-keeping."""

    def __init__(self, harness: subprocess.Popen[str]) -> None:
        self.processes: list[psutil.Process] = []
        self.names: set[str] = set()
        self.ports: set[int] = set()
        for process in psutil.Process(harness.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):  # a worker may be ending just now
                self.names.add(process.name())
                sockets = process.net_connections("tcp")
                self.ports |= {socket.laddr.port for socket in sockets if socket.status == "LISTEN"}
                self.processes.append(process)

    def assert_gone(self) -> None:
        assert {"redis-server", "toxiproxy-server"} <= self.names
        assert [process for process in self.processes if lives(process)] == []
        for port in self.ports:
            with socket.socket() as free:
                free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                free.bind(("127.0.0.1", port))


@pytest.mark.parametrize(
    "signals",
    [(signal.SIGINT,), (signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM)],
    ids=["int", "term-term", "int-term"],
)
def test_signals_in_the_middle_of_a_fault(
    harness: Harness, in_fault: Callable[[Path], None], signals: tuple[signal.Signals, ...]
) -> None:
    process, folder = harness.start(*SEVER)
    in_fault(folder)
    stack = Stack(process)
    send(process, *signals)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2, output
    assert_nothing_left(folder)
    stack.assert_gone()
    names = [event["event"] for event in events(folder)]
    assert names.count("healed") == names.count("inject")
    assert "interrupted by" in output
    assert (folder / "report.html").exists()


def test_sigkill_of_the_harness_then_undo(harness: Harness, in_fault: Callable[[Path], None]) -> None:
    process, folder = harness.start(*SEVER)
    in_fault(folder)
    stack = Stack(process)
    process.kill()
    process.communicate()
    assert any(lives(left) for left in stack.processes), "or this shows nothing"
    refused = harness.run("run", "calm")
    assert refused.code == 3
    assert "python -m chaos undo" in refused.output
    undone = harness.undo()
    assert undone.returncode == 0, undone.stderr
    assert "undone" in undone.stdout
    assert_nothing_left(folder)
    stack.assert_gone()
    assert "nothing to undo" in harness.undo().stdout


def test_a_run_without_any_server_is_unknown_and_says_what_was_tried(
    harness: Harness, tmp_path: Path
) -> None:
    """No toxiproxy-server on PATH, none built: the scenario that needs it is unknown, with advice."""
    script = (
        "import pathlib, sys; import chaos.servers as s; s.TOOLS = pathlib.Path(sys.argv[1]) / 'tools';"
        "from chaos.__main__ import main; sys.exit(main(['run', 'sever-redis', '--out', sys.argv[1] + '/x']))"
    )
    path = str(Path(sys.executable).parent)
    result = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        env=os.environ | {"PATH": path},
        check=False,
    )
    assert result.returncode == 2
    assert "toxiproxy-server cannot be had. Tried: toxiproxy-server on PATH; " in result.stderr
    assert "Install Go" in result.stderr
