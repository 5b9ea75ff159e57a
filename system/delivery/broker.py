"""The broker as an operator sees it: whether it answers, and how much lies in it.

Used by readiness, metrics and the relay. Knows Redis's layout of Celery's queue; of other brokers it asks
only what their own protocol offers. Never publishes or consumes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kombu.connection import Connection

from system import clients

QUEUE = "celery"
_PRIORITIES = ("", "\x06\x163", "\x06\x166", "\x06\x169")


@dataclass(frozen=True, slots=True)
class Depth:
    """Messages waiting in each queue, and those held by workers without acknowledgement (None: not known)."""

    queues: dict[str, int]
    unacked: int | None


class Broker:
    """Looks at one broker; `timeout_s` bounds each step."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        redis_like = url.startswith(("redis://", "rediss://"))
        self._redis = clients.connect(url, timeout_s, retries=0) if redis_like else None

    def _connection(self) -> Any:
        return Connection(self._url, connect_timeout=self._timeout_s)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Closes what is kept open."""
        if self._redis is not None:
            self._redis.close()

    def ping(self) -> None:
        """Returns if the broker answers.

        Raises:
            Exception: whatever the transport raises.

        """
        if self._redis is not None:
            self._redis.ping()
            return
        with self._connection() as connection:
            connection.ensure_connection(max_retries=1, timeout=self._timeout_s)

    def waiting(self) -> int:
        """Hints in the queue, where that is cheap to know; 0 for brokers other than Redis.

        Raises:
            redis.RedisError: the broker does not answer.

        """
        if self._redis is None:
            return 0
        return self.depth().queues[QUEUE]

    def depth(self) -> Depth:
        """How much lies in the broker.

        Raises:
            Exception: whatever the transport raises.

        """
        if self._redis is None:
            with self._connection() as connection:
                answer = connection.default_channel.queue_declare(QUEUE, passive=True)
                return Depth({QUEUE: int(answer.message_count)}, None)
        with self._redis.pipeline(transaction=False) as pipe:
            for suffix in _PRIORITIES:
                pipe.llen(QUEUE + suffix)
            pipe.hlen("unacked")
            *lengths, unacked = pipe.execute()
        return Depth({QUEUE: sum(lengths)}, int(unacked))
