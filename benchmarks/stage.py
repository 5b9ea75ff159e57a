"""Everything the benchmark needs, as processes on free loopback ports: Redis, a sink, and the two sides.

Used by system_bench.py as a context manager: it stops all of it, whatever happens. Built from parts of the
harness. A side that is not being measured stands still (SIGSTOP), so that it takes nothing from the other.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil

from chaos import http
from chaos.errors import ServerMissing
from chaos.paths import PROJECT
from chaos.servers import redis_server
from chaos.signals import shielded
from chaos.stack.ports import HOST, Ports
from chaos.stack.process import Managed, Spec, clean_environment

SIDES = ("system", "bare")
GUNICORN = ("gunicorn", "--workers", "2", "--threads", "8", "--worker-class", "gthread")
APPS = {
    "system": ("-c", "python:system.api.gunicorn_conf", "system.api.app:create_app()"),
    "bare": ("benchmarks.bare_api:app",),
}
CELERY = {"system": "system.worker.app", "bare": "benchmarks.bare_worker"}
COUNTERS = b"mesg="


def accepts_connections(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


class Stage:
    """The running processes; `pool` is the number of Celery pool processes on each side.

    The sink is Postfix's smtp-sink where there is one, unless `small_sink` asks for our own. With `lean` the
    bare task writes its mails without Python's e-mail library.
    """

    def __init__(self, pool: int, *, small_sink: bool = False, lean: bool = False) -> None:
        """Raise ServerMissing without redis-server."""
        found = redis_server()
        if found.path is None:
            raise ServerMissing(found.missing())
        self._redis = found.path
        # Debian keeps it beside the servers, where a user's PATH does not lead.
        path = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin"
        self._smtp_sink = None if small_sink else shutil.which("smtp-sink", path=path)
        self.sink = "Postfix's smtp-sink" if self._smtp_sink else "benchmarks/small_sink.py"
        self._pool, self._lean = pool, lean
        self._folder = Path(tempfile.mkdtemp(prefix="mailstorm-bench-"))
        self._ports = Ports()
        self.port = {name: self._ports.take() for name in ("redis", "sink", *SIDES)}
        self._managed: dict[str, Managed] = {}

    def __enter__(self) -> Stage:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> None:
        redis = [
            *(
                str(self._redis),
                "--port",
                str(self.port["redis"]),
                "--bind",
                HOST,
                "--dir",
                str(self._folder),
            ),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        ]
        self._launch("redis", redis, partial(accepts_connections, self.port["redis"]))
        self._launch("sink", self._sink_command(), partial(accepts_connections, self.port["sink"]))
        for side in SIDES:
            at = f"{HOST}:{self.port[side]}"
            api = [sys.executable, "-m", *GUNICORN, "--bind", at, *APPS[side]]
            self._launch(f"{side}-api", api, partial(http.answers, f"http://{at}/health"))
            worker = [
                *(sys.executable, "-m", "celery", "-A", CELERY[side], "worker", "-n", f"{side}@%h"),
                *(
                    "--concurrency",
                    str(self._pool),
                    "--without-gossip",
                    "--without-mingle",
                    "--loglevel",
                    "INFO",
                ),
            ]
            self._launch(f"{side}-worker", worker, partial(self._said, f"{side}-worker", b" ready."))
        relay = [sys.executable, "-m", "system.delivery.relay"]
        self._launch("system-relay", relay, partial(self._said, "system-relay", b"relay looks"))

    def _sink_command(self) -> list[str]:
        if self._smtp_sink is None:
            return [sys.executable, "-m", "benchmarks.small_sink", str(self.port["sink"])]
        # As root it insists on another user.
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        return [self._smtp_sink, "-c", *user, f"{HOST}:{self.port['sink']}", "256"]

    def _environment(self, name: str) -> dict[str, str]:
        redis = f"redis://{HOST}:{self.port['redis']}"
        metrics = self._folder / f"metrics-{name}"
        metrics.mkdir()
        return {
            **clean_environment(),
            # gunicorn leaves a control socket there.
            "HOME": str(self._folder),
            "PYTHONPATH": str(PROJECT),
            "BARE_MAIL": "text" if self._lean else "",
            "SMTP_HOST": HOST,
            "SMTP_PORT": str(self.port["sink"]),
            "LEDGER_URL": f"{redis}/0",
            "BROKER_URL": f"{redis}/{2 if name.startswith('bare') else 1}",
            "PROMETHEUS_MULTIPROC_DIR": str(metrics),
            # The jobs lie waiting on purpose; the relay should not take that for lost hints.
            "REPUBLISH_FIRST_S": "60",
        }

    def _launch(self, name: str, argv: list[str], ready: Callable[[], bool]) -> None:
        spec = Spec(name, argv, self._environment(name), self._folder, self._log(name), ready)
        self._managed[name] = Managed(spec, lambda *_, **__: None)
        self._managed[name].start()
        self._managed[name].await_ready()

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _said(self, name: str, words: bytes) -> bool:
        return words in self._log(name).read_bytes()

    def halt(self, *names: str) -> None:
        """Makes these processes stand still."""
        self._signal(names, signal.SIGSTOP)

    def go_on(self, *names: str) -> None:
        """Lets them run again."""
        self._signal(names, signal.SIGCONT)

    def _signal(self, names: tuple[str, ...], number: int) -> None:
        for name in names:
            # Each leads a group of its own.
            os.killpg(self._managed[name].pid, number)

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds that each server and its children have used so far."""
        return {name: self._cpu_s(managed) for name, managed in self._managed.items()}

    def _cpu_s(self, managed: Managed) -> float:
        processes = [psutil.Process(managed.pid), *managed.children()]
        return sum(used.user + used.system for used in (process.cpu_times() for process in processes))

    def stored(self) -> int:
        """How many mails the sink has taken so far."""
        with self._log("sink").open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 200))
            tail = log.read()
        counters = tail[: tail.rfind(b"\r")]
        return (
            int(counters[counters.rfind(COUNTERS) + len(COUNTERS) :].split()[0])
            if COUNTERS in counters
            else 0
        )

    def stop(self) -> None:
        """Ends everything and removes the folder."""
        with shielded():
            for managed in reversed(self._managed.values()):
                if managed.running:
                    os.killpg(managed.pid, signal.SIGCONT)
                managed.stop()
            self._ports.release()
            shutil.rmtree(self._folder, ignore_errors=True)
