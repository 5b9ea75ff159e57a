"""SIGKILL Redis itself: ledger and broker are gone at once and come back from the append-only file."""

from __future__ import annotations

from chaos.faults.processes import KillGroup
from chaos.stack.process import Managed


class KillRedis(KillGroup):
    """Kill the Redis server; healed when the restarted one answers PING."""

    kind = "kill-redis"

    def __init__(self, name: str, redis: Managed) -> None:
        super().__init__(name, [redis])
