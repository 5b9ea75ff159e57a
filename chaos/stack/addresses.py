"""Who listens where, and which connection goes through which proxy.

Every connection that a fault may cut has a proxy of its own, so that partial partitions are possible; what
the harness watches has none. Without Toxiproxy the same connections lead straight to the servers.
"""

from __future__ import annotations

from collections.abc import Iterable

from chaos.stack.options import StackOptions
from chaos.stack.ports import HOST, Ports

ROLES = ("api", "worker", "relay")
PROXIES = (
    *(f"redis-{role}" for role in ROLES),
    *(f"broker-{role}" for role in ROLES),
    "smtp-worker",
    "receipts-worker",
)
"""The name of a proxy: what is reached, and by whom."""

RABBITMQ_PORTS = ("amqp", "management", "rabbitmq-metrics", "epmd", "dist")
OBSERVED_PORTS = ("prometheus", "harness")
"""Of Prometheus, and where it looks for the harness's own page; the load's may be chosen."""


class Addresses:
    """The loopback addresses of one stack."""

    def __init__(self, ports: Ports, options: StackOptions, *, severable: bool) -> None:
        """`severable`: Toxiproxy is there. Raises HarnessError when a wanted port is taken."""
        self.severable = severable
        self._port = {"api": ports.take(options.api_port, "the API")}
        names = ["redis", "toxiproxy", "smtp", "control", "relay", *PROXIES, *options.worker_names]
        names += RABBITMQ_PORTS if options.on_rabbitmq else ()
        names += ["flower"] if options.monitoring else []
        names += OBSERVED_PORTS if options.observe else ()
        if options.observe:
            self._port["load"] = ports.take(options.web_port, "the web UI")
        for name in names:
            self._port[name] = ports.take(what=name)
        self._server = {
            "redis": "redis",
            "broker": "amqp" if options.on_rabbitmq else "redis",
            "smtp": "smtp",
            "receipts": "control",
        }

    def port(self, name: str) -> int:
        """The port of a server or proxy."""
        return self._port[name]

    def direct(self, name: str) -> str:
        """HOST:PORT of a server itself."""
        return f"{HOST}:{self._port[name]}"

    def reach(self, what: str, role: str) -> str:
        """HOST:PORT at which a part of the system reaches `what`: its proxy, if it has one."""
        proxy = f"{what}-{role}"
        return self.direct(proxy if self.severable and proxy in PROXIES else self._server[what])

    def http(self, name: str, path: str = "", login: str = "") -> str:
        """The address of a page of a server, without a proxy; `login` is USER:PASSWORD."""
        return f"http://{login}{'@' if login else ''}{self.direct(name)}{path}"

    @property
    def redis_url(self) -> str:
        """Redis without a proxy, for watching."""
        return f"redis://{self.direct('redis')}"

    def proxies(self) -> dict[str, tuple[str, str]]:
        """For Toxiproxy: name -> (listen, upstream)."""
        return {name: (self.direct(name), self.direct(self._behind(name))) for name in PROXIES}

    def proxies_to(self, server: str, roles: Iterable[str] = ROLES) -> list[str]:
        """The proxies through which these roles reach a server, such as `redis`, whatever for."""
        return [name for name in PROXIES if self._behind(name) == server and name.endswith(tuple(roles))]

    def _behind(self, proxy: str) -> str:
        return self._server[proxy.partition("-")[0]]
