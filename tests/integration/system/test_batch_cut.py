"""A batch of 1,000 jobs is accepted whole or not at all, wherever Redis is cut or killed meanwhile."""

import threading
import time

import pytest
import redis

from system import clients
from system.delivery.accepting import Acceptance, NotAccepted, OutcomeUnknown, Request, Wanted
from system.delivery.ledger import PREFIX
from tests.integration.system.proxies import Proxy, Toxiproxy
from tests.integration.system.world import check

NUMBER = 1000
JOBS = [
    Wanted(f"{n:032x}", f"key-{n}", Request("email", {"to": "a@b.c", "subject": f"s{n}", "body": "b" * 100}))
    for n in range(NUMBER)
]


@pytest.fixture(scope="module")
def toxiproxy():
    server = Toxiproxy()
    while not server.up():
        time.sleep(0.02)
    yield server
    server.stop()


def accepted(client):
    """How many jobs there are, by every place that knows of one."""
    found = {
        int(client.hget(PREFIX + "stats", "accepted") or 0),
        int(client.hget(PREFIX + "stats", "now:queued") or 0),
        client.zcard(PREFIX + "due"),
        client.zcard(PREFIX + "jobs"),
        len(client.keys(PREFIX + "job:*")),
        len(client.keys(PREFIX + "idem:*")),
    }
    assert len(found) == 1, found
    return found.pop()


def submit(settings, url):
    acceptance = Acceptance(clients.connect(url, 1, retries=0), settings)
    try:
        return [one.how for one in acceptance.accept_all(JOBS)]
    except NotAccepted:
        return "none"
    except OutcomeUnknown:
        return "unknown"
    finally:
        acceptance.close()


@pytest.mark.parametrize(
    ("stream", "after_bytes"),
    [("upstream", n) for n in (0, 200, 10_000, 200_000, 300_000)]
    + [("downstream", n) for n in (0, 1, 5_000)],
)
def test_a_cut_connection_gives_all_or_none(toxiproxy, redis_server, settings, stream, after_bytes):
    made, client = settings(), redis_server.client
    proxy = Proxy(toxiproxy, f"batch-{stream}-{after_bytes}", redis_server)
    assert submit(made, proxy.url) == ["new"] * NUMBER, "the script is loaded, the way is open"
    client.flushdb()
    proxy.cut(stream, after_bytes)
    how = submit(made, proxy.url)
    assert how == "unknown"
    assert accepted(client) in (0, NUMBER)
    proxy.heal("cut")
    again = submit(made, proxy.url)
    assert again == ["new"] * NUMBER, "the same ids are the same jobs"
    assert accepted(client) == NUMBER
    check(client, [job.job_id for job in JOBS])


def test_a_killed_redis_has_all_or_none(own_redis, settings):
    made, seen = settings(ledger_url=own_redis.url), set()
    wait_s = 0.0
    # From before the request is there until after its answer.
    while NUMBER not in seen or wait_s < 0.05:
        thread = threading.Thread(target=submit, args=(made, own_redis.url))
        thread.start()
        threading.Event().wait(wait_s)
        own_redis.kill()
        thread.join()
        own_redis.start()
        seen.add(accepted(own_redis.client))
        own_redis.client.flushdb()
        wait_s = 1.3 * wait_s + 0.002
        assert wait_s < 5, "no batch was ever accepted"
    assert seen == {0, NUMBER}


def test_a_request_that_never_left_is_surely_not_accepted(own_redis, settings):
    own_redis.kill()
    assert submit(settings(), own_redis.url) == "none"
    own_redis.start()
    assert accepted(own_redis.client) == 0
    with pytest.raises(redis.RedisError):
        clients.connect("redis://127.0.0.1:1/0", 1).ping()
