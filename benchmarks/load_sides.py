"""The two sides of the load benchmark as processes, and the server that they ask.

Used by load_bench.py. The loads have one core, the server another one, where there are two.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

import psutil

from benchmarks.stage import accepts_connections
from chaos.errors import HarnessError
from chaos.paths import PROJECT
from chaos.stack.ports import HOST, Ports
from loadtests.launch import LOCUSTFILE, LoadSpec, argv
from reports.evidence import SUBMISSIONS, stream

OURS, PLAIN = "ours", "plain"
SIDES = (OURS, PLAIN)
HERE = Path(__file__).parent
LIMIT_S = 180
# So fast that all are due at once: it sends as fast as it can.
RATE_PER_S = 100_000.0


@dataclass(frozen=True)
class Sample:
    """One round of one side: CPU and wall seconds of the load process, CPU seconds of the server."""

    requests: int
    cpu_s: float
    wall_s: float
    server_s: float

    @property
    def per_core(self) -> float:
        """Requests for each CPU second of the load."""
        return self.requests / self.cpu_s

    @property
    def rate(self) -> float:
        """Requests a second by the clock."""
        return self.requests / self.wall_s


class Server(NamedTuple):
    """The running server. `told` is where it says every hundredth answer, if anybody wanted to hear it."""

    port: int
    process: psutil.Process
    told: IO[bytes] | None

    @property
    def cpu_s(self) -> float:
        """CPU seconds that it has used so far."""
        used = self.process.cpu_times()
        return float(used.user + used.system)


@contextlib.contextmanager
def server(*, hear: bool = False) -> Iterator[Server]:
    """Run the server on a free port, on the machine's last core; it is gone afterwards."""
    ports = Ports()
    port = ports.take()
    command = [sys.executable, "-m", "benchmarks.load_server", str(port)]
    told = subprocess.PIPE if hear else subprocess.DEVNULL
    with subprocess.Popen(command, cwd=PROJECT, start_new_session=True, stdout=told) as process:
        try:
            until = time.monotonic() + 20
            while not accepts_connections(port):
                if process.poll() is not None or time.monotonic() > until:
                    raise HarnessError("the server did not start")
                time.sleep(0.02)
            watched = psutil.Process(process.pid)
            watched.cpu_affinity(watched.cpu_affinity()[-1:])
            yield Server(port, watched, process.stdout)
        finally:
            process.kill()
            ports.release()


def play(side: str, served: Server, requests: int, users: int) -> Sample:
    """Run one side once. Raises HarnessError when it did not do what it should have."""
    with tempfile.TemporaryDirectory(prefix="mailstorm-load-") as folder:
        here = Path(folder)
        target = f"http://{HOST}:{served.port}"
        command = _ours(target, here, requests) if side == OURS else _plain(target, users)
        before = served.cpu_s
        env = {**os.environ, "LOAD_METER": str(here / "meter"), "LOAD_REQUESTS": str(requests)}
        done = subprocess.run(
            command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False, timeout=LIMIT_S,
            preexec_fn=_first_core,
        )  # fmt: skip
        if done.returncode:
            raise HarnessError(f"{side} ended with {done.returncode}: {done.stderr[-1500:]}")
        if side == OURS:
            _check_evidence(here, requests)
        took = json.loads((here / "meter").read_text())
        return Sample(requests, took["cpu_s"], took["wall_s"], served.cpu_s - before)


def _ours(target: str, folder: Path, requests: int) -> list[str]:
    spec = LoadSpec(
        target,
        RATE_PER_S,
        1,
        "bench",
        folder,
        for_s=requests / RATE_PER_S,
        late_limit_s=1000.0,
        timeout_s=60.0,
    )
    files = f"{LOCUSTFILE},{HERE / 'load_meter.py'}"
    return [files if word == str(LOCUSTFILE) else word for word in argv(spec)]


def _plain(target: str, users: int) -> list[str]:
    files = f"{HERE / 'plain_user.py'},{HERE / 'load_meter.py'}"
    locust = [sys.executable, "-m", "locust", "-f", files, "--headless", "--only-summary"]
    return [*locust, "-u", str(users), "-r", str(users), "--host", target]


def _check_evidence(folder: Path, requests: int) -> None:
    problems: list[str] = []
    counts: dict[str, int] = {}
    for record in stream(folder / SUBMISSIONS, problems):
        counts[record["event"]] = counts.get(record["event"], 0) + 1
    if problems or any(counts.get(event) != requests for event in ("due", "invoke", "ok")):
        raise HarnessError(f"the evidence is not that of {requests} jobs: {counts} {problems}")


def _first_core() -> None:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
