"""The broker as an operator sees it: whether it answers, and how much lies in it.

Used by readiness, metrics and the relay. Knows Redis's layout of Celery's queue, and no other broker.
Never publishes or consumes.
"""

from __future__ import annotations

from dataclasses import dataclass

from system import clients

QUEUE = "celery"
_PRIORITIES = ("", "\x06\x163", "\x06\x166", "\x06\x169")


@dataclass(frozen=True, slots=True)
class Depth:
    """Messages waiting in each queue, and those held by workers without acknowledgement."""

    queues: dict[str, int]
    unacked: int


class Broker:
    """Looks at one broker; `timeout_s` bounds each step. Every method may raise redis.RedisError."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._redis = clients.connect(url, timeout_s, retries=0)

    def close(self) -> None:
        """Closes what is kept open."""
        self._redis.close()

    def ping(self) -> None:
        """Returns if the broker answers."""
        self._redis.ping()

    def overdue(self) -> int:
        """Hints that wait in the list which workers consume first."""
        return int(self._redis.llen(QUEUE + _PRIORITIES[0]))

    def depth(self) -> Depth:
        """How much lies in the broker."""
        with self._redis.pipeline(transaction=False) as pipe:
            for suffix in _PRIORITIES:
                pipe.llen(QUEUE + suffix)
            pipe.hlen("unacked")
            *lengths, unacked = pipe.execute()
        return Depth({QUEUE: sum(lengths)}, int(unacked))
