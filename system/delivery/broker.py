"""The broker: its lanes, how to reach them on Redis and on RabbitMQ, and how they look to an operator.

Used by the worker's app, the hints, the relay, readiness and metrics. Knows the two layouts of Celery's
queues, and no other. Never publishes or consumes.
"""

from __future__ import annotations

import select
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import amqp
import redis
from kombu import Connection, Exchange, Queue

from system import clients
from system.settings import QueueType, Settings

EMAIL, DEFAULT, MAINTENANCE = "email", "default", "maintenance"
# Celery's own default queue: whatever names no lane lands here.
CELERY = "celery_see"
LANES = (EMAIL, DEFAULT, MAINTENANCE, CELERY)

LAST_PRIORITY = 9
_STEPS = (0, 3, 6, 9)
CONNECT_TIMEOUT_S = 2.0

BrokerError = (redis.RedisError, amqp.AMQPError, OSError)


def redis_list(lane: str, priority: int) -> str:
    """The Redis list in which kombu keeps this lane's messages of this priority; 0 is consumed first."""
    step = max(step for step in _STEPS if step <= priority)
    return f"{lane}\x06\x16{step}" if step else lane


def rabbit_priority(priority: int) -> int:
    """RabbitMQ's scale goes the other way: 9 is consumed first. Quorum queues of 3.10 know none."""
    return LAST_PRIORITY - priority


def queues(settings: Settings) -> list[Queue]:
    """The lanes as kombu declares them: each durable, with a direct exchange and routing key of its name."""
    arguments: dict[str, object] | None = None
    if settings.on_rabbitmq:
        quorum = settings.broker_queue_type is QueueType.QUORUM
        arguments = {"x-queue-type": "quorum"} if quorum else {"x-max-priority": LAST_PRIORITY}
    return [
        Queue(lane, Exchange(lane, "direct"), routing_key=lane, queue_arguments=arguments) for lane in LANES
    ]


def tls_options(settings: Settings) -> dict[str, object] | None:
    """What py-amqp needs to check the certificate of an `amqps://` server; without it, it checks nothing."""
    parts = urlsplit(settings.broker_url)
    if parts.scheme != "amqps":
        return None
    # Named here, because kombu takes `localhost` for 127.0.0.1, which its certificate need not name.
    return {
        "cert_reqs": ssl.CERT_REQUIRED,
        "ca_certs": settings.tls_ca_file or None,
        "server_hostname": parts.hostname,
    }


def transport_options(settings: Settings, timeout_s: float) -> dict[str, object]:
    """Celery's `broker_transport_options`; `timeout_s` bounds one step of talking to the broker."""
    if settings.on_rabbitmq:
        # Without confirms a publish into a dead connection succeeds. Celery awaits them in the main loop.
        wait_s = min(timeout_s, settings.broker_confirm_timeout_s)
        return {"confirm_publish": True, "read_timeout": wait_s, "write_timeout": wait_s}
    return {
        "ack_emulation": _acknowledged(settings),
        "visibility_timeout": settings.visibility_timeout_s,
        # kombu's default looks every 100 s, whatever the visibility time-out says.
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
        # A worker killed while it restores keeps the lock: by default nobody restores for five minutes.
        "unacked_mutex_expire": 10,
        "socket_timeout": timeout_s,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "socket_keepalive": True,
        "health_check_interval": 5,
    }


def _acknowledged(settings: Settings) -> bool:
    """Whether kombu keeps what workers hold in Redis, at the cost of four round trips a message.

    Under the ledger a message is only a hint, and the relay replaces a lost one. The other policies have
    nothing else.
    """
    return not settings.guarded


def redis_client(settings: Settings, timeout_s: float) -> redis.Redis:
    """A client that never repeats a command, because a repeated LPUSH is a second message."""
    return clients.connect(clients.secured(settings.broker_url, settings.tls_ca_file), timeout_s, retries=0)


class Rabbit:
    """One connection to RabbitMQ with the lanes declared, for one thread at a time.

    Connects when first used. Every step ends within `timeout_s`, and a connection on which anything went
    wrong is thrown away, because on a silent one even a polite goodbye waits.
    """

    def __init__(self, settings: Settings, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._queues = queues(settings)
        self._parameters = Connection(
            settings.broker_url,
            ssl=tls_options(settings) or False,
            connect_timeout=min(CONNECT_TIMEOUT_S, timeout_s),
        )
        self._connection: Any = None
        self._channel: Any = None
        self._sock: Any = None

    @contextmanager
    def channel(self) -> Iterator[Any]:
        """The open channel; connects if need be.

        Raises:
            BrokerError: the connection could not be made.

        """
        try:
            if self._connection and self._has_ended():
                self.drop()
            if self._connection is None:
                self._connect()
            yield self._channel
        except BaseException:
            self.drop()
            raise

    def _connect(self) -> None:
        self._connection = self._parameters.transport.establish_connection()
        self._sock = self._connection.sock
        self._sock.settimeout(self._timeout_s)
        self._channel = self._connection.channel()
        for queue in self._queues:
            queue(self._channel).declare()

    def _has_ended(self) -> bool:
        # Nobody is waited for between two uses, so all that can be there to read is the end (or an alarm).
        if not self._connection.connected:
            return True
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        return bool(poll.poll(0))

    def drop(self) -> None:
        """Ends the connection without a word."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection:
            with suppress(OSError):
                # TLS would say goodbye, and wait for the answer.
                self._sock.settimeout(0)
            # Also where it no longer counts as connected: it may still have its socket.
            connection.collect()

    def close(self) -> None:
        """Ends the connection politely, within `timeout_s`."""
        if self._connection and self._connection.connected:
            with suppress(*BrokerError):
                self._connection.close()
        self.drop()


@dataclass(frozen=True, slots=True)
class Depth:
    """Messages waiting in each lane, and those held by workers without acknowledgement.

    None: nobody counts them, as on RabbitMQ without its management, and on Redis under the ledger.
    """

    queues: dict[str, int]
    unacked: int | None


class _Look(Protocol):
    def ping(self) -> None: ...
    def overdue(self) -> int: ...
    def depth(self) -> Depth: ...
    def close(self) -> None: ...


class _OnRedis:
    def __init__(self, settings: Settings, timeout_s: float) -> None:
        self._redis = redis_client(settings, timeout_s)
        self._acknowledged = _acknowledged(settings)

    def ping(self) -> None:
        self._redis.ping()

    def overdue(self) -> int:
        return sum(self._lengths([redis_list(lane, step) for lane in LANES for step in (0, 3)])[0])

    def depth(self) -> Depth:
        lengths, unacked = self._lengths([redis_list(lane, step) for lane in LANES for step in _STEPS])
        each = {lane: sum(lengths[n * len(_STEPS) :][: len(_STEPS)]) for n, lane in enumerate(LANES)}
        return Depth(each, unacked if self._acknowledged else None)

    def _lengths(self, names: list[str]) -> tuple[list[int], int]:
        with self._redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.llen(name)
            pipe.hlen("unacked")
            *lengths, unacked = pipe.execute()
        return lengths, int(unacked)

    def close(self) -> None:
        self._redis.close()


class _OnRabbit:
    def __init__(self, settings: Settings, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._rabbit = Rabbit(settings, timeout_s)
        self._turn = threading.Lock()

    def ping(self) -> None:
        self._ready((CELERY,))

    def overdue(self) -> int:
        return sum(self._ready(LANES).values())

    def depth(self) -> Depth:
        return Depth(self._ready(LANES), None)

    def _ready(self, lanes: tuple[str, ...]) -> dict[str, int]:
        if not self._turn.acquire(timeout=self._timeout_s):
            raise TimeoutError("RabbitMQ is being asked by another thread, and does not answer")
        try:
            with self._rabbit.channel() as channel:
                return {lane: channel.queue_declare(lane, passive=True).message_count for lane in lanes}
        finally:
            self._turn.release()

    def close(self) -> None:
        with self._turn:
            self._rabbit.close()


class Broker:
    """Looks at one broker; `timeout_s` bounds each step. Every method but `close` may raise BrokerError."""

    def __init__(self, settings: Settings, timeout_s: float) -> None:
        kind = _OnRabbit if settings.on_rabbitmq else _OnRedis
        self._look: _Look = kind(settings, timeout_s)

    def close(self) -> None:
        """Closes what is kept open."""
        self._look.close()

    def ping(self) -> None:
        """Returns if the broker answers."""
        self._look.ping()

    def overdue(self) -> int:
        """At most so many republished hints wait: on RabbitMQ, which counts no priorities, all hints."""
        return self._look.overdue()

    def depth(self) -> Depth:
        """How much lies in the broker."""
        return self._look.depth()
