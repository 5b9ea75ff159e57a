"""Publishes hints to the broker: "look at this job". Best effort, bounded, never a promise.

Used by the API after an acceptance and by the relay. A broker that has just failed is left alone for a
second, and then tried by one thread at a time, so that a silent one does not make every request slow.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

log = logging.getLogger(__name__)

DELIVER = "mail.deliver"
PROBE_LOGIN = "mail.probe_login"
LEAVE_ALONE_S = 1.0

# On Redis 0 comes first. What the relay brings back is older than all that waits: behind a backlog of fresh
# jobs, a mail whose worker was killed would come a whole backlog after its lease.
FRESH, OVERDUE = 6, 0


class Hints:
    """Publishes through one Celery app; safe to use from many threads."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._trial = threading.Lock()
        self._ok_after = 0.0
        self._suspect = False

    def offer(self, job_id: str) -> bool:
        """Publishes unless the broker is being left alone; False: the relay will do it."""
        if not self._suspect:
            return self._publish(job_id)
        if time.monotonic() < self._ok_after or not self._trial.acquire(blocking=False):
            return False
        try:
            return self._publish(job_id)
        finally:
            self._trial.release()

    def _publish(self, job_id: str) -> bool:
        try:
            self.publish(DELIVER, job_id, priority=FRESH)
        except Exception as error:
            self._ok_after = time.monotonic() + LEAVE_ALONE_S
            self._suspect = True
            log.warning("job %s: hint not published: %s", job_id, error)
            return False
        self._suspect = False
        return True

    def close(self) -> None:
        """Closes the app's connections to the broker."""
        self._app.close()

    def publish(self, task: str, *args: str, priority: int = OVERDUE, expires: float | None = None) -> None:
        """Publishes one task now, without a retry; `expires` is its life in seconds.

        Raises:
            Exception: whatever the transport raises; the message may or may not be queued.

        """
        self._app.send_task(
            task, args=list(args), priority=priority, expires=expires, retry=False, ignore_result=True
        )
