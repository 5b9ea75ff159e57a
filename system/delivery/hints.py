"""Publishes hints to the broker: "look at this job". Best effort, bounded, never a promise, never repeated.

Used by the API after an acceptance and by the relay. Writes Celery's messages without Celery, at a fraction
of the cost. Whoever publishes while another thread does is sent along with the next batch, and a broker that
has just failed is left alone for a second, then tried by one thread at a time.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
import uuid
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import amqp

from system.delivery.broker import (
    CELERY,
    DEFAULT,
    EMAIL,
    LANES,
    MAINTENANCE,
    Rabbit,
    rabbit_priority,
    redis_client,
    redis_list,
)
from system.kinds import KINDS
from system.settings import Settings

__all__ = ["CELERY", "DEFAULT", "EMAIL", "LANES", "MAINTENANCE", "Hints", "Message", "lane_of"]

log = logging.getLogger(__name__)

DELIVER = "mail.deliver"
PROBE_LOGIN = "mail.probe_login"
LEAVE_ALONE_S = 1.0

# 0 comes first. What the relay brings back is older than all that waits: behind a backlog of fresh jobs, a
# mail whose worker was killed would come a whole backlog after its lease, and behind other overdue jobs still
# seconds after it.
URGENT, OVERDUE, HIGH, NORMAL, LOW = 0, 3, 3, 6, 9

_EMBEDDED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
_HOST = socket.gethostname()


def lane_of(kind: str) -> str:
    """The lane for hints of jobs of this kind."""
    return KINDS[kind].lane if kind in KINDS else DEFAULT


@dataclass(frozen=True, slots=True)
class Message:
    """One task message of Celery's protocol 2, before it is put into a broker's clothes."""

    task: str
    args: tuple[str, ...]
    lane: str
    priority: int
    expires_s: float | None = None
    task_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def headers(self) -> dict[str, Any]:
        """What workers and Flower read before the body."""
        ends = self.expires_s and (datetime.now(UTC) + timedelta(seconds=self.expires_s)).isoformat()
        return {
            "lang": "py",
            "task": self.task,
            "id": self.task_id,
            "shadow": None,
            "eta": None,
            "expires": ends,
            "group": None,
            "group_index": None,
            "retries": 0,
            "timelimit": [None, None],
            "root_id": self.task_id,
            "parent_id": None,
            "argsrepr": repr(list(self.args)),
            "kwargsrepr": "{}",
            "origin": f"gen{os.getpid()}@{_HOST}",
            "ignore_result": True,
            "replaced_task_nesting": 0,
            "stamped_headers": None,
            "stamps": {},
        }

    def body(self) -> str:
        """The arguments."""
        return json.dumps((self.args, {}, _EMBEDDED))

    def for_redis(self) -> str:
        """The text that kombu's Redis transport keeps in a list."""
        properties = {
            "correlation_id": self.task_id,
            "reply_to": "",
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": self.lane},
            "priority": self.priority,
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
        }
        return json.dumps(
            {
                "body": b64encode(self.body().encode()).decode(),
                "content-encoding": "utf-8",
                "content-type": "application/json",
                "headers": self.headers(),
                "properties": properties,
            }
        )

    def for_rabbitmq(self) -> amqp.Message:
        """The same over AMQP, on its scale of priorities."""
        lives = {} if self.expires_s is None else {"expiration": str(int(self.expires_s * 1000))}
        return amqp.Message(
            self.body(),
            content_type="application/json",
            content_encoding="utf-8",
            application_headers=self.headers(),
            delivery_mode=2,
            priority=rabbit_priority(self.priority),
            correlation_id=self.task_id,
            reply_to="",
            **lives,
        )


class Line(Protocol):
    """A connection that puts messages into a broker, for one thread at a time."""

    def send(self, messages: Sequence[Message]) -> None:
        """Returns when the broker has all messages; after an error it may have some."""

    def close(self) -> None:
        """Ends the connection."""


class RedisLine:
    """Puts messages into kombu's lists; one command for all messages of one list."""

    def __init__(self, settings: Settings, timeout_s: float) -> None:
        self._client = redis_client(settings, timeout_s)

    def send(self, messages: Sequence[Message]) -> None:
        """Raises redis.RedisError."""
        lists: dict[str, list[str]] = {}
        for message in messages:
            name = redis_list(message.lane, message.priority)
            lists.setdefault(name, []).append(message.for_redis())
        for name, texts in lists.items():
            self._client.lpush(name, *texts)

    def close(self) -> None:
        """Ends the connection."""
        self._client.close()


class RabbitLine:
    """Publishes with confirms; a batch is on its way as a whole before its confirms are awaited."""

    def __init__(self, settings: Settings, timeout_s: float) -> None:
        self._rabbit = Rabbit(settings, timeout_s)
        self._confirm_s = settings.broker_confirm_timeout_s
        self._channel: Any = None
        self._sent = 0
        self._open: set[int] = set()

    def send(self, messages: Sequence[Message]) -> None:
        """Raises BrokerError; a message that no queue takes is an error too."""
        with self._rabbit.channel() as channel:
            if channel is not self._channel:
                self._begin(channel)
            for message in messages:
                self._sent += 1
                self._open.add(self._sent)
                channel.basic_publish(message.for_rabbitmq(), "", message.lane, mandatory=True)
            self._await_confirms(channel.connection)

    def _begin(self, channel: Any) -> None:
        channel.confirm_select()
        channel.events["basic_ack"].add(self._confirmed)
        channel.events["basic_nack"].add(_refused)
        self._channel, self._sent, self._open = channel, 0, set()

    def _confirmed(self, tag: int, multiple: bool) -> None:
        self._open -= {n for n in self._open if n <= tag} if multiple else {tag}

    def _await_confirms(self, connection: Any) -> None:
        # One deadline for all, because a heartbeat or a late confirm would start another wait.
        deadline = time.monotonic() + self._confirm_s
        while self._open:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"RabbitMQ has not confirmed within {self._confirm_s:g} s")
            connection.drain_events(timeout=left)

    def close(self) -> None:
        """Ends the connection."""
        self._rabbit.close()


def _refused(tag: int, multiple: bool) -> None:
    raise amqp.exceptions.MessageNacked("RabbitMQ has refused a message")


@dataclass(slots=True)
class _Post:
    messages: list[Message]
    woken: threading.Event = field(default_factory=threading.Event)
    done: bool = False
    error: Exception | None = None


class Hints:
    """Publishes to one broker, from many threads; `timeout_s` bounds one step. Connects when first used."""

    def __init__(self, settings: Settings, timeout_s: float) -> None:
        kind = RabbitLine if settings.on_rabbitmq else RedisLine
        self._line: Line = kind(settings, timeout_s)
        self._waiting: list[_Post] = []
        self._led = False
        self._mutex = threading.Lock()
        self._trial = threading.Lock()
        self._ok_after = 0.0
        self._suspect = False

    def offer(self, job_id: str, kind: str = "email", priority: int = NORMAL) -> bool:
        """Publishes unless the broker is being left alone; False: the relay will do it."""
        return self.offer_many([(job_id, kind, priority)]) == 1

    def offer_many(self, jobs: list[tuple[str, str, int]]) -> int:
        """Publishes a hint for each (job id, kind, priority), all or none; answers how many."""
        if not self._suspect:
            return self._offer(jobs)
        if time.monotonic() < self._ok_after or not self._trial.acquire(blocking=False):
            return 0
        try:
            return self._offer(jobs)
        finally:
            self._trial.release()

    def _offer(self, jobs: list[tuple[str, str, int]]) -> int:
        try:
            self._send([Message(DELIVER, (job,), lane_of(kind), priority) for job, kind, priority in jobs])
        except Exception as error:
            first, more = jobs[0][0], f" and {len(jobs) - 1} more" if len(jobs) > 1 else ""
            log.warning("job %s%s: hint not published: %s", first, more, str(error) or type(error).__name__)
            return 0
        return len(jobs)

    def publish(
        self,
        task: str,
        *args: str,
        queue: str = EMAIL,
        priority: int = OVERDUE,
        expires: float | None = None,
    ) -> None:
        """Publishes one task now; `expires` is its life in seconds.

        Raises:
            Exception: whatever the transport raises; the message may or may not be queued.

        """
        self._ok_after = 0.0
        self._send([Message(task, args, queue, priority, expires)])

    def close(self) -> None:
        """Closes the connection to the broker, once nobody publishes any more."""
        self._line.close()

    def _send(self, messages: list[Message]) -> None:
        post = _Post(messages)
        with self._mutex:
            self._waiting.append(post)
            leads, self._led = not self._led, True
        if not leads:
            post.woken.wait()
        if not post.done:
            self._lead()
        if post.error:
            raise post.error

    def _lead(self) -> None:
        """Sends all that waits, and leaves what came meanwhile to the first of those who came."""
        with self._mutex:
            posts, self._waiting = self._waiting, []
        error: Exception | None = ConnectionError("the thread that published was interrupted")
        try:
            self._send_now([message for post in posts for message in post.messages])
            error = None
        except Exception as problem:
            error = problem
        finally:
            for post in posts:
                post.error, post.done = error, True
            with self._mutex:
                self._led = bool(self._waiting)
                next_to_lead = self._waiting[:1]
            for post in next_to_lead + posts:
                post.woken.set()

    def _send_now(self, messages: list[Message]) -> None:
        # Whoever waited behind a failure would else wait as long once more.
        if time.monotonic() < self._ok_after:
            raise ConnectionError("the broker has just failed")
        try:
            self._line.send(messages)
        except Exception:
            self._suspect, self._ok_after = True, time.monotonic() + LEAVE_ALONE_S
            raise
        self._suspect = False
