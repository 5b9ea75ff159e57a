"""What Celery beat starts: clean-up of the list of jobs, a digest of doubts, a look at the login breaker.

Run on the lane `maintenance` by any worker. Every task may run twice or not at all: nothing rests on them,
and two beats do no harm. Never settles a doubt by itself.
"""

from __future__ import annotations

import logging
import uuid
from typing import Any

import redis
from celery import shared_task

from system import clients
from system.delivery import listing
from system.delivery.accepting import Acceptance, BacklogFull, NotAccepted, OutcomeUnknown, Request
from system.delivery.hints import PROBE_LOGIN
from system.delivery.ledger import BACKOFF_CAP
from system.delivery.states import Job
from system.settings import Settings
from system.worker.lifecycle import parts

log = logging.getLogger(__name__)

CLEANUP = "mail.cleanup"
DIGEST = "mail.digest"
LANE = "maintenance"
# A digest names so many jobs, and counts the rest.
NAMED = 50
# A message that nobody took is dropped before the next of its kind comes.
LIVES = 0.9


def schedule(settings: Settings) -> dict[str, dict[str, Any]]:
    """Celery's `beat_schedule`. To probe a login is the relay's task; beat comes once in its longest wait."""
    periods_s = {
        CLEANUP: settings.cleanup_every_s,
        DIGEST: settings.digest_every_s,
        PROBE_LOGIN: BACKOFF_CAP * settings.login_probe_s,
    }
    return {
        task: {
            "task": task,
            "schedule": period_s,
            "options": {"queue": LANE, "expires": LIVES * period_s, "ignore_result": True},
        }
        for task, period_s in periods_s.items()
    }


def app_options(settings: Settings) -> dict[str, Any]:
    """What a Celery app needs to be run as beat; it writes its file each time, which shows that it lives."""
    return {"beat_schedule": schedule(settings), "beat_sync_every": 1}


@shared_task(name=CLEANUP)  # type: ignore[untyped-decorator]
def cleanup() -> None:
    """Drops jobs from the list whose records have expired."""
    try:
        dropped = parts().ledger.cleanup()
    except redis.RedisError as error:
        log.warning("clean-up: the ledger cannot be asked: %s", error)
        return
    log.info("clean-up: %d expired jobs dropped from the list", dropped)


@shared_task(name=DIGEST)  # type: ignore[untyped-decorator]
def digest() -> None:
    """Sums up the jobs in doubt in the log and, when there are any, in a mail to DIGEST_TO: one a period."""
    tools = parts()
    try:
        doubts = _doubts(tools.ledger.client)
        log.info("digest: %s", _sum(doubts))
        if doubts and tools.settings.digest_to:
            _mail(tools.settings, _period(tools.ledger.client, tools.settings), doubts)
    except redis.RedisError as error:
        log.warning("digest: the ledger cannot be asked: %s", error)


def _doubts(client: redis.Redis) -> list[Job]:
    found: list[Job] = []
    cursor = ""
    while True:
        page = listing.page(client, "in_doubt", limit=1000, cursor=cursor)
        found += page.jobs
        cursor = page.cursor
        if not cursor:
            return found


def _sum(doubts: list[Job]) -> str:
    held = sum(job.held for job in doubts)
    return f"{len(doubts)} jobs in doubt, {held} of them held for an operator"


def _period(client: redis.Redis, settings: Settings) -> int:
    seconds, _ = client.time()
    return int(seconds // settings.digest_every_s)


def _mail(settings: Settings, period: int, doubts: list[Job]) -> None:
    lines = [f"{_sum(doubts)}. Whether these mails were stored is not known:", ""]
    lines += [f"{job.job_id}  {job.payload.get('to', '')}" for job in doubts[:NAMED]]
    if len(doubts) > NAMED:
        lines.append(f"and {len(doubts) - NAMED} more")
    lines += ["", "Settle each with POST /jobs/<id>:resolve."]
    payload = {"to": settings.digest_to, "subject": _sum(doubts), "body": "\n".join(lines)}
    acceptance = Acceptance(clients.ledger(settings, retries=0), settings)
    try:
        accepted = acceptance.accept(uuid.uuid4().hex, f"digest-{period}", Request("email", payload))
    except (NotAccepted, OutcomeUnknown, BacklogFull) as error:
        log.warning("digest: not accepted as a mail: %s", error)
        return
    finally:
        acceptance.close()
    # Another digest of this period came first, with the same words or with others.
    if accepted.how == "new":
        log.info("digest: goes to %s as job %s", settings.digest_to, accepted.job_id)
