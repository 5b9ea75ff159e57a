"""The whole system as plain processes on loopback: Redis, Toxiproxy, sink, API, relay, workers.

Used by the experiment and by `up` as a context manager: it stops, whatever happens, and nothing outlives it.
How each process is started stands in recipes.py, who listens where in addresses.py.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import redis

from chaos import http, marks
from chaos.errors import HarnessError, ServerMissing
from chaos.faults.network import Network
from chaos.observe import Events
from chaos.servers import Found
from chaos.signals import shielded
from chaos.sink import Sink
from chaos.stack import recipes
from chaos.stack.addresses import Addresses
from chaos.stack.options import StackOptions
from chaos.stack.ports import Ports
from chaos.stack.process import Managed, Spec, Supervisor, clean_environment

UNDER_TEST = ("api", "relay", "worker-")


class LocalStack:
    """One running system; `folder` gets its logs and evidence."""

    def __init__(
        self, run: str, folder: Path, servers: dict[str, Found], options: StackOptions, events: Events
    ) -> None:
        """Reserve the ports. Raises ServerMissing without Redis, HarnessError when a wanted port is taken."""
        if servers["redis-server"].path is None:
            raise ServerMissing(servers["redis-server"].missing())
        self._redis_binary = servers["redis-server"].path
        self._toxiproxy_binary = servers["toxiproxy-server"].path
        self.run = run
        self.options = options
        self.network: Network | None = None
        self._folder = folder
        self._work = folder / "work"
        self._events = events
        self._password = secrets.token_urlsafe(12)
        self._managed: dict[str, Managed] = {}
        self._supervisor: Supervisor | None = None
        self._worker_names = [f"worker-{number}" for number in range(1, options.workers + 1)]
        self._ports = Ports()
        self.addresses = Addresses(
            self._ports,
            self._worker_names,
            severable=self._toxiproxy_binary is not None,
            api_port=options.api_port,
        )
        self.sink = Sink(self.addresses.http("control"))

    @property
    def metrics(self) -> dict[str, str]:
        """Every /metrics of the stack by name."""
        servers = {name: name for name in ("api", "relay", *self._worker_names)} | {"sink": "control"}
        if self.addresses.severable:
            servers["toxiproxy"] = "toxiproxy"
        return {name: self.addresses.http(server, "/metrics") for name, server in servers.items()}

    def for_people(self) -> dict[str, str]:
        """What a person may want to open or talk to."""
        at = self.addresses
        pages = {"API": at.http("api"), "sink control": at.http("control"), "sink SMTP": at.direct("smtp")}
        severing = {"Toxiproxy": at.http("toxiproxy")} if at.severable else {}
        return pages | {"Redis": at.redis_url} | severing

    @property
    def workers(self) -> list[Managed]:
        """The Celery workers."""
        return [self._managed[name] for name in self._worker_names]

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
        data = self._work / "redis"
        data.mkdir(parents=True)
        (self._folder / "logs").mkdir(exist_ok=True)
        at = self.addresses
        self._launch("redis", recipes.redis(self._redis_binary, at, data), self._redis_ready).await_ready()
        if self._toxiproxy_binary is not None:
            argv = recipes.toxiproxy(self._toxiproxy_binary, at)
            serves = partial(http.answers, at.http("toxiproxy", "/version"))
            self._launch("toxiproxy", argv, serves).await_ready()
            self.network = Network(at.port("toxiproxy"), at.proxies(), self._restart_toxiproxy)
            self.network.create()
        sink = recipes.sink(self.options, at, self.run, self._folder)
        self._launch("sink", sink, self.sink.alive, {"FAKE_SMTP_PASSWORD": self._password}).await_ready()
        self._start_system()
        self._supervisor = Supervisor(list(self._managed.values()))
        self._supervisor.start()

    def _start_system(self) -> None:
        """Start what is under test, all of it at once."""
        argv = {"api": recipes.api(self.addresses), "relay": recipes.relay()}
        argv |= {name: recipes.worker(self.options, name) for name in self._worker_names}
        for name in argv:
            metrics = self._work / f"prometheus-{name}"
            metrics.mkdir()
            env = recipes.system_env(self.options, self.addresses, name, self._password, metrics)
            page = self.addresses.http(name, "/health")
            self._launch(name, argv[name], partial(http.answers, page), env)
        for name in argv:
            self._managed[name].await_ready()

    def stop_system(self) -> None:
        """Stop what is under test, so that every SMTP session ends while the sink still writes evidence."""
        self._end_supervisor()
        parts = [managed for name, managed in self._managed.items() if name.startswith(UNDER_TEST)]
        with ThreadPoolExecutor(len(parts)) as pool:
            list(pool.map(Managed.stop, parts))

    def stop(self) -> None:
        """Stop everything, remove the working files; raises HarnessError when a process cannot be ended."""
        with shielded():
            self._end_supervisor()
            for managed in reversed(self._managed.values()):
                managed.stop()
            left = marks.end_all(self.run, self._work)
            self._ports.release()
            shutil.rmtree(self._work, ignore_errors=True)
        if left:
            raise HarnessError(f"processes {left} of run {self.run} cannot be ended")

    # -- small steps ------------------------------------------------------------------------------------

    def _launch(
        self, name: str, argv: list[str], ready: Callable[[], bool], env: Mapping[str, str] | None = None
    ) -> Managed:
        spec = Spec(
            name=name,
            argv=argv,
            env=clean_environment() | dict(env or {}) | {marks.VARIABLE: self.run},
            cwd=self._work,
            log=self._folder / "logs" / f"{name}.log",
            ready=ready,
        )
        managed = Managed(spec, self._events.append)
        self._managed[name] = managed
        managed.start()
        return managed

    def _redis_ready(self) -> bool:
        try:
            with redis.Redis.from_url(self.addresses.redis_url, socket_timeout=1) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def _restart_toxiproxy(self) -> None:
        managed = self._managed["toxiproxy"]
        managed.stop()
        managed.start()
        managed.await_ready()

    def _end_supervisor(self) -> None:
        if self._supervisor is not None:
            self._supervisor.end()
            self._supervisor = None
