"""The whole system as plain processes on free loopback ports: Redis, Toxiproxy, sink, API, workers, relay.

Built by the experiment and by `up`. Every connection that a fault may cut has its own proxy; what the
harness watches has none. Nothing outlives `stop`.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import redis
import requests

from chaos import marks
from chaos.errors import HarnessError, ServerMissing
from chaos.faults.network import Network
from chaos.observe import Broker, Events
from chaos.servers import Found
from chaos.sink import Sink
from chaos.stack.ports import HOST, Ports
from chaos.stack.process import Managed, Spec, Supervisor

REDIS_PROXIES = ("redis-api", "redis-worker", "redis-relay", "broker-api", "broker-worker", "broker-relay")
SINK_PROXIES = {"smtp-worker": "smtp", "receipts-worker": "control"}


@dataclass(frozen=True)
class StackOptions:
    """What can be chosen about the stack. Times in seconds."""

    delivery: str = "ledger"
    receipts: bool = True
    doubt_policy: str = "hold"
    workers: int = 2
    concurrency: int = 6
    lease_s: float = 8.0
    data_limit_s: float = 4.0
    smtp_timeout_s: float = 3.0
    sink_latency_s: float = 0.0
    visibility_timeout_s: int = 8
    api_port: int = 0


class LocalStack:
    """One running system. Use as a context manager: it stops, whatever happens."""

    def __init__(
        self, run: str, folder: Path, servers: dict[str, Found], options: StackOptions, events: Events
    ) -> None:
        if servers["redis-server"].path is None:
            raise ServerMissing(servers["redis-server"].missing())
        self.run = run
        self.options = options
        self._folder = folder
        self._events = events
        self._servers = servers
        self._work = folder / "work"
        self._logs = folder / "logs"
        self._ports = Ports()
        self._password = secrets.token_urlsafe(12)
        self._managed: dict[str, Managed] = {}
        self._supervisor: Supervisor | None = None
        self._assign_ports()

    # -- addresses --------------------------------------------------------------------------------------

    def _assign_ports(self) -> None:
        names = ["redis", "toxiproxy", "smtp", "control", "relay", *REDIS_PROXIES, *SINK_PROXIES]
        names += [f"worker-{n}" for n in range(1, self.options.workers + 1)]
        self._port = {"api": self._ports.take(self.options.api_port, "the API")}
        self._port |= {name: self._ports.take(what=name) for name in names}

    @property
    def severable(self) -> bool:
        """True when Toxiproxy stands in every connection that a fault may cut."""
        return self._servers["toxiproxy-server"].path is not None

    def _address(self, name: str, direct: str) -> str:
        return f"{HOST}:{self._port[name if self.severable else direct]}"

    @property
    def api(self) -> str:
        """Base address of the API."""
        return f"http://{HOST}:{self._port['api']}"

    @property
    def redis_url(self) -> str:
        """Redis without a proxy, for watching."""
        return f"redis://{HOST}:{self._port['redis']}/0"

    @property
    def sink(self) -> Sink:
        """The sink's control API, without a proxy."""
        return Sink(f"http://{HOST}:{self._port['control']}")

    @property
    def broker(self) -> Broker:
        """The broker's queues, without a proxy."""
        return Broker(self.redis_url)

    @property
    def metrics(self) -> dict[str, str]:
        """Every /metrics of the stack by name."""
        ports = {"api": "api", "relay": "relay", "sink": "control"}
        ports |= {worker.spec.name: worker.spec.name for worker in self.workers}
        if self.severable:
            ports["toxiproxy"] = "toxiproxy"
        return {name: f"http://{HOST}:{self._port[port]}/metrics" for name, port in ports.items()}

    def addresses(self) -> dict[str, str]:
        """What a person may want to open or talk to."""
        return {
            "API": self.api,
            "sink SMTP": f"{HOST}:{self._port['smtp']}",
            "sink control": self.sink.control,
            "Redis": self.redis_url,
            **({"Toxiproxy": f"http://{HOST}:{self._port['toxiproxy']}"} if self.severable else {}),
        }

    # -- what can be broken -----------------------------------------------------------------------------

    @property
    def workers(self) -> list[Managed]:
        """The Celery workers."""
        return [managed for name, managed in self._managed.items() if name.startswith("worker-")]

    @property
    def redis(self) -> Managed:
        """The Redis server."""
        return self._managed["redis"]

    # -- life -------------------------------------------------------------------------------------------

    def __enter__(self) -> LocalStack:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything in the order of need, wait until it serves; raises HarnessError with the log."""
        for folder in (self._work, self._logs):
            folder.mkdir(parents=True, exist_ok=True)
        self._run_one("redis", self._redis_argv(), self._redis_ready)
        self.network: Network | None = None
        if self.severable:
            self._run_one(
                "toxiproxy", self._toxiproxy_argv(), lambda: self._answers(self._toxiproxy("/version"))
            )
            self.network = Network(self._port["toxiproxy"], self._proxies(), self._restart_toxiproxy)
            self.network.create()
        self._run_one("sink", self._sink_argv(), self.sink.alive)
        system = {
            "api": self._api_argv(),
            "relay": [sys.executable, "-m", "system.delivery.relay"],
            **{f"worker-{n}": self._worker_argv(n) for n in range(1, self.options.workers + 1)},
        }
        for name, argv in system.items():
            self._launch(name, argv, self._serves(name), self._system_env(name))
        for name in system:
            self._managed[name].await_ready()
        self._supervisor = Supervisor(list(self._managed.values()))
        self._supervisor.start()

    def stop_system(self) -> None:
        """Stop what is under test, so that every SMTP session ends, while the sink still writes evidence."""
        self._end_supervisor()
        parts = [m for name, m in self._managed.items() if name not in ("redis", "toxiproxy", "sink")]
        threads = [threading.Thread(target=managed.stop) for managed in parts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def stop(self) -> None:
        """Stop everything, remove the working files; raises HarnessError when a process cannot be ended."""
        self._end_supervisor()
        for managed in reversed(self._managed.values()):
            managed.stop()
        self._managed.clear()
        left = marks.end_all(self.run)
        self._ports.release()
        shutil.rmtree(self._work, ignore_errors=True)
        if left:
            raise HarnessError(f"processes {left} of run {self.run} cannot be ended")

    def _end_supervisor(self) -> None:
        if self._supervisor is not None:
            self._supervisor.end()
            self._supervisor = None

    # -- the single servers -----------------------------------------------------------------------------

    def _launch(
        self, name: str, argv: list[str], ready: Callable[[], bool], env: dict[str, str] | None = None
    ) -> Managed:
        spec = Spec(
            name=name,
            argv=argv,
            env=os.environ | (env or {}) | {marks.VARIABLE: self.run, "PYTHONUNBUFFERED": "1"},
            cwd=self._work,
            log=self._logs / f"{name}.log",
            ready=ready,
        )
        managed = Managed(spec, self._events.append)
        self._managed[name] = managed
        managed.start()
        return managed

    def _run_one(self, name: str, argv: list[str], ready: Callable[[], bool]) -> None:
        env = {"FAKE_SMTP_PASSWORD": self._password} if name == "sink" else None
        self._launch(name, argv, ready, env).await_ready()

    def _redis_argv(self) -> list[str]:
        data = self._work / "redis"
        data.mkdir(exist_ok=True)
        return [
            str(self._servers["redis-server"].path),
            *("--port", str(self._port["redis"])),
            *("--bind", HOST),
            *("--dir", str(data)),
            *("--appendonly", "yes"),
            # A reply means that the write is on disk, so that even a power cut loses nothing accepted.
            *("--appendfsync", "always"),
            *("--save", ""),
            *("--maxmemory-policy", "noeviction"),
        ]

    def _redis_ready(self) -> bool:
        try:
            with redis.Redis.from_url(self.redis_url, socket_timeout=1) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def _toxiproxy(self, path: str) -> str:
        return f"http://{HOST}:{self._port['toxiproxy']}{path}"

    def _toxiproxy_argv(self) -> list[str]:
        path = str(self._servers["toxiproxy-server"].path)
        return [path, "-host", HOST, "-port", str(self._port["toxiproxy"]), "-proxy-metrics"]

    def _proxies(self) -> dict[str, tuple[str, str]]:
        upstreams = dict.fromkeys(REDIS_PROXIES, "redis") | SINK_PROXIES
        return {
            name: (f"{HOST}:{self._port[name]}", f"{HOST}:{self._port[upstream]}")
            for name, upstream in upstreams.items()
        }

    def _restart_toxiproxy(self) -> None:
        managed = self._managed["toxiproxy"]
        managed.stop()
        managed.start()
        managed.await_ready()

    def _sink_argv(self) -> list[str]:
        options = {
            "--out": str(self._folder),
            "--run": self.run,
            "--host": HOST,
            "--smtp-port": str(self._port["smtp"]),
            "--control-port": str(self._port["control"]),
            "--username": "mailstorm",
            "--idle-limit-s": str(self.options.data_limit_s),
            "--data-limit-s": str(self.options.data_limit_s),
            "--latency-s": str(self.options.sink_latency_s),
        }
        return [sys.executable, "-m", "fake_smtp", *(word for pair in options.items() for word in pair)]

    def _api_argv(self) -> list[str]:
        return [
            *(sys.executable, "-m", "gunicorn"),
            *("-c", "python:system.api.gunicorn_conf"),
            *("--bind", f"{HOST}:{self._port['api']}"),
            *("--workers", "2", "--threads", "8", "--worker-class", "gthread"),
            "system.api.app:create_app()",
        ]

    def _worker_argv(self, number: int) -> list[str]:
        return [
            *(sys.executable, "-m", "celery", "-A", "system.worker.app", "worker"),
            *("--concurrency", str(self.options.concurrency)),
            *("-n", f"worker-{number}@%h"),
            *("--without-gossip", "--without-mingle", "--loglevel", "INFO"),
        ]

    def _system_env(self, name: str) -> dict[str, str]:
        role = name.partition("-")[0]
        prometheus = self._work / f"prometheus-{name}"
        prometheus.mkdir(exist_ok=True)
        options = self.options
        smtp_host, smtp_port = self._address("smtp-worker", "smtp").split(":")
        receipts = (
            f"http://{self._address('receipts-worker', 'control')}/receipts" if options.receipts else ""
        )
        return {
            "DELIVERY": options.delivery,
            "LEDGER_URL": f"redis://{self._address(f'redis-{role}', 'redis')}/0",
            "BROKER_URL": f"redis://{self._address(f'broker-{role}', 'redis')}/0",
            "SMTP_HOST": smtp_host,
            "SMTP_PORT": smtp_port,
            "SMTP_USERNAME": "mailstorm",
            "SMTP_PASSWORD": self._password,
            "SMTP_STARTTLS": "false",
            "SMTP_TIMEOUT_S": str(options.smtp_timeout_s),
            "SMTP_DATA_LIMIT_S": str(options.data_limit_s),
            "RECEIPTS_URL": receipts,
            "DOUBT_POLICY": options.doubt_policy,
            "LEASE_S": str(options.lease_s),
            "VISIBILITY_TIMEOUT_S": str(options.visibility_timeout_s),
            "REPUBLISH_FIRST_S": "2",
            "REPUBLISH_MAX_S": "8",
            "RETRY_BASE_S": "0.5",
            "RETRY_CAP_S": "4",
            "LOGIN_PROBE_S": "1",
            "PROMETHEUS_MULTIPROC_DIR": str(prometheus),
            "WORKER_METRICS_PORT": str(self._port[name]) if role == "worker" else "0",
            "RELAY_METRICS_PORT": str(self._port["relay"]) if role == "relay" else "0",
        }

    def _serves(self, name: str) -> Callable[[], bool]:
        path = "/ready" if name == "api" else "/metrics"
        # The API says itself whether it is ready; readiness of the relay is part of that, so it comes after.
        address = f"http://{HOST}:{self._port[name]}{'/health' if name == 'api' else path}"
        return lambda: self._answers(address)

    @staticmethod
    def _answers(address: str) -> bool:
        try:
            return bool(requests.get(address, timeout=2).ok)
        except requests.RequestException:
            return False

    def describe(self) -> str:
        """The stack's options as JSON, for the plan and for people."""
        return json.dumps(self.options.__dict__)
