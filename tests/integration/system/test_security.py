"""Who is let in, what browsers may do from elsewhere, which headers go out, and how often one may ask."""

import base64
import logging
import os
import signal
import time

import pytest

from tests.integration.system.served import is_problem, served

KEY = "correct horse battery staple"
JOB = {"kind": "add", "a": 1, "b": 2}
OPEN = ("/health", "/ready", "/metrics")


@pytest.fixture
def serve(settings):
    with served(settings) as make:
        yield make


@pytest.fixture
def api(serve):
    return serve()


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


# -- the key ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"X-API-Key": KEY},
        {"Authorization": basic("", KEY)},
        {"Authorization": basic("anybody", KEY)},
    ],
)
def test_the_key_opens(serve, headers):
    api = serve(api_key=KEY)
    assert api.post("/jobs", json=JOB, headers=headers).status_code == 202
    assert api.get("/jobs", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": ""},
        {"X-API-Key": KEY[:-1]},
        {"X-API-Key": "schlüssel"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer guessed"},
        {"Authorization": KEY},
        {"Authorization": f"Digest {KEY}"},
        {"Authorization": "Basic !"},
        {"Authorization": basic(KEY, "")},
        {"Authorization": "Bearer guessed", "X-API-Key": KEY},
    ],
)
def test_anything_else_does_not(serve, headers, caplog):
    caplog.set_level(logging.DEBUG)
    api = serve(api_key=KEY)
    refused = api.post("/jobs", json=JOB, headers=headers)
    is_problem(refused, 401, "unauthorized")
    schemes = [value.split()[0] for value in refused.headers.getlist("WWW-Authenticate")]
    assert schemes == ["Bearer", "Basic"]
    for secret in (KEY, *(value.split()[-1] for value in headers.values() if len(value) > len("Bearer"))):
        assert secret not in refused.text
        assert secret not in caplog.text


def test_only_health_readiness_and_figures_are_open(serve):
    api = serve(api_key=KEY)
    for rule in api.application.url_map.iter_rules():
        path = (
            rule.rule.replace("<job_id>", "f" * 32)
            .replace("<task_id>", "f" * 32)
            .replace("<path:filename>", "x")
        )
        for method in rule.methods - {"OPTIONS"}:
            status = api.open(path, method=method).status_code
            assert (status == 401) != (path in OPEN), f"{method} {path}: {status}"
    assert api.get("/nowhere").status_code == 401


def test_without_a_key_nobody_is_asked(api):
    assert api.get("/jobs").status_code == 200


# -- other sites --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
        {"Sec-Fetch-Site": "made-up"},
        {"Origin": "http://evil.test"},
        {"Origin": "http://localhost.evil.test"},
        {"Origin": "http://localhost:8080"},
        {"Origin": "null"},
        {"Origin": "http://[::1"},
    ],
)
def test_a_browser_may_not_be_sent_here_by_another_site(api, redis_server, headers):
    is_problem(api.post("/jobs", json=JOB, headers=headers), 403, "cross-site")
    is_problem(api.delete("/jobs/" + "f" * 32, headers=headers), 403, "cross-site")
    assert redis_server.client.keys("*") == []
    assert api.get("/jobs", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://behind.a.proxy.test"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://localhost"},
        {"Origin": "http://localhost:80"},
        {"Origin": "https://localhost"},
    ],
)
def test_own_pages_and_programs_may(api, headers):
    assert api.post("/jobs", json=JOB, headers=headers).status_code == 202


# -- headers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/jobs", "/health", "/nowhere", "/jobs/x", "/openapi.json"])
def test_every_answer_tells_browsers_to_be_careful(api, path):
    headers = api.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert {"default-src 'self'", "img-src 'self' data:", "frame-ancestors 'none'"} <= set(policy.split("; "))
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" not in headers


def test_files_may_be_kept(api):
    with api.get("/ui/static/theme.js") as answer:
        assert answer.headers["Cache-Control"] == "no-cache"


def test_only_a_secure_answer_asks_for_https(api):
    secure = api.get("/health", base_url="https://localhost")
    assert secure.headers["Strict-Transport-Security"].startswith("max-age=")


def test_a_proxy_is_believed_only_when_it_is_known(serve):
    forwarded = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": "192.0.2.7",
        "X-Forwarded-Host": "evil.test",
    }
    for hops in (0, 1):
        answer = serve(proxy_hops=hops).get("/health", headers=forwarded)
        assert ("Strict-Transport-Security" in answer.headers) == bool(hops)
    evil = {**forwarded, "Origin": "https://evil.test"}
    is_problem(serve(proxy_hops=1).post("/jobs", json=JOB, headers=evil), 403, "cross-site")


# -- rates --------------------------------------------------------------------------------------------------


CREATING = {
    "/jobs": JOB,
    "/jobs:batch": {"jobs": [JOB]},
    "/start-job": {"name": "a"},
    "/start-task": {"duration": 1},
    "/add": {"a": 1, "b": 2},
}


@pytest.mark.parametrize("path", CREATING)
def test_too_many_requests(serve, path):
    api = serve(rate_limit="3/hour")
    assert [api.post("/jobs", json=JOB).status_code for _ in range(3)] == [202] * 3
    refused = api.post(path, json=CREATING[path])
    is_problem(refused, 429, "rate-limited")
    assert 1 <= int(refused.headers["Retry-After"]) <= 3600
    assert api.get("/jobs").status_code == 200
    is_problem(api.delete("/jobs/" + "f" * 32), 404, "unknown-job")
    is_problem(api.post("/jobs/" + "f" * 32 + ":resolve", json={"answer": "stored"}), 404, "unknown-job")


def test_processes_count_together_and_addresses_apart(serve):
    one, other = (serve(rate_limit="1/hour", proxy_hops=1) for _ in range(2))
    here, there = ({"X-Forwarded-For": f"192.0.2.{n}"} for n in (1, 2))
    assert one.post("/jobs", json=JOB, headers=here).status_code == 202
    assert other.post("/jobs", json=JOB, headers=here).status_code == 429
    assert other.post("/jobs", json=JOB, headers=there).status_code == 202


def test_of_several_limits_the_broken_one_tells_the_wait(serve):
    api = serve(rate_limit="2/minute;100/hour")
    *_, refused = (api.post("/jobs", json=JOB) for _ in range(3))
    assert (refused.status_code, int(refused.headers["Retry-After"]) <= 60) == (429, True)


def test_without_a_limit_nothing_is_counted(api, redis_server):
    assert [api.post("/jobs", json=JOB).status_code for _ in range(20)] == [202] * 20
    assert redis_server.client.keys("LIMITS*") == []


def test_a_process_counts_alone_while_redis_is_away(serve, own_redis):
    api = serve(rate_limit="3/hour", ledger_url=own_redis.url)
    assert api.post("/jobs", json=JOB).status_code == 202
    own_redis.kill()
    statuses = [api.post("/jobs", json=JOB).status_code for _ in range(4)]
    assert statuses == [503, 503, 503, 429]


def test_a_silent_redis_does_not_hold_up_what_is_limited(serve, own_redis):
    api = serve(rate_limit="1000/hour", ledger_url=own_redis.url, redis_timeout_s=0.2)
    assert api.post("/jobs", json=JOB).status_code == 202
    os.kill(own_redis._process.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert api.post("/jobs", json=JOB).status_code == 503
        assert time.monotonic() - began < 2
    finally:
        os.kill(own_redis._process.pid, signal.SIGCONT)


def test_the_limit_comes_back_with_redis(serve, own_redis, until):
    api = serve(rate_limit="1000/hour", ledger_url=own_redis.url)
    assert api.post("/jobs", json=JOB).status_code == 202
    own_redis.kill()
    assert api.post("/jobs", json=JOB).status_code == 503
    own_redis.start()
    counters = own_redis.client.keys("LIMITS*")
    until(lambda: api.post("/jobs", json=JOB).status_code == 202, what="a job")
    before = own_redis.client.get(counters[0]) if counters else None

    def counted():
        assert api.post("/jobs", json=JOB).status_code == 202
        return own_redis.client.keys("LIMITS*") and own_redis.client.get(counters[0]) != before

    until(counted, 10, "a count in Redis")
