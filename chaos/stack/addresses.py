"""Who listens where, and which connection goes through which proxy.

Every connection that a fault may cut has a proxy of its own, so that partial partitions are possible; what
the harness watches has none. Without Toxiproxy the same names lead straight to the servers.
"""

from __future__ import annotations

from chaos.stack.ports import HOST, Ports

REDIS_PROXIES = ("redis-api", "redis-worker", "redis-relay", "broker-api", "broker-worker", "broker-relay")
PROXIES = dict.fromkeys(REDIS_PROXIES, "redis") | {"smtp-worker": "smtp", "receipts-worker": "control"}
"""Name of each proxy, and the server behind it."""


class Addresses:
    """The loopback addresses of one stack."""

    def __init__(self, ports: Ports, workers: list[str], *, severable: bool, api_port: int = 0) -> None:
        """`severable`: Toxiproxy is there. Raises HarnessError when `api_port` (0: a free one) is taken."""
        self.severable = severable
        self._port = {"api": ports.take(api_port, "the API")}
        for name in ("redis", "toxiproxy", "smtp", "control", "relay", *PROXIES, *workers):
            self._port[name] = ports.take(what=name)

    def port(self, name: str) -> int:
        """The port of a server or proxy."""
        return self._port[name]

    def direct(self, name: str) -> str:
        """HOST:PORT of a server itself."""
        return f"{HOST}:{self._port[name]}"

    def via(self, proxy: str) -> str:
        """HOST:PORT of a proxy, or of the server behind it when there is no Toxiproxy."""
        return self.direct(proxy if self.severable else PROXIES[proxy])

    def http(self, name: str, path: str = "") -> str:
        """The address of a page of a server, without a proxy."""
        return f"http://{self.direct(name)}{path}"

    @property
    def redis_url(self) -> str:
        """Redis without a proxy, for watching."""
        return f"redis://{self.direct('redis')}/0"

    def proxies(self) -> dict[str, tuple[str, str]]:
        """For Toxiproxy: name -> (listen, upstream)."""
        return {name: (self.direct(name), self.direct(upstream)) for name, upstream in PROXIES.items()}
