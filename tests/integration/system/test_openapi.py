"""The OpenAPI document: whether it is valid, whole, and true for an API that runs."""

import os
import re
import subprocess
import urllib.request
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from tests.integration.system.conftest import free_port
from tests.integration.system.documented import Document
from tests.integration.system.served import served
from tests.integration.system.stack import API, BIN

ROOT = Path(__file__).parents[3]
KEY = "a-key-of-the-test"
LARGE = "x" * 300_000
BODIES = {
    "/jobs": {"kind": "email", "to": "a@example.org", "subject": "s", "body": "b"},
    "/jobs:batch": {"jobs": [{"kind": "greet", "name": "a"}, {"kind": "reverse", "text": "ab"}]},
    "/jobs/{job_id}:resolve": {"answer": "stored"},
    "/start-job": {"name": "a"},
    "/start-task": {"duration": 0},
    "/add": {"a": 1, "b": 2},
    "/": {"form_type": "sentiment", "text": "good"},
}
# Static files, and pages for people only.
UNDOCUMENTED = ("/ui/", "/favicon.ico")


@pytest.fixture
def serve(settings):
    with served(settings) as make:
        yield make


@pytest.fixture
def api(serve):
    return serve()


@pytest.fixture
def document(api):
    return Document(api.get("/openapi.json").json)


def operations(document):
    return [(method, path) for path, shown in document.paths.items() for method in shown]


def ask(api, method, path, **how):
    """A request with all that the operation needs, about a job that there is not."""
    if path in BODIES and method == "post" and "data" not in how:
        how.setdefault("json", BODIES[path])
    query = "?task_id=" + "f" * 32 if "redirect" in path else ""
    return api.open(path.replace("{job_id}", "f" * 32) + query, method=method.upper(), **how)


@pytest.mark.parametrize("key", ["", KEY])
def test_it_is_valid(serve, key):
    document = serve(api_key=key).get("/openapi.json", headers={"X-API-Key": key}).json
    validate(document)
    assert bool(document["security"]) == bool(key)


def test_every_address_is_in_it_and_no_other(api, document):
    rules = [
        (re.sub(r"<(\w+:)?\w+>", "{}", rule.rule), rule.methods - {"HEAD", "OPTIONS"})
        for rule in api.application.url_map.iter_rules()
        if not rule.rule.startswith(UNDOCUMENTED)
    ]
    served = {(method.lower(), path) for path, methods in rules for method in methods}
    told = {(method, re.sub(r"{\w+}", "{}", path)) for method, path in operations(document)}
    assert told == served


def test_all_is_well(api, document):
    for method, path in operations(document):
        document.check(method, path, ask(api, method, path))


def test_the_ledger_away(serve, document, own_redis):
    api = serve(ledger_url=own_redis.url, broker_url=own_redis.url, redis_timeout_s=0.2)
    own_redis.kill()
    for method, path in operations(document):
        answer = ask(api, method, path)
        document.check(method, path, answer)
        assert answer.status_code == (200 if path in {"/health", "/metrics", "/openapi.json"} else 503)


def test_the_key_missing(serve, document):
    api = serve(api_key=KEY)
    for method, path in operations(document):
        answer = ask(api, method, path)
        document.check(method, path, answer)
        assert (answer.status_code == 401) == (document.paths[path][method].get("security") != [])


@pytest.mark.parametrize(
    ("status", "how"),
    [
        (400, {"data": b"{", "content_type": "application/json"}),
        (403, {"headers": {"Sec-Fetch-Site": "cross-site"}}),
        (413, {"json": {"kind": LARGE}}),
        (422, {"json": {"kind": "fax"}}),
    ],
)
def test_each_refusal_of_a_body(serve, document, status, how):
    api = serve(max_batch_bytes=256 * 1024)
    for path in BODIES:
        answer = ask(api, "post", path, **how)
        assert answer.status_code == status
        document.check("post", path, answer)


@pytest.mark.parametrize(
    ("status", "how"),
    [
        (200, {}),
        (403, {"headers": {"Sec-Fetch-Site": "cross-site"}}),
        (413, {"data": {"form_type": "reverse", "text": LARGE}}),
        (422, {"data": {"form_type": "fax"}}),
        (429, {}),
    ],
)
def test_each_answer_to_a_form(serve, document, status, how):
    api = serve(rate_limit="1/hour")
    how = {"data": BODIES["/"], **how}
    for _ in range(2 if status == 429 else 1):
        answer = api.post("/", **how)
    assert (answer.status_code, answer.mimetype) == (status, "text/html")
    document.check("post", "/", answer)


@pytest.mark.parametrize("limit", [{"rate_limit": "1/hour"}, {"max_backlog": 1}])
def test_each_429(serve, document, limit):
    api = serve(**limit)
    assert ask(api, "post", "/add").status_code == 202
    for path in BODIES.keys() - {"/jobs/{job_id}:resolve"}:
        answer = ask(api, "post", path)
        assert (answer.status_code, int(answer.headers["Retry-After"]) >= 1) == (429, True)
        document.check("post", path, answer)


CONFIG = f"""
hooks = "tests.integration.system.schemathesis_hooks"
continue-on-failure = true

[generation]
deterministic = true
max-examples = 15

[auth.openapi]
bearer = {{ bearer = "{KEY}" }}
header = {{ api_key = "{KEY}" }}
basic = {{ username = "any", password = "{KEY}" }}

[checks]
# DELETE cancels a job, whose record stays and says so.
use_after_free.enabled = false
# The hooks have it, with one exception.
positive_data_acceptance.enabled = false

[[operations]]
include-path = "/ready"
checks.not_a_server_error.expected-statuses = ["2xx", "4xx", "503"]

[[operations]]
# /jobs/<id> fits this address too, and so the framework names its methods as well.
include-path = "/jobs/{{job_id}}:resolve"
checks.allow_header_conformance.enabled = false
"""


@pytest.fixture
def running(redis_server, tmp_path, until):
    """An API of its own process, which asks for a key."""
    redis_server.client.flushall()
    port = free_port()
    env = {**os.environ, "LEDGER_URL": redis_server.url, "BROKER_URL": redis_server.url[:-1] + "1"}
    # Patient, so that a busy machine is no 503.
    env |= {"API_KEY": KEY, "REDIS_TIMEOUT_S": "20", "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics")}
    command = f"{BIN}/{API} --bind 127.0.0.1:{port} system.api.app:create_app()".split()
    with (tmp_path / "api.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=log, stderr=log)
    request = urllib.request.Request(f"http://127.0.0.1:{port}/openapi.json", headers={"X-API-Key": KEY})

    def answers():
        assert process.poll() is None, (tmp_path / "api.log").read_text()
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return (tmp_path / "openapi.json").write_bytes(answer.read())
        except OSError:
            return False

    try:
        until(answers, 20, "the API")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(15)


def test_schemathesis_finds_nothing(running, tmp_path):
    (tmp_path / "config.toml").write_text(CONFIG)
    command = [BIN / "schemathesis", "--config-file", "config.toml", "run", "openapi.json"]
    command += ["--url", running, "--no-color"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    words = run.stdout + run.stderr + (tmp_path / "api.log").read_text()[-4000:]
    assert run.returncode == 0, words
    assert "Traceback" not in (tmp_path / "api.log").read_text()
