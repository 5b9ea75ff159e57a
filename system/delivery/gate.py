"""The lease as the mailer sees it: renewed while nothing irrevocable has begun, checked before the dot.

Made by deliver.py for one attempt. Measures on the monotonic clock from before each request, so that it
always believes in less time than the ledger does. Never writes an outcome.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import redis

from system.delivery.parts import Parts

log = logging.getLogger(__name__)


class LeaseGate:
    """The right to send one job under one token.

    `taken_at` is the monotonic time (s) before the lease was asked for.
    """

    def __init__(self, parts: Parts, job_id: str, fence: int, taken_at: float) -> None:
        self._parts = parts
        self._job_id = job_id
        self._fence = fence
        self._lease_s = parts.settings.lease_s
        self._since = taken_at

    def still_mine(self) -> bool:
        """Renews a lease that is a third used up; False when it is lost or nobody can say."""
        used = time.monotonic() - self._since
        if used < self._lease_s / 3:
            return True
        now = time.monotonic()
        if not self._tell("renew", lambda: self._parts.ledger.renew(self._job_id, self._fence)):
            return False
        self._since = now
        return True

    def begin(self) -> bool:
        """Announces the body; the lease starts anew with it."""
        now = time.monotonic()
        ledger, worker = self._parts.ledger, self._parts.worker
        if not self._tell("mark", lambda: ledger.mark_sending(self._job_id, self._fence, worker)):
            return False
        self._since = now
        return True

    def in_time(self) -> bool:
        """Whether the lease has more than a margin left, by this process's own clock."""
        margin = min(1.0, self._lease_s / 8)
        return time.monotonic() - self._since < self._lease_s - margin

    def _tell(self, what: str, write: Callable[[], bool]) -> bool:
        try:
            return write()
        except redis.RedisError as error:
            log.warning("job %s: %s not answered by the ledger: %s", self._job_id, what, error)
            return False


class OpenGate:
    """No right is needed: the gate of the policies without a ledger. Only writes `sending` down."""

    def __init__(self, parts: Parts, job_id: str) -> None:
        self._parts = parts
        self._job_id = job_id

    def still_mine(self) -> bool:
        """Always."""
        return True

    def begin(self) -> bool:
        """Always; the trail is told if it can be."""
        try:
            self._parts.ledger.unguarded(self._job_id, "sending", self._parts.worker)
        except redis.RedisError as error:
            log.warning("job %s: sending not written down: %s", self._job_id, error)
        return True

    def in_time(self) -> bool:
        """Always."""
        return True
