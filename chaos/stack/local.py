"""The whole system as plain processes on loopback: Redis, RabbitMQ, Toxiproxy, sink, API, relay, workers.

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
from chaos.broker import Broker, RabbitBroker, RedisBroker
from chaos.errors import HarnessError, ServerMissing
from chaos.faults.network import Network
from chaos.observe import Events
from chaos.servers import Found
from chaos.signals import shielded
from chaos.sink import Sink
from chaos.stack import prometheus, rabbitmq, recipes
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
        """Reserve the ports. Raises ServerMissing without the broker, HarnessError for a taken port."""
        self._servers = servers
        for name in options.servers:
            self._binary(name)
        self.run = run
        self.options = options
        self.network: Network | None = None
        self._folder = folder
        self._work = folder / "work"
        self._events = events
        self._password = secrets.token_hex(12)
        self._managed: dict[str, Managed] = {}
        self._supervisor: Supervisor | None = None
        self._ports = Ports()
        severable = servers["toxiproxy-server"].path is not None
        self.addresses = Addresses(self._ports, options, severable=severable)
        self.sink = Sink(self.addresses.http("control"))

    @property
    def metrics(self) -> dict[str, str]:
        """Every /metrics of the stack by name."""
        servers = {name: name for name in ("api", "relay", *self.options.worker_names)} | {"sink": "control"}
        if self.addresses.severable:
            servers["toxiproxy"] = "toxiproxy"
        return {name: self.addresses.http(server, "/metrics") for name, server in servers.items()}

    @property
    def broker(self) -> Broker:
        """The broker, for watching: past every proxy."""
        at = self.addresses
        if self.options.on_rabbitmq:
            return RabbitBroker(at.http("management", login=self._login))
        return RedisBroker(f"{at.redis_url}/{recipes.BROKER_DB}")

    def for_people(self) -> dict[str, str]:
        """What a person may want to open or talk to; where a login is needed it is in the address."""
        at, options = self.addresses, self.options
        found = {"API": at.http("api")}
        found |= {"Flower": at.http("flower", login=self._login)} if options.monitoring else {}
        found |= {"RabbitMQ": at.http("management", login=self._login)} if options.on_rabbitmq else {}
        found |= {"Prometheus": at.http("prometheus")} if options.observe else {}
        found |= {"sink control": at.http("control"), "sink SMTP": at.direct("smtp"), "Redis": at.redis_url}
        if options.on_rabbitmq:
            found["AMQP"] = recipes.broker_url(options, at.direct("amqp"), self._password)
        return found | ({"Toxiproxy": at.http("toxiproxy")} if at.severable else {})

    @property
    def _login(self) -> str:
        return f"{recipes.USER}:{self._password}"

    @property
    def workers(self) -> list[Managed]:
        """The Celery workers."""
        return [self._managed[name] for name in self.options.worker_names]

    @property
    def redis(self) -> Managed:
        """The Redis server."""
        return self._managed["redis"]

    @property
    def under_test(self) -> dict[str, Managed]:
        """What the system's own work runs in, by name: its processes, and Redis, which holds its ledger."""
        return self._system | {"redis": self.redis}

    @property
    def _system(self) -> dict[str, Managed]:
        return {name: managed for name, managed in self._managed.items() if name.startswith(UNDER_TEST)}

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
        (self._work / "redis").mkdir(parents=True)
        (self._folder / "logs").mkdir(exist_ok=True)
        if self.options.on_rabbitmq:
            self._start_rabbitmq()  # first, since it takes the longest; waited for last
        self._start_redis()
        self._start_toxiproxy()
        sink = recipes.sink(self.options, self.addresses, self.run, self._folder)
        self._launch("sink", sink, self.sink.alive, {"FAKE_SMTP_PASSWORD": self._password}).await_ready()
        if self.options.on_rabbitmq:
            self._managed["rabbitmq"].await_ready()
        self._start_system()
        if self.options.monitoring:
            self._start_monitoring()
        if self.options.observe:
            self._start_prometheus()
        self._supervise()

    def _start_redis(self) -> None:
        argv = recipes.redis(self._binary("redis-server"), self.addresses, self._work / "redis")
        self._launch("redis", argv, self._redis_ready).await_ready()

    def _start_rabbitmq(self) -> None:
        home = self._work / "rabbitmq"
        home.mkdir(mode=0o700)  # the password is in there
        for path, text in rabbitmq.files(self.addresses, home, self._password).items():
            path.write_text(text)
        self._launch(
            "rabbitmq",
            rabbitmq.argv(self._binary("rabbitmq-server")),
            partial(http.answers, rabbitmq.ready(self.addresses, self._password)),
            rabbitmq.env(self.addresses, home),
            ready_limit_s=60,  # 5 s on an idle machine
            stop_grace_s=0,  # a clean end takes it 8 s, and its files go anyway
        )

    def _start_toxiproxy(self) -> None:
        at = self.addresses
        if not at.severable:
            return
        argv = recipes.toxiproxy(self._binary("toxiproxy-server"), at)
        serves = partial(http.answers, at.http("toxiproxy", "/version"))
        self._launch("toxiproxy", argv, serves).await_ready()
        self.network = Network(at.port("toxiproxy"), at.proxies(), self._restart_toxiproxy)
        self.network.create()

    def _start_system(self) -> None:
        """Start what is under test, all of it at once."""
        argv = {"api": recipes.api(self.options, self.addresses), "relay": recipes.relay(self.options)}
        argv |= {name: recipes.worker(self.options, name) for name in self.options.worker_names}
        for name in argv:
            page = self.addresses.http(name, "/health")
            self._launch(name, argv[name], partial(http.answers, page), self._system_env(name))
        for name in argv:
            self._managed[name].await_ready()

    def _start_monitoring(self) -> None:
        """Beat and Flower, which are not under test and have no proxies."""
        (self._work / "beat").mkdir()
        argv = recipes.beat(self._work / "beat" / "schedule")
        written = partial(_holds_files, self._work / "beat")
        beat = self._launch("beat", argv, written, self._system_env("beat"))
        env = self._system_env("flower") | recipes.flower_env(self.options, self.addresses, self._login)
        page = self.addresses.http("flower", "/healthcheck")
        flower = self._launch("flower", recipes.flower(self.addresses), partial(http.answers, page), env)
        beat.await_ready()
        flower.await_ready()

    def _start_prometheus(self) -> None:
        """Prometheus, when everything that it is to scrape is there."""
        at, home = self.addresses, self._work / "prometheus"
        home.mkdir()
        deployed = (prometheus.DEPLOYED / "prometheus.yml").read_text()
        targets = prometheus.targets(self.options, at, self.metrics)
        (home / "prometheus.yml").write_text(prometheus.config(deployed, targets))
        argv = prometheus.argv(self._binary("prometheus"), at, home)
        serves = partial(http.answers, at.http("prometheus", "/-/ready"))
        # Its files go with the stack, so it may be killed.
        self._launch("prometheus", argv, serves, stop_grace_s=0).await_ready()

    def _system_env(self, name: str) -> dict[str, str]:
        recipes.metrics_dir(self._folder, name).mkdir()
        return recipes.system_env(self.options, self.addresses, name, self._password, self._folder)

    def stop_system(self) -> None:
        """Stop what is under test, so that every SMTP session ends while the sink still writes evidence."""
        self._end_supervisor()
        parts = self._system.values()
        with ThreadPoolExecutor(len(parts)) as pool:
            list(pool.map(Managed.stop, parts))

    def restart_system(self) -> None:
        """Start what is under test anew; Redis, the sink and the ledger stay. Raises HarnessError."""
        self.stop_system()
        for managed in self._system.values():
            managed.start()
        for managed in self._system.values():
            managed.await_ready()
        self._supervise()

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
        self,
        name: str,
        argv: list[str],
        ready: Callable[[], bool],
        env: Mapping[str, str] | None = None,
        **limits: float,
    ) -> Managed:
        spec = Spec(
            name=name,
            argv=argv,
            env=clean_environment() | dict(env or {}) | {marks.VARIABLE: self.run},
            cwd=self._work,
            log=self._folder / "logs" / f"{name}.log",
            ready=ready,
            **limits,
        )
        managed = Managed(spec, self._events.append)
        self._managed[name] = managed
        managed.start()
        return managed

    def _binary(self, name: str) -> Path:
        found = self._servers[name]
        if found.path is None:
            raise ServerMissing(found.missing())
        return found.path

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

    def _supervise(self) -> None:
        self._supervisor = Supervisor(list(self._managed.values()))
        self._supervisor.start()

    def _end_supervisor(self) -> None:
        if self._supervisor is not None:
            self._supervisor.end()
            self._supervisor = None


def _holds_files(folder: Path) -> bool:
    return any(folder.iterdir())
