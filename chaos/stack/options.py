"""What can be chosen about a stack. Data only."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

BROKERS = ("redis", "rabbitmq")


@dataclass(frozen=True)
class StackOptions:
    """The choices, with the local stack's defaults. Times in seconds."""

    delivery: str = "ledger"
    broker: str = "redis"
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
    simulate_failures: bool = False
    # Beat and Flower, and workers that tell Flower what they do.
    monitoring: bool = False
    # Prometheus, which scrapes every part, and the load's page at this port (0: a free one).
    observe: bool = False
    web_port: int = 0
    # The folder that holds the `system` package, and the interpreter with its dependencies: others than this
    # checkout's when two revisions are compared. None: the package that is installed.
    system_root: Path | None = None
    python: str = sys.executable

    @property
    def worker_names(self) -> list[str]:
        """The Celery workers, in order."""
        return [f"worker-{number}" for number in range(1, self.workers + 1)]

    @property
    def on_rabbitmq(self) -> bool:
        """The hints go through RabbitMQ; the ledger stays in Redis."""
        return self.broker == "rabbitmq"

    @property
    def servers(self) -> tuple[str, ...]:
        """The servers without which there is no such stack."""
        wanted = {"redis-server": True, "rabbitmq-server": self.on_rabbitmq, "prometheus": self.observe}
        return tuple(name for name, needed in wanted.items() if needed)
