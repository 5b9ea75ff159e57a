"""The Celery tasks: carry out one job, and try a refused login again.

Run in pool processes. Under the ledger a task catches everything and returns, because a retry of Celery's is
lost when the broker is away; the due set brings the job back. Never takes more than an id from a message.
"""

from __future__ import annotations

import logging
from typing import Any

import redis
from celery import Task, shared_task
from celery.exceptions import MaxRetriesExceededError

from system import logs
from system.delivery import meters
from system.delivery.deliver import deliver
from system.delivery.hints import DELIVER, PROBE_LOGIN
from system.delivery.parts import Parts
from system.delivery.policies import TryLater, deliver_unguarded, gave_up
from system.worker.lifecycle import parts

log = logging.getLogger(__name__)

# A task id comes out of a message, and goes into a header.
HINT_MAX = 200


def hint_of(task: Task) -> str:
    """What led to this attempt, as it stands in X-Hint."""
    request: Any = task.request
    redelivered = (request.delivery_info or {}).get("redelivered")
    name = "".join(c for c in str(request.id or "") if "!" <= c <= "~")[:HINT_MAX]
    return f"{name or 'direct'}{' redelivered' if redelivered else ''}"


@shared_task(name=DELIVER, bind=True, max_retries=5)  # type: ignore[untyped-decorator]
def deliver_job(self: Task, job_id: str) -> None:
    """Carries out what the job needs now."""
    tools = parts()
    meters.tasks_active.inc()
    try:
        with logs.about(job_id):
            if tools.settings.guarded:
                _guarded(tools, job_id, hint_of(self))
            else:
                _unguarded(self, tools, job_id)
    finally:
        meters.tasks_active.dec()


def _guarded(tools: Parts, job_id: str, hint: str) -> None:
    try:
        word = deliver(tools, job_id, hint)
        log.debug("job %s: %s", job_id, word)
    except redis.RedisError as error:
        log.warning("job %s: the ledger cannot be asked, left to the relay: %s", job_id, error)
    except Exception:
        tools.mailer.drop()
        log.exception("job %s: unexpected, left to the relay", job_id)


def _unguarded(task: Task, tools: Parts, job_id: str) -> None:
    try:
        deliver_unguarded(tools, job_id, hint_of(task))
    except (TryLater, redis.RedisError) as error:
        try:
            raise task.retry(exc=error, countdown=1)
        except (TryLater, redis.RedisError, MaxRetriesExceededError):
            log.error("job %s: no retries left: %s", job_id, error)
            gave_up(tools, job_id, str(error))


@shared_task(name=PROBE_LOGIN)  # type: ignore[untyped-decorator]
def probe_login() -> None:
    """Tries the refused login once and tells the breaker; does nothing when it is closed by now."""
    tools = parts()
    try:
        if not tools.ledger.login_is_refused():
            return
        outcome = tools.mailer.probe()
        state = tools.ledger.probed(outcome.kind == "sent", outcome.words)
        log.info("login probe: %s, breaker %s", outcome.words, state)
    except redis.RedisError as error:
        log.warning("login probe: the ledger cannot be asked or told: %s", error)
