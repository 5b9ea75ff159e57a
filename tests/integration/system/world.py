"""What ledger tests share: accepting a job, letting time pass without waiting, and what must always hold."""

import uuid
from collections import Counter

from system.delivery.accepting import Acceptance, Request
from system.delivery.ledger import PREFIX
from system.delivery.states import STATES, TERMINAL

REQUEST = Request("email", {"to": "a@example.org", "subject": "subject", "body": "body"})


def accept(client, settings, key="", request=REQUEST, job_id=None):
    job_id = job_id or uuid.uuid4().hex
    return Acceptance(client, settings).accept(job_id, key, request)


def now_ms(client):
    seconds, micros = client.time()
    return seconds * 1000 + micros // 1000


def let_pass(client, job_id):
    """Moves every time that this job waits for into the past, as if it had gone by."""
    past = now_ms(client) - 1
    key = f"{PREFIX}job:{job_id}"
    if not client.exists(key):
        return
    for field in ("until", "not_before", "ask_until"):
        if int(client.hget(key, field) or 0) > past:
            client.hset(key, field, past)
    for members in ("due", "first"):
        client.zadd(PREFIX + members, {job_id: past}, xx=True)


def claimed(ledger, **how):
    """The ids that a relay would publish now."""
    return [job.job_id for job in ledger.claim_due(10, **how).due]


def state(client, job_id):
    return client.hget(f"{PREFIX}job:{job_id}", "state")


def trail(ledger, job_id):
    return [entry["event"] for entry in ledger.read(job_id).trail]


def check(client, job_ids):
    """Not terminal <=> somebody will look at it; the census is what is there."""
    waiting = set(client.zrange(PREFIX + "due", 0, -1)) | set(client.zrange(PREFIX + "held", 0, -1))
    assert set(client.zrange(PREFIX + "first", 0, -1)) <= set(client.zrange(PREFIX + "due", 0, -1))
    states = {job_id: state(client, job_id) for job_id in job_ids}
    assert waiting == {job_id for job_id, word in states.items() if word not in TERMINAL}
    assert waiting == set(client.zrange(PREFIX + "open", 0, -1))
    census = {word: int(client.hget(PREFIX + "stats", f"now:{word}") or 0) for word in STATES}
    assert census == {word: Counter(states.values())[word] for word in STATES}
