"""The real processes together: killed and paused at every named point, each mail still arrives once."""

import json

import pytest

from system.failpoints import NAMES
from tests.integration.system.sink import Sink
from tests.integration.system.stack import Stack, assert_once_each, drained, fired


@pytest.fixture
def stack(own_redis, tmp_path):
    made = []

    def make(**env):
        sink = Sink(data_limit_s=1)
        made.append((Stack(tmp_path, own_redis.url, sink, **env), sink))
        return made[-1]

    yield make
    for system, sink in made:
        system.stop()
        sink.stop()


def submit(system, until, number):
    """Sends until every job has its 202, the way a client with keys does."""
    ids = {}

    def accepted(key):
        system.keep_up()
        status, text = system.call(
            "/jobs", {"kind": "email", "to": "a@b.c", "subject": key, "body": "."}, key
        )
        if status == 202:
            ids[key] = json.loads(text)["id"]
        return status == 202

    for n in range(number):
        until(lambda key=f"job-{n}": accepted(key), 30, f"job-{n}")
    return ids


def test_killed_once_at_every_point(stack, until):
    system, sink = stack(FAILPOINTS=",".join(f"{name}=crash" for name in NAMES))
    ids = submit(system, until, 60)
    until(lambda: drained(system), 60, "an empty due set")
    assert_once_each(system, sink, ids)
    assert fired(system) == set(NAMES)


def test_paused_past_the_lease_at_every_point(stack, until):
    points = {name for name in NAMES if name.startswith(("worker.", "mail.", "doubt."))}
    system, sink = stack(FAILPOINTS=",".join(f"{name}=pause:4" for name in points))
    ids = submit(system, until, 40)
    until(lambda: drained(system), 60, "an empty due set")
    until(lambda: {"worker.after_record"} <= fired(system), 30, "the last point")
    assert_once_each(system, sink, ids)
    assert {name for name in points if name.startswith(("worker.", "mail."))} <= fired(system)


def test_metrics_survive_a_restart_on_the_same_port(stack, until):
    system, sink = stack()
    ids = submit(system, until, 5)
    until(lambda: drained(system), 30, "an empty due set")
    sent = 'mail_smtp_attempts_total{outcome="sent"} 5.0'
    port = system.metrics["worker"]
    until(lambda: sent in system.call("/metrics", port=port)[1], 10, "the count")
    system.processes["worker"].kill()
    system.processes["worker"].wait()
    system.keep_up()
    until(lambda: sent in system.call("/metrics", port=port)[1], 20, "the count after a restart")
    assert "mail_tasks_active 0.0" in system.call("/metrics", port=port)[1]
    assert_once_each(system, sink, ids)
    message = sink.mails[0]
    assert message["Message-ID"] == f"<{ids[message['X-Job-Key']]}@mailstorm.test>"
    assert message["X-Attempt"] == "1"
    assert system.call("/health", port=system.metrics["relay"]) == (200, "ok\n")
    assert "mail_relay_ticks_total" in system.call("/metrics", port=system.metrics["relay"])[1]
    assert system.call("/ready")[0] == 200


@pytest.mark.parametrize("name", ["api", "worker", "relay"])
def test_a_wrong_setting_ends_each_process_with_words(stack, name):
    system, _ = stack(LEASE_S="soon")
    assert system.processes[name].wait(30) != 0
    assert "LEASE_S='soon' is not allowed" in (system.folder / f"{name}.log").read_text()


def test_a_lease_within_the_receivers_limit_ends_the_worker(stack):
    system, sink = stack(LEASE_S="1.6", SMTP_DATA_LIMIT_S="0.5")
    system.processes["worker"].kill()
    system.processes["worker"].wait()
    sink.data_limit_s = 1.6
    system.start("worker")
    assert system.processes["worker"].wait(30) != 0
    assert "must be below LEASE_S (1.6 s)" in (system.folder / "worker.log").read_text()
