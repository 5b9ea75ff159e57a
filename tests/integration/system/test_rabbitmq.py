"""Hints over both brokers, and a whole stack over RabbitMQ, whose connections are cut while it works."""

import json
import time
from contextlib import ExitStack

import amqp
import pytest

from system.delivery.broker import Broker, BrokerError, Rabbit
from system.delivery.hints import DELIVER, HIGH, LOW, NORMAL, OVERDUE, PROBE_LOGIN, URGENT, Hints
from system.worker.app import make_app
from tests.integration.system.proxies import Proxy, Toxiproxy
from tests.integration.system.sink import Sink
from tests.integration.system.stack import Stack, assert_once_each, drained

# One wait for a confirm, and what a busy machine adds.
CONFIRM_S, BOUND_S = 1, 2.5


@pytest.fixture
def rabbit(rabbit_server):
    return rabbit_server.emptied()


@pytest.fixture(params=["redis", "classic", "quorum"])
def on(request, settings):
    """Settings for each kind of broker."""
    if request.param == "redis":
        return settings()
    url = request.getfixturevalue("rabbit").url
    return settings(broker_url=url, broker_queue_type=request.param)


@pytest.fixture
def hints(on):
    made = Hints(on, 2)
    yield made
    made.close()


@pytest.fixture
def broker(on):
    made = Broker(on, 2)
    yield made
    made.close()


@pytest.fixture
def consume(on, until):
    """Takes `number` messages out of a lane, the way Celery's consumer does."""
    app = make_app(on, 2)

    def take(lane, number):
        got = []
        with app.connection_for_read() as connection:
            queue = app.amqp.queues[lane](connection.default_channel)
            until(lambda: got.append(queue.get(no_ack=True)) or len([m for m in got if m]) == number, 5, lane)
        return [message for message in got if message]

    return take


@pytest.fixture
def proxied(rabbit_server, until):
    """RabbitMQ behind a proxy, and its URL there."""
    with ExitStack() as ends:
        toxiproxy = Toxiproxy()
        ends.callback(toxiproxy.stop)
        until(toxiproxy.up, 10, "toxiproxy")
        proxy = Proxy(toxiproxy, "rabbitmq", rabbit_server)
        port = proxy.url.rpartition(":")[2].partition("/")[0]
        yield proxy, rabbit_server.url.replace(f":{rabbit_server.port}/", f":{port}/")


def test_a_hint_is_a_message_of_celery(on, hints, consume):
    hints.publish(DELIVER, "a", expires=60)
    app = make_app(on, 2)
    app.send_task(DELIVER, args=["a"], queue="email", expires=60, retry=False, ignore_result=True)
    ours, theirs = consume("email", 2)
    assert set(ours.headers) == set(theirs.headers)
    changing = {"id", "root_id", "expires"}
    assert {k: v for k, v in ours.headers.items() if k not in changing} == {
        k: v for k, v in theirs.headers.items() if k not in changing
    }
    assert ours.decode() == theirs.decode()
    assert ours.headers["id"] == ours.properties["correlation_id"] != theirs.headers["id"]
    assert (ours.content_type, ours.content_encoding) == (theirs.content_type, theirs.content_encoding)
    assert ours.properties.keys() | {"expiration"} == theirs.properties.keys() | {"expiration"}
    assert ours.delivery_info["routing_key"] == theirs.delivery_info["routing_key"]


def test_the_most_urgent_comes_first(on, hints, consume):
    for priority in (LOW, NORMAL, HIGH):
        assert hints.offer(str(priority), priority=priority)
    hints.publish(DELIVER, "0", priority=URGENT)
    order = [message.decode()[0][0] for message in consume("email", 4)]
    # Quorum queues of this version know no priorities.
    assert order == (["9", "6", "3", "0"] if on.broker_queue_type == "quorum" else ["0", "3", "6", "9"])


def test_an_operator_sees_what_waits(on, hints, broker):
    jobs = [("a", "email", NORMAL), ("b", "email", LOW), ("c", "add", HIGH)]
    assert hints.offer_many(jobs) == 3
    hints.publish(PROBE_LOGIN, queue="maintenance", priority=OVERDUE)
    broker.ping()
    depth = broker.depth()
    assert depth.queues == {"email": 2, "default": 1, "maintenance": 1, "celery_see": 0}
    assert depth.unacked is None
    # An upper bound: a fresh hint of high priority has the number of a republished one.
    assert broker.overdue() == (4 if on.on_rabbitmq else 2)


def test_what_workers_hold_is_counted_where_no_ledger_would_replace_it(settings):
    broker = Broker(settings(delivery="claim-first"), 2)
    assert broker.depth().unacked == 0
    broker.close()


def test_a_batch_is_confirmed_as_a_whole(settings, rabbit):
    hints = Hints(settings(broker_url=rabbit.url), 2)
    assert hints.offer_many([(str(n), "email", NORMAL) for n in range(1000)]) == 1000
    with rabbit.connect() as connection:
        assert connection.channel().queue_declare("email", passive=True).message_count == 1000
    hints.close()


def test_a_queue_that_was_deleted_is_declared_again(settings, rabbit):
    hints = Hints(settings(broker_url=rabbit.url), 2)
    hints.publish(DELIVER, "a")
    with rabbit.connect() as connection:
        connection.channel().queue_delete("email")
    with pytest.raises(amqp.AMQPError, match="NO_ROUTE"):
        hints.publish(DELIVER, "b")
    hints.publish(DELIVER, "c")
    hints.close()


def test_an_idle_connection_that_ended_costs_no_hint(settings, rabbit, proxied, until):
    proxy, url = proxied
    hints = Hints(settings(broker_url=url), 2)
    assert hints.offer("a")
    proxy.sever("down")
    proxy.heal("down")
    assert hints.offer("b")
    hints.close()


def test_a_connection_that_ends_in_use_leaves_no_socket_open(settings, rabbit, proxied):
    proxy, url = proxied
    connection = Rabbit(settings(broker_url=url), 2)
    with pytest.raises(BrokerError), connection.channel() as channel:
        held = channel.connection.sock
        proxy.sever("down")
        channel.connection.drain_events(timeout=10)
    assert held.fileno() == -1
    proxy.heal("down")
    with connection.channel() as channel:
        assert channel.connection.sock is not held
    connection.close()


@pytest.mark.parametrize("how", ["down", "silent"])
def test_a_lost_broker_holds_nobody_up(settings, rabbit, proxied, until, how):
    proxy, url = proxied
    behind = settings(broker_url=url, broker_confirm_timeout_s=CONFIRM_S)
    hints, broker = Hints(behind, 1), Broker(behind, 0.5)
    assert hints.offer("a")
    broker.ping()
    proxy.sever(how)
    assert not timed(lambda: hints.offer("b"))
    assert not timed(lambda: hints.offer("c"), 0.1), "left alone"
    for _ in range(2):
        # First on the old connection, then while a new one is made.
        timed(lambda: fails(lambda: hints.publish(DELIVER, "d")))
        timed(lambda: fails(broker.ping))
    timed(hints.close)
    proxy.heal(how)
    until(lambda: hints.offer("e"), 5, "a hint")
    broker.ping()
    for part in (hints, broker):
        part.close()


def timed(call, bound_s=BOUND_S):
    began = time.monotonic()
    answer = call()
    assert time.monotonic() - began < bound_s
    return answer


def fails(call):
    with pytest.raises(BrokerError):
        call()


@pytest.fixture
def stack(redis_server, rabbit, proxied, tmp_path):
    redis_server.client.flushall()
    sink = Sink(data_limit_s=1.5)
    wait = {"BROKER_CONFIRM_TIMEOUT_S": str(CONFIRM_S)}
    made = Stack(tmp_path, redis_server.url, sink, pool=2, BROKER_URL=proxied[1], **wait)
    yield made, sink
    made.stop()
    sink.stop()


def test_mails_arrive_over_rabbitmq_and_again_after_it_was_cut_off(stack, proxied, until):
    (system, sink), (proxy, _) = stack, proxied
    ids, lost = {}, "Connection to broker lost"

    def accepted(key):
        status, text = system.call(
            "/jobs", {"kind": "email", "to": "a@b.c", "subject": key, "body": "."}, key
        )
        if status == 202:
            ids[key] = json.loads(text)["id"]
        return status == 202

    def times(words):
        return (system.folder / "worker.log").read_text().count(words)

    until(lambda: accepted("first"), 20, "an answer 202")
    until(lambda: len(sink.mails) == 1, 20, "a mail")
    for number, how in enumerate(("down", "silent"), start=1):
        proxy.sever(how)
        until(lambda number=number: times(lost) >= number, 12, f"a worker that notices {how}")
        assert timed(lambda how=how: accepted(f"during-{how}")), "a job is accepted without a broker"
        proxy.heal(how)
        assert accepted(f"after-{how}")
        until(lambda: len(sink.mails) == len(ids), 20, f"all mails after {how}")
    until(lambda: drained(system), 20, "an empty due set")
    assert_once_each(system, sink, ids)
