"""A real beat and a real worker: what falls due is done, on its own lane, and no digest is sent twice."""

import os
import subprocess
import uuid

import pytest

from system.delivery import listing
from system.delivery.hints import PROBE_LOGIN
from system.delivery.ledger import PREFIX
from system.delivery.states import Lease
from system.worker import periodic
from tests.integration.system.sink import Sink
from tests.integration.system.stack import BIN
from tests.integration.system.world import accept, claimed, let_pass

APP = f"{BIN}/celery --quiet -A system.worker.app"
TO = "operator@example.org"


@pytest.fixture
def processes(tmp_path, redis_server):
    """Starts a line of Celery's with the settings of this test; ends what still runs."""
    sink = Sink(data_limit_s=1)
    started = []
    env = {
        **{name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"},
        "LEDGER_URL": redis_server.url,
        "BROKER_URL": redis_server.url[:-1] + "1",
        "SMTP_PORT": str(sink.smtp_port),
        "CLEANUP_EVERY_S": "0.5",
        "DIGEST_EVERY_S": "1",
        "LOGIN_PROBE_S": "0.1",
        "DIGEST_TO": TO,
    }

    def start(name, line):
        with (tmp_path / f"{name}.log").open("wb") as log:
            started.append(
                subprocess.Popen(line.split(), cwd=tmp_path, env=env, stdout=log, stderr=subprocess.STDOUT)
            )

    yield start
    for process in started:
        process.terminate()
    for process in started:
        process.wait(20)
    sink.stop()


def in_doubt(ledger, client, settings, *, held):
    """A mail whose worker was lost after the dot."""
    job_id = accept(client, settings()).job_id
    lease = ledger.lease(job_id, uuid.uuid4().hex, "host:1", "hint")
    assert isinstance(lease, Lease)
    assert ledger.mark_sending(job_id, lease.fence, "host:1")
    let_pass(client, job_id)
    assert job_id in claimed(ledger)
    if held:
        owner = uuid.uuid4().hex
        assert ledger.ask(job_id, owner, 5)
        assert ledger.verdict(job_id, owner, "hold", "nobody can be asked", "host:1") == "in_doubt"
    return job_id


def test_beat_starts_what_falls_due(processes, ledger, redis_server, settings, until, tmp_path):
    client = redis_server.client
    client.zadd(PREFIX + "jobs", {"0" * 32: 1})
    in_doubt(ledger, client, settings, held=True)
    client.hset(PREFIX + "breaker", mapping={"open": "1", "reason": "535 no", "probe_at": "1", "times": "1"})
    processes("worker", f"{APP} worker --pool=solo --without-gossip --without-mingle -l INFO -Q maintenance")
    processes("beat", f"{APP} beat -l INFO --schedule {tmp_path}/beat")
    until(lambda: client.zscore(PREFIX + "jobs", "0" * 32) is None, 20, "the clean-up")
    until(lambda: not ledger.login_is_refused(), 20, "the login's breaker closed")
    until(lambda: len(digests(client)) > 1, 20, "two digests")
    keys = [key for key, _, _ in digests(client)]
    assert len(set(keys)) == len(keys)
    log = (tmp_path / "worker.log").read_text()
    assert "expired jobs dropped from the list" in log
    assert "login probe: " in log


def digest_now(monkeypatch, settings, ledger):
    """Runs the task in this process."""

    class Tools:
        pass

    tools = Tools()
    tools.settings, tools.ledger = settings, ledger
    monkeypatch.setattr(periodic, "parts", lambda: tools)
    periodic.digest()


def digests(client):
    jobs = [job for job in listing.page(client, kind="email").jobs if job.payload["to"] == TO]
    return [(job.fields["key"], job.payload["subject"], job.payload["body"]) for job in jobs]


def test_a_digest_is_mailed_once_a_period(monkeypatch, ledger, redis_server, settings):
    client = redis_server.client
    told = settings(digest_to=TO, digest_every_s=1000)
    digest_now(monkeypatch, told, ledger)
    assert digests(client) == []
    doubts = [in_doubt(ledger, client, settings, held=held) for held in (True, False)]
    digest_now(monkeypatch, told, ledger)
    in_doubt(ledger, client, settings, held=False)
    digest_now(monkeypatch, told, ledger)
    [(key, subject, body)] = digests(client)
    assert key == f"digest-{int(client.time()[0] // 1000)}"
    assert subject == "2 jobs in doubt, 1 of them held for an operator"
    assert all(job_id in body for job_id in doubts)
    digest_now(monkeypatch, settings(digest_to=TO, digest_every_s=999), ledger)
    assert {subject[:15] for _, subject, _ in digests(client)} == {"2 jobs in doubt", "3 jobs in doubt"}


def test_without_an_address_a_digest_is_only_logged(monkeypatch, ledger, redis_server, settings, caplog):
    in_doubt(ledger, redis_server.client, settings, held=True)
    with caplog.at_level("INFO"):
        digest_now(monkeypatch, settings(), ledger)
    assert "digest: 1 jobs in doubt, 1 of them held" in caplog.text
    assert digests(redis_server.client) == []


@pytest.mark.parametrize("task", [periodic.cleanup, periodic.digest])
def test_without_a_ledger_a_task_says_so_and_ends(monkeypatch, settings, own_redis, task, caplog):
    from system.delivery.ledger import Ledger

    class Tools:
        pass

    tools = Tools()
    tools.settings, tools.ledger = settings(), Ledger(own_redis.client, settings())
    monkeypatch.setattr(periodic, "parts", lambda: tools)
    own_redis.kill()
    task()
    assert "the ledger cannot be asked" in caplog.text
    own_redis.client.close()


def test_messages_go_to_their_lane_and_end_before_the_next(settings):
    entries = periodic.schedule(settings(cleanup_every_s=10, digest_every_s=20, login_probe_s=1))
    assert {name: entry["schedule"] for name, entry in entries.items()} == {
        periodic.CLEANUP: 10,
        periodic.DIGEST: 20,
        PROBE_LOGIN: 8,
    }
    for entry in entries.values():
        assert entry["options"]["queue"] == "maintenance"
        assert entry["options"]["expires"] < entry["schedule"]
