"""How much lies in the broker: the depth of the Celery queues, asked of the broker itself.

Used by the observer and by the drain. Never goes through a proxy, never publishes or consumes.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import redis
import requests

from chaos import http

LIMIT_S = 2.0


class Unseen(Exception):
    """The broker could not be asked; the message says why."""


class Depth(NamedTuple):
    """Messages that wait in each queue, and messages delivered but not acknowledged."""

    queues: dict[str, int]
    unacked: int


class Broker(Protocol):
    """What both brokers can be asked."""

    def depth(self) -> Depth:
        """Look now. Raises Unseen."""
        ...


def is_work(queue: str) -> bool:
    """False for the queues in which Celery talks to itself: remote control and events."""
    return not queue.endswith(".pidbox") and not queue.startswith("celeryev")


class RedisBroker:
    """Celery's queues in a Redis database of their own."""

    PRIORITIES = ("", "\x06\x163", "\x06\x166", "\x06\x169")

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(
            url, socket_timeout=LIMIT_S, socket_connect_timeout=LIMIT_S, decode_responses=True
        )

    def depth(self) -> Depth:
        """Each queue over all its priorities."""
        try:
            return Depth(
                {name: self._length(name) for name in self._names()}, int(self._redis.hlen("unacked"))
            )
        except redis.RedisError as error:
            raise Unseen(str(error)) from error

    def _names(self) -> list[str]:
        """Every queue that is bound to an exchange; one that was never declared holds nothing."""
        names = {
            str(member).rpartition("\x06\x16")[2]
            for binding in self._redis.scan_iter("_kombu.binding.*", count=1000)
            for member in self._redis.smembers(binding)
        }
        return sorted(filter(is_work, names))

    def _length(self, name: str) -> int:
        return sum(int(self._redis.llen(name + suffix)) for suffix in self.PRIORITIES)


class RabbitBroker:
    """Celery's queues in RabbitMQ, asked of its management page."""

    def __init__(self, pages: str) -> None:
        """`pages` is the base address of the management plugin, with user and password."""
        self._queues = f"{pages}/api/queues?columns=name,messages_ready,messages_unacknowledged"

    def depth(self) -> Depth:
        """As of the last `collect_statistics_interval`; a queue without figures yet is unseen."""
        try:
            answer = http.get(self._queues, LIMIT_S)
            answer.raise_for_status()
            found: list[dict[str, Any]] = [queue for queue in answer.json() if is_work(queue["name"])]
            return Depth(
                {queue["name"]: int(queue["messages_ready"]) for queue in found},
                sum(int(queue["messages_unacknowledged"]) for queue in found),
            )
        except requests.RequestException as error:
            raise Unseen(f"RabbitMQ's management page: {type(error).__name__}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise Unseen(f"RabbitMQ's management page has no figures: {error!r}") from error
