"""Celery's own AsyncResult reads how a job ended: from what the ledger's scripts store, compressed or not."""

import threading
import uuid

import pytest
from celery.backends.redis import RedisBackend
from celery.exceptions import TaskRevokedError

from system.delivery.states import Lease
from system.kinds.base import JobFailed
from system.worker import results
from system.worker.app import make_app
from tests.integration.system.world import accept


@pytest.fixture
def app(settings):
    made = make_app(settings())
    made.conf.update(results.app_options(settings()))
    yield made
    made.backend.result_consumer.stop()
    made.backend.client.close()
    made.close()


@pytest.fixture
def leased(ledger, redis_server, settings):
    """A job that a worker has in hand: its id and its fencing token."""

    def make():
        job_id = accept(redis_server.client, settings()).job_id
        lease = ledger.lease(job_id, uuid.uuid4().hex, "host:1", "hint")
        assert isinstance(lease, Lease)
        return job_id, lease.fence

    return make


def test_nothing_is_known_of_a_job_that_has_not_ended(app, leased):
    job_id, _ = leased()
    assert app.AsyncResult(job_id).state == "PENDING"


@pytest.mark.parametrize("value", [8, "Hello ü", None, {"a": [1, 2]}])
def test_a_success_with_its_result(app, ledger, leased, value):
    job_id, fence = leased()
    ledger.done(job_id, fence, value, "host:1")
    found = app.AsyncResult(job_id)
    assert (found.state, found.result, found.get(timeout=5)) == ("SUCCESS", value, value)
    assert found.date_done is not None


def test_a_failure_is_an_exception_with_the_jobs_error(app, ledger, leased):
    job_id, fence = leased()
    ledger.fail(job_id, fence, "Simulated task failure", "host:1")
    found = app.AsyncResult(job_id)
    assert found.state == "FAILURE"
    assert isinstance(found.result, JobFailed)
    with pytest.raises(JobFailed, match=r"^Simulated task failure$"):
        found.get(timeout=5)


def test_a_cancelled_job_is_revoked(app, ledger, redis_server, settings):
    job_id = accept(redis_server.client, settings()).job_id
    ledger.cancel(job_id)
    found = app.AsyncResult(job_id)
    assert found.state == "REVOKED"
    with pytest.raises(TaskRevokedError):
        found.get(timeout=5)


def test_who_waits_is_told(app, ledger, leased, redis_server, until):
    job_id, fence = leased()
    got = []
    waiting = threading.Thread(target=lambda: got.append(app.AsyncResult(job_id).get(timeout=20)))
    waiting.start()
    key = results.key(job_id)
    until(lambda: redis_server.client.pubsub_numsub(key)[0][1] == 1, what="a subscriber")
    ledger.done(job_id, fence, "now", "host:1")
    waiting.join(10)
    assert got == ["now"]


def test_large_results_are_compressed_and_read_by_any_celery(app, ledger, leased, redis_server, settings):
    text = "reversed " * 20_000
    job_id, fence = leased()
    ledger.done(job_id, fence, text, "host:1")
    assert redis_server.client.strlen(results.key(job_id)) < len(text) / 50
    assert app.AsyncResult(job_id).result == text
    plain = make_app(settings())
    stock = RedisBackend(app=plain, url=settings().ledger_url)
    assert stock.get_task_meta(job_id)["result"] == text
    stock.result_consumer.stop()
    stock.client.close()
    plain.close()


def test_a_small_result_is_plain_json(leased, ledger, redis_server):
    job_id, fence = leased()
    ledger.done(job_id, fence, 8, "host:1")
    assert '"result": 8' in redis_server.client.get(results.key(job_id))


def test_results_expire_and_may_be_switched_off(leased, ledger, redis_server, settings, app):
    job_id, fence = leased()
    ledger.done(job_id, fence, 8, "host:1")
    assert 0 < redis_server.client.ttl(results.key(job_id)) <= settings().result_ttl_s
    assert results.app_options(settings(result_ttl_s=0)) == {}


def test_a_ledger_behind_a_unix_socket(settings):
    there = settings(ledger_url="unix:///run/r.sock?db=3&password=x")
    app = make_app(there)
    app.conf.update(results.app_options(there))
    found = app.backend.connparams
    assert (found["path"], found["db"], found["password"]) == ("/run/r.sock", 3, "x")
    app.close()


def test_the_backends_own_writing_compresses_too(app):
    backend = app.backend
    assert backend.encode({"result": 8}) == '{"result": 8}'
    stored = backend.encode({"result": "x" * 10_000})
    assert len(stored) < 1000
    assert backend.decode(stored) == {"result": "x" * 10_000}
