"""Starts and stops the load as a process of its own: what the experiment imports.

Never imports locust (which would patch the importing process) and never waits for the load's end by itself.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from loadtests import mix as mixes
from loadtests.arrivals import parse

LOCUSTFILE = Path(__file__).with_name("locustfile.py")


@dataclass(frozen=True)
class LoadSpec:
    """One headless load: jobs per second to `target`, for `for_s` seconds (0: until stopped)."""

    target: str
    rate_per_s: float
    seed: int
    run: str
    evidence_dir: Path
    arrivals: str = "constant"
    for_s: float = 0.0
    status_share: float = 0.0
    processes: int = 1
    resubmit_limit_s: float = 60.0
    stop_grace_s: float = 30.0
    timeout_s: float = 10.0
    late_limit_s: float = 1.0
    mix: str = ""
    """Kinds by weight; empty: mails only, or what a replay has on record."""
    model: str = "open"
    users: int = 1
    """Of the closed model."""
    think_s: float = 1.0
    until_done: bool = False
    sink: str = ""
    """Control address of the sink, for Locust's rows from end to end; empty: none."""
    settle_s: float = 10.0
    """With a sink: how long the load waits at its end for accepted mails to be stored."""
    stats: Path | None = None
    """Locust's own report goes to files that begin so: `_stats.csv`, `_failures.csv`, ... and `.html`."""

    def __str__(self) -> str:
        end = f"for {self.for_s:g} s" if self.for_s else "until stopped"
        watched = f", status of {self.status_share:.0%} read" if self.status_share else ""
        mixed = f", mix {self.mix}" if self.mix else ""
        offered = f"{self.arrivals} at {self.rate_per_s:g}/s"
        if self.model == "closed":
            offered = f"closed model, {self.users} users thinking {self.think_s:g} s"
        return f"{offered} {end} to {self.target}, seed {self.seed}{watched}{mixed}"


def check(arrivals: str, mix: str, rate_per_s: float, seed: int) -> None:
    """Raise ValueError, in words, for arrivals or a mix that the load would refuse when it starts."""
    parse(arrivals, rate_per_s, seed)
    if mix:
        mixes.parse(mix)


@contextlib.contextmanager
def held_port() -> Iterator[socket.socket]:
    """Hold a free loopback port, so that nobody but a server with SO_REUSEADDR (as ZeroMQ's) can have it."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held


def argv(spec: LoadSpec, master_port: int = 0) -> list[str]:
    """Return the command line that offers this load; with several processes they meet at `master_port`.

    Raises ValueError for what Locust cannot be told.
    """
    if spec.processes < 1:
        raise ValueError(f"processes must be at least 1, not {spec.processes!r}")
    locust = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary"]
    users = max(spec.processes, spec.users if spec.model == "closed" else 1)
    locust += ["-u", str(users), "-r", str(users)]
    if spec.processes > 1:
        if not master_port:
            raise ValueError(f"{spec.processes} processes need a port at which they meet")
        locust += ["--processes", str(spec.processes)]
        # Locust's own port is one for all loads, and on every interface: two loads would share their workers.
        for side in ("--master-bind", "--master"):
            locust += [f"{side}-host", "127.0.0.1", f"{side}-port", str(master_port)]
    options = {
        "--host": spec.target,
        "--rate": repr(spec.rate_per_s),
        "--arrivals": spec.arrivals,
        "--for-s": repr(spec.for_s),
        "--seed": str(spec.seed),
        "--run-id": spec.run,
        "--evidence": str(spec.evidence_dir),
        "--status-share": repr(spec.status_share),
        "--resubmit-limit-s": repr(spec.resubmit_limit_s),
        "--stop-grace-s": repr(spec.stop_grace_s),
        "--timeout-s": repr(spec.timeout_s),
        "--late-limit-s": repr(spec.late_limit_s),
        "--model": spec.model,
        "--think-s": repr(spec.think_s),
        "--until-done": str(int(spec.until_done)),
    }
    if spec.mix or not spec.arrivals.startswith("replay:"):
        options["--mix"] = spec.mix or "email"
    if spec.sink:
        options |= {"--sink": spec.sink, "--settle-s": repr(spec.settle_s)}
    if spec.stats:
        options |= {"--csv": str(spec.stats), "--html": f"{spec.stats}.html"}
    return locust + [word for pair in options.items() for word in pair]


@dataclass(frozen=True)
class WebSpec:
    """Locust with its page on loopback, where people start the load; `sink`, `chaos`: control addresses."""

    target: str
    port: int
    evidence_dir: Path
    sink: str = ""
    chaos: str = ""

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}"


def web_argv(spec: WebSpec) -> list[str]:
    """Return the command line that serves this page."""
    locust = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "-u", "1", "-r", "1"]
    options = {
        "--web-host": "127.0.0.1",
        "--web-port": str(spec.port),
        "--host": spec.target,
        "--evidence": str(spec.evidence_dir),
        "--sink": spec.sink,
        "--chaos": spec.chaos,
    }
    return locust + [word for name, value in options.items() if value for word in (name, value)]


def start_web(spec: WebSpec, log_path: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start Locust with its page, like `start`."""
    return _start(web_argv(spec), log_path, env)


def start(spec: LoadSpec, log_path: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start the load in its own session and process group, its output going to `log_path`.

    `env` is added to its environment (the harness marks its processes so). Raises OSError when it cannot be
    started or the log cannot be written.
    """
    if spec.processes == 1:
        return _start(argv(spec), log_path, env)
    with held_port() as held:
        return _start(argv(spec, held.getsockname()[1]), log_path, env, keep=(held.fileno(),))


def _start(
    words: list[str], log_path: Path, env: Mapping[str, str] | None, keep: tuple[int, ...] = ()
) -> subprocess.Popen[bytes]:
    """Start a process that inherits the files `keep`, and with them what they hold."""
    log_path.parent.mkdir(parents=True, exist_ok=True)
    # A MAILSTORM_ variable left in somebody's shell must not change a recorded plan; nor may Locust's own.
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MAILSTORM_", "LOCUST_"))}
    with log_path.open("ab") as log:
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=clean | dict(env or {}),
            pass_fds=keep,
        )


def stop(process: subprocess.Popen[bytes], grace_s: float) -> int:
    """Ask a process to end (SIGTERM), wait `grace_s` seconds, then kill its group; return its exit code.

    `grace_s` should be a few seconds more than the load's own `stop_grace_s` and `settle_s` together.
    """
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    if process.returncode is None:  # sending looks first, and may have found it dead
        deadline = time.monotonic() + grace_s
        while not _exited(process.pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        # Before it is reaped its number cannot be anybody else's. This also ends workers whose master died.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def _exited(pid: int) -> bool:
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True  # another thread has reaped it meanwhile
