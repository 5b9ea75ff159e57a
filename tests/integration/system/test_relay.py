"""The relay against a real ledger: what it publishes, and how it lives through losses."""

import threading
import time

import pytest
import redis

from system.delivery.broker import Broker
from system.delivery.hints import DELIVER, OVERDUE, PROBE_LOGIN, URGENT
from system.delivery.ledger import PREFIX, Ledger
from system.delivery.relay import BACKLOG, BATCH, Relay, make_relay
from tests.integration.system.world import accept, check, let_pass


class Recorder:
    """Stands for the broker's client; fails for the ids in `refuse`."""

    def __init__(self):
        self.published, self.options, self.refuse = [], [], set()

    def close(self):
        pass

    def publish(self, task, *args, **kwargs):
        if set(args) & self.refuse:
            raise ConnectionError("broker is gone")
        self.published.append((task, *args))
        self.options.append(kwargs)


@pytest.fixture
def client(redis_server):
    return redis_server.client


@pytest.fixture
def hints():
    return Recorder()


@pytest.fixture
def relay(settings, ledger, hints):
    made = Relay(settings(), ledger, hints, Broker(settings(), 1))
    yield made
    made.close()


def due_jobs(client, settings, number):
    ids = [accept(client, settings()).job_id for _ in range(number)]
    for job in ids:
        let_pass(client, job)
    return ids


def test_publishes_what_is_due_once(relay, hints, client, settings):
    [job] = due_jobs(client, settings, 1)
    later = accept(client, settings()).job_id
    relay.tick()
    relay.tick()
    assert hints.published == [(DELIVER, job)]
    check(client, [job, later])


def test_what_could_not_be_published_is_given_back(relay, hints, client, settings):
    ids = due_jobs(client, settings, 3)
    hints.refuse = set(ids)
    with pytest.raises(ConnectionError):
        relay.tick()
    hints.refuse = set()
    for job in ids:
        assert client.hget(f"{PREFIX}job:{job}", "every") == "5000"
        let_pass(client, job)
    relay.tick()
    assert {job for _, job in hints.published} == set(ids)
    check(client, ids)


def test_claims_nothing_while_the_broker_is_away(settings, ledger, hints, client, own_redis):
    relay = Relay(settings(), ledger, hints, Broker(settings(broker_url=own_redis.url), 0.5))
    own_redis.kill()
    [job] = due_jobs(client, settings, 1)
    for _ in range(3):
        with pytest.raises(redis.RedisError):
            relay.tick()
    assert "every" in client.hgetall(f"{PREFIX}job:{job}")
    assert client.hget(PREFIX + "stats", "republished") is None
    assert client.get(PREFIX + "relay"), "the relay lives, and says so"
    own_redis.start()
    relay.tick()
    assert hints.published == [(DELIVER, job)]
    relay.close()


def test_waits_for_a_backlog(relay, hints, client, settings, ledger):
    fill = due_jobs(client, settings, BACKLOG + 1)
    broker = redis.Redis.from_url(settings().broker_url)
    broker.lpush("email", *["x"] * 2 * BATCH)
    relay.tick()
    assert len(hints.published) == BACKLOG + 1, "what the broker holds is none of ours"
    hints.published.clear()
    [job] = due_jobs(client, settings, 1)
    relay.tick()
    assert hints.published == []
    ledger.lease(job, "o", "w", "h")
    let_pass(client, job)
    relay.tick()
    assert hints.published == [(DELIVER, job)], "an ended lease does not wait"
    assert hints.options[-1]["priority"] == URGENT
    hints.published.clear()
    for taken in fill[:2]:
        ledger.lease(taken, "o", "w", "h")
    [job] = due_jobs(client, settings, 1)
    relay.tick()
    assert hints.published == [(DELIVER, job)], "a hint that was taken waits no more"
    assert hints.options[-1]["priority"] == OVERDUE
    broker.flushdb()
    broker.close()


def test_hints_that_the_broker_lost_hold_up_nothing(relay, hints, client, settings):
    due_jobs(client, settings, BACKLOG + 1)
    relay.tick()
    [job] = due_jobs(client, settings, 1)
    relay.tick()
    assert hints.published[-1] == (DELIVER, job), "the broker is empty"


def test_publishes_one_probe_when_its_time_has_come(relay, hints, client, settings, ledger):
    [job] = due_jobs(client, settings, 1)
    ledger.login_refused(job, ledger.lease(job, "o", "w", "h").fence, "535", "w")
    let_pass(client, job)
    client.hset(PREFIX + "breaker", "probe_at", 1)
    relay.tick()
    relay.tick()
    assert hints.published == [(PROBE_LOGIN,)]
    assert hints.options == [{"queue": "maintenance", "expires": 5}], (
        "a probe that nobody ran is superseded by the next"
    )


def test_releases_held_doubts_when_someone_can_be_asked(settings, ledger, hints, client, until):
    job = accept(client, settings()).job_id
    ledger.mark_sending(job, ledger.lease(job, "o", "w", "h").fence, "w")
    let_pass(client, job)
    ledger.claim_due(1)
    ledger.ask(job, "o", 1)
    ledger.verdict(job, "o", "hold", "", "w")
    asks = settings(receipts_url="http://127.0.0.1:9/receipts")
    relay = Relay(asks, Ledger(client, asks), hints, Broker(asks, 1))
    thread = threading.Thread(target=relay.run)
    thread.start()
    until(lambda: hints.published == [(DELIVER, job)], 5, "the hint")
    relay.stop()
    thread.join(5)
    assert not thread.is_alive()
    assert relay.alive()
    relay.close()


def test_a_backlog_of_fresh_jobs_is_not_amplified(settings, client):
    """Nobody consumes: what the relay adds stays within a bound, however often everything is due again."""
    quick = settings(republish_first_s=0.01, republish_max_s=0.02)
    due_jobs(client, settings, 2 * (BACKLOG + BATCH))
    relay = make_relay(quick)
    for _ in range(20):
        relay.tick()
        time.sleep(0.01)
    broker = redis.Redis.from_url(quick.broker_url)
    assert BACKLOG < broker.llen("email\x06\x163") <= BACKLOG + BATCH
    broker.close()
    relay.close()


def test_doubts_held_later_are_released_too(settings, hints, client, monkeypatch):
    asks = settings(doubt_policy="resend")
    own = Ledger(client, asks)
    relay = Relay(asks, own, hints, Broker(asks, 1))
    monkeypatch.setattr("system.delivery.relay.RELEASE_HELD_S", 0)
    relay._release_held()
    job = accept(client, asks).job_id
    own.mark_sending(job, own.lease(job, "o", "w", "h").fence, "w")
    let_pass(client, job)
    own.claim_due(1)
    own.ask(job, "o", 1)
    own.verdict(job, "o", "hold", "", "w")
    relay._release_held()
    assert client.zcard(PREFIX + "held") == 0
    check(client, [job])
    relay.close()


def test_stopping_takes_no_lock(relay):
    """A signal handler may interrupt the very lock that it would need."""
    assert relay.stop.__code__.co_names == ("_stopping",)


def test_outlives_its_ledger(own_redis, settings, until):
    relay = make_relay(settings(ledger_url=own_redis.url, broker_url=own_redis.url, redis_timeout_s=0.3))
    thread = threading.Thread(target=relay.run)
    thread.start()
    until(lambda: own_redis.client.get(PREFIX + "relay"), 5, "a first look")
    own_redis.kill()
    until(lambda: relay.errors._value.get() >= 2, 5, "two failed looks")
    own_redis.start()
    own_redis.client.delete(PREFIX + "relay")
    until(lambda: own_redis.client.get(PREFIX + "relay"), 5, "a look after the loss")
    relay.stop()
    thread.join(5)
    assert not thread.is_alive()
    relay.close()
