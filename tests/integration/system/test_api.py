"""The jobs API over a real Redis: what it accepts, refuses, and says when the ledger is away."""

import json
import os
import signal
import time

import pytest

from system.api.app import create_app
from system.delivery.ledger import PREFIX, Ledger

GOOD = {"kind": "email", "to": "a@example.org", "subject": "s", "body": "b"}


@pytest.fixture
def serve(settings):
    """Test clients of apps with these settings, whose connections are closed at the end."""
    apps = []

    def make(**changes):
        apps.append(create_app(settings(**changes)))
        return apps[-1].test_client()

    yield make
    for app in apps:
        app.extensions["mail"].close()


@pytest.fixture
def api(serve):
    return serve()


@pytest.fixture
def away(own_redis, serve):
    """An API whose Redis was killed after it had connected."""
    client = serve(ledger_url=own_redis.url, broker_url=own_redis.url, redis_timeout_s=0.5)
    assert post(client).status_code == 202
    own_redis.kill()
    return client


def post(client, data=None, key=None, **changes):
    headers = {"Idempotency-Key": key} if key is not None else {}
    return client.post("/jobs", json=data if data is not None else {**GOOD, **changes}, headers=headers)


def problem(response, status, name):
    assert response.status_code == status
    assert response.content_type == "application/problem+json"
    assert response.json["type"].endswith("/" + name)
    assert response.json["status"] == status
    assert response.json["title"]
    assert response.json["detail"]
    return response.json


def test_accept_and_show(api):
    answer = post(api, key="run-000001")
    assert answer.status_code == 202
    assert answer.json["state"] == "PENDING"
    assert answer.headers["Location"] == answer.json["status_url"] == f"/jobs/{answer.json['id']}"
    job = api.get(answer.json["status_url"]).json
    assert job.keys() == {
        "id", "kind", "key", "state", "detail", "attempts", "created_at", "updated_at", "payload", "result",
        "error", "notify", "notify_job", "trail",
    }  # fmt: skip
    assert (job["key"], job["state"], job["attempts"], job["error"]) == ("run-000001", "PENDING", 0, None)
    [entry] = job["trail"]
    assert entry.keys() == {"at_ms", "event", "fence", "worker", "detail"}
    assert entry["event"] == "accepted"
    assert abs(entry["at_ms"] / 1000 - time.time()) < 60


def test_a_hint_is_published_for_a_new_job_only(api):
    post(api, key="k")
    post(api, key="k")
    assert api.application.extensions["mail"].broker.depth().queues["email"] == 1


def test_replay_and_conflict(api):
    first = post(api, key="k")
    again = post(api, key="k")
    assert (again.status_code, again.json["id"]) == (202, first.json["id"])
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    problem(post(api, key="k", body="other"), 422, "idempotency-conflict")


def test_a_replay_tells_the_present_state(api, redis_server, settings):
    job = post(api, key="k").json["id"]
    ledger = Ledger(redis_server.client, settings())
    lease = ledger.lease(job, "o", "w", "h")
    assert post(api, key="k").json["state"] == "STARTED"
    ledger.retry(job, lease.fence, "451 later", "w")
    assert post(api, key="k").json["state"] == "RETRY"
    shown = api.get(f"/jobs/{job}").json
    assert (shown["state"], shown["error"]) == ("RETRY", "451 later")
    assert "451 later" in shown["detail"]


@pytest.mark.parametrize("key", ["", "a b", "x" * 129, 'a"b', "<a>"])
def test_a_wrong_key(api, key):
    assert problem(post(api, key=key), 422, "invalid")["errors"][0]["field"] == "Idempotency-Key"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'"\\', b"[" * 100_000])
def test_not_json(api, body):
    problem(api.post("/jobs", data=body, content_type="application/json"), 400, "invalid")


def test_not_called_json(api):
    problem(api.post("/jobs", data=json.dumps(GOOD), content_type="text/plain"), 400, "invalid")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"to": "a@b\r\nBcc: c@d"}, "to"),
        ({"subject": "a\nb"}, "subject"),
        ({"x": 1}, "x"),
        ({"kind": "fax"}, "kind"),
    ],
)
def test_wrong_fields(api, redis_server, change, field):
    errors = problem(post(api, **change), 422, "invalid")["errors"]
    assert [e["field"] for e in errors] == [field]
    assert redis_server.client.keys("*") == []


def test_half_a_surrogate_pair_is_a_wrong_field(api):
    body = json.dumps({**GOOD, "subject": "\ud800"})
    problem(api.post("/jobs", data=body, content_type="application/json"), 422, "invalid")
    body = json.dumps({**GOOD, "\ud800": "x"})
    problem(api.post("/jobs", data=body, content_type="application/json"), 422, "invalid")


def test_too_large(api):
    problem(post(api, body="x" * 300_000), 413, "too-large")


def test_a_large_mail_within_the_limit(api):
    assert post(api, body="x" * 250_000).status_code == 202


def test_unknown_addresses_and_methods(api):
    problem(api.get("/jobs/" + "f" * 32), 404, "unknown-job")
    problem(api.get("/jobs/x*y"), 404, "unknown-job")
    problem(api.get("/nowhere"), 404, "not-found")
    refused = api.delete("/jobs")
    problem(refused, 405, "method-not-allowed")
    assert "POST" in refused.headers["Allow"]


def test_a_bug_is_not_shown(api, monkeypatch, redis_server):
    job = post(api).json["id"]
    redis_server.client.hset(f"{PREFIX}job:{job}", "fence", "a secret that is no number")
    shown = problem(api.get(f"/jobs/{job}"), 500, "internal")
    assert "secret" not in json.dumps(shown)
    assert "Traceback" not in json.dumps(shown)


def test_nothing_is_accepted_when_the_ledger_refuses_connections(away):
    refused = post(away, key="k")
    problem(refused, 503, "not-accepted")
    assert int(refused.headers["Retry-After"]) >= 1


def test_nobody_can_say_when_the_ledger_is_away(away):
    problem(away.get("/jobs/" + "f" * 32), 503, "outcome-unknown")
    assert away.get("/health").status_code == 200
    ready = away.get("/ready")
    assert ready.status_code == 503
    assert ready.json["ready"] is False
    assert ready.json["checks"].keys() == {"ledger", "broker", "smtp_login", "relay", "backlog"}
    assert "ok" not in ready.json["checks"].values()
    figures = away.get("/metrics")
    assert figures.status_code == 200
    assert "mail_ledger_up 0.0" in figures.text
    assert "mail_jobs_due" not in figures.text
    assert "mail_broker_unacked" not in figures.text


def test_an_api_comes_back_with_its_ledger(away, own_redis):
    assert post(away, key="k").status_code == 503
    own_redis.start()
    assert post(away, key="k").status_code == 202


def test_a_silent_ledger_leaves_the_outcome_unknown(own_redis, serve):
    """Redis stopped between the connection and the answer: the record may or may not be written."""
    changes = {"ledger_url": own_redis.url, "broker_url": own_redis.url, "redis_timeout_s": 0.3}
    client = serve(**changes)
    assert post(client).status_code == 202
    pid = own_redis._process.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        unknown = post(client, key="k")
        took = time.monotonic() - began
        began = time.monotonic()
        assert client.get("/ready").status_code == 503
        assert time.monotonic() - began < 2
    finally:
        os.kill(pid, signal.SIGCONT)
    problem(unknown, 503, "outcome-unknown")
    assert took < 2
    settled = post(client, key="k")
    assert settled.status_code == 202
    assert own_redis.client.hget(PREFIX + "stats", "accepted") == "2"


def test_a_lost_broker_does_not_refuse_or_slow_jobs(serve, own_redis):
    client = serve(broker_url=own_redis.url)
    own_redis.kill()
    began = time.monotonic()
    assert [post(client).status_code for _ in range(20)] == [202] * 20
    assert time.monotonic() - began < 5
    assert client.get("/ready").json["checks"]["broker"] != "ok"


def test_ready_and_metrics(api, redis_server, settings):
    ledger = Ledger(redis_server.client, settings())
    assert api.get("/ready").json["checks"]["relay"] == "has never run"
    ledger.claim_due(1)
    ready = api.get("/ready")
    assert (ready.status_code, ready.json["ready"]) == (200, True)
    job = post(api).json["id"]
    lease = ledger.lease(job, "o", "w", "h")
    ledger.login_refused(job, lease.fence, "535 wrong password", "w")
    ready = api.get("/ready")
    assert ready.status_code == 503
    assert "535" in ready.json["checks"]["smtp_login"]
    text = api.get("/metrics").text
    for line in (
        "mail_jobs_accepted_total 1.0",
        'mail_jobs_terminal_total{state="sent"} 0.0',
        "mail_jobs_retried_total 1.0",
        "mail_jobs_in_doubt_total 0.0",
        'mail_doubts_resolved_total{outcome="absent"} 0.0',
        "mail_leases_total 1.0",
        "mail_republished_total 0.0",
        "mail_jobs_due 1.0",
        'mail_jobs{state="retry"} 1.0',
        "mail_login_breaker_open 1.0",
        "mail_ledger_up 1.0",
        'mail_broker_queue_length{queue="email"} 1.0',
    ):
        assert line in text.splitlines(), line
    assert "mail_relay_last_run_timestamp_seconds" in text
    assert 'mail_http_requests_total{method="POST",route="/jobs",status="202"}' in text
