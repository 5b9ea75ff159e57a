"""The relay against a real ledger: what it publishes, and how it lives through losses."""

import threading

import pytest
import redis

from system.delivery.broker import Broker
from system.delivery.hints import DELIVER, PROBE_LOGIN
from system.delivery.ledger import PREFIX, Ledger
from system.delivery.relay import BACKLOG, Relay, make_relay
from tests.integration.system.world import accept, check, let_pass


class Recorder:
    """Stands for the broker's client; fails for the ids in `refuse`."""

    def __init__(self):
        self.published, self.refuse = [], set()

    def close(self):
        pass

    def publish(self, task, *args):
        if set(args) & self.refuse:
            raise ConnectionError("broker is gone")
        self.published.append((task, *args))


@pytest.fixture
def client(redis_server):
    return redis_server.client


@pytest.fixture
def hints():
    return Recorder()


@pytest.fixture
def relay(settings, ledger, hints):
    made = Relay(settings(), ledger, hints, Broker(settings().broker_url, 1))
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
    relay = Relay(settings(), ledger, hints, Broker(own_redis.url, 0.5))
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


def test_waits_for_a_backlog(relay, hints, client, settings):
    [job] = due_jobs(client, settings, 1)
    broker = redis.Redis.from_url(settings().broker_url)
    broker.lpush("celery", *["x"] * (BACKLOG + 1))
    relay.tick()
    assert hints.published == []
    broker.flushdb()
    broker.close()
    let_pass(client, job)
    relay.tick()
    assert hints.published == [(DELIVER, job)]


def test_publishes_one_probe_when_its_time_has_come(relay, hints, client, settings, ledger):
    [job] = due_jobs(client, settings, 1)
    ledger.login_refused(job, ledger.lease(job, "o", "w", "h").fence, "535", "w")
    let_pass(client, job)
    client.hset(PREFIX + "breaker", "probe_at", 1)
    relay.tick()
    relay.tick()
    assert hints.published == [(PROBE_LOGIN,)]


def test_releases_held_doubts_when_someone_can_be_asked(settings, ledger, hints, client, until):
    job = accept(client, settings()).job_id
    ledger.mark_sending(job, ledger.lease(job, "o", "w", "h").fence, "w")
    let_pass(client, job)
    ledger.claim_due(1)
    ledger.ask(job, "o", 1)
    ledger.verdict(job, "o", "hold", "", "w")
    asks = settings(receipts_url="http://127.0.0.1:9/receipts")
    relay = Relay(asks, Ledger(client, asks), hints, Broker(asks.broker_url, 1))
    thread = threading.Thread(target=relay.run)
    thread.start()
    until(lambda: hints.published == [(DELIVER, job)], 5, "the hint")
    relay.stop()
    thread.join(5)
    assert not thread.is_alive()
    assert relay.alive()
    relay.close()


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
