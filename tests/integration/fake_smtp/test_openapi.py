"""The OpenAPI document of the sink: whether it is valid, whole, and true for a sink that runs."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from fake_smtp.capture import Capture
from fake_smtp.context import Context
from fake_smtp.control import Control
from fake_smtp.faults import FAULTS
from fake_smtp.index import Index, IndexLost
from fake_smtp.openapi import document, page
from fake_smtp.options import parse
from tests.integration.fake_smtp.conftest import Sink, mail
from tests.integration.fake_smtp.test_inbox import deliver, with_parts
from tests.integration.system.documented import Document

ROOT = Path(__file__).parents[3]
# For people and their browsers only.
PAGES = ("/", "/page/{file}")


@pytest.fixture
def app(tmp_path: Path) -> Any:
    context = Context(parse(["--out", str(tmp_path)]), Capture(tmp_path, "run-1"), broken=lambda error: None)
    yield Control(context, 25, 1).app()
    context.capture.close()


def test_it_is_valid() -> None:
    validate(document())


def test_every_example_fits_its_schema() -> None:
    shown, checked = document(), 0
    waiting: list[Any] = [shown["paths"], shown["components"]]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict) and {"schema", "example"} <= one.keys():
            schema = {**one["schema"], "components": shown["components"]}
            Draft202012Validator(schema).validate(one["example"])
            checked += 1
        elif isinstance(one, dict | list):
            waiting += one.values() if isinstance(one, dict) else one
    assert checked > 20


def test_every_address_is_in_it_and_no_other(app: web.Application) -> None:
    served = {
        (route.method.lower(), unnamed(route.resource.canonical))
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD" and route.resource.canonical not in PAGES
    }
    told = {(method, unnamed(path)) for path, shown in document()["paths"].items() for method in shown}
    assert told == served


def unnamed(path: str) -> str:
    return re.sub(r"{\w+}", "{}", path)


def ask(sink: Sink, method: str, address: str, body: Any = None) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", sink.control_port, timeout=10)
    try:
        connection.request(
            method,
            address,
            json.dumps(body) if body is not None else None,
            {"Sec-Fetch-Site": "same-origin"},
        )
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


ASKED = [
    ("GET", "/health", None, 200),
    ("PUT", "/plan", {"rules": [{"fault": "late_reply", "attempt": 2, "params": {"delay_s": 1}}]}, 200),
    ("GET", "/plan", None, 200),
    ("PUT", "/plan", {"rules": [{"fault": "late"}]}, 422),
    ("DELETE", "/plan", None, 200),
    ("PUT", "/phase", {"phase": "storm"}, 200),
    ("GET", "/phase", None, 200),
    ("PUT", "/phase", {}, 422),
    ("GET", "/counters", None, 200),
    ("GET", "/metrics", None, 200),
    ("GET", "/faults", None, 200),
    ("GET", "/openapi.json", None, 200),
    ("GET", "/docs", None, 200),
    ("GET", "/receipts", None, 200),
    ("GET", "/receipts/job-a%40client.test", None, 200),
    ("GET", "/mails?limit=2", None, 200),
    ("GET", "/mails?limit=0", None, 422),
    ("GET", "/mails/1", None, 200),
    ("GET", "/mails/2", None, 200),
    ("GET", "/mails/9", None, 404),
    ("GET", "/mails/2/raw", None, 200),
    ("GET", "/mails/2/attachments/0", None, 200),
    ("GET", "/mails/2/attachments/5", None, 404),
    ("POST", "/verify", {"expected": ["a", {"key": "b", "subject": "s", "text": "t"}]}, 200),
    ("POST", "/verify", {"expected": []}, 422),
    ("GET", "/stored", None, 200),
    ("GET", "/stored?after=-1", None, 422),
    ("GET", "/sessions", None, 200),
    ("GET", "/sessions?limit=x", None, 422),
    ("GET", "/sessions/1", None, 200),
    ("GET", "/sessions/999", None, 404),
    ("GET", "/api/v1/messages", None, 200),
    ("GET", "/api/v1/messages?start=x", None, 400),
    ("GET", "/api/v1/search?query=order", None, 200),
    ("GET", "/api/v1/search?query=", None, 400),
    ("GET", "/api/v1/message/2", None, 200),
    ("GET", "/api/v1/message/99", None, 404),
    ("GET", "/api/v1/message/2/headers", None, 200),
    ("GET", "/api/v1/message/2/raw", None, 200),
    ("GET", "/view/2.html", None, 200),
    ("GET", "/view/1.html", None, 404),
    ("GET", "/view/2.txt", None, 200),
    ("GET", "/api/v1/info", None, 200),
    ("DELETE", "/api/v1/search?query=subject:nothing", None, 200),
    ("DELETE", "/api/v1/messages", {"IDs": ["1"]}, 200),
    ("DELETE", "/api/v1/messages", [], 400),
    ("DELETE", "/mails", None, 200),
]


def test_answers_are_as_told(sink: Sink) -> None:
    deliver(sink, mail("a"), with_parts(), mail("b"))
    judge = Document(json.loads(ask(sink, "GET", "/openapi.json")[2]))
    for method, address, body, wanted in ASKED:
        status, headers, content = ask(sink, method, address, body)
        assert status == wanted, (method, address, content)
        kind = headers["Content-Type"].partition(";")[0]
        data = json.loads(content) if kind.endswith("json") else None
        judge.check_parts(method.lower(), judge.path_of(address), status, headers, data)
    untold = {
        path
        for path in judge.paths
        if not any(judge.path_of(address) == path for _, address, _, _ in ASKED)
        # An endless answer, one of any type, and two without a body.
        and path not in ("/events", "/api/v1/message/{id}/part/{part}", "/livez", "/readyz")
    }
    assert not untold


def test_a_lost_inbox_is_told_where_it_is_asked(
    app: web.Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(_index: Index) -> None:
        raise IndexLost("the inbox is incomplete")

    monkeypatch.setattr(Index, "_flush", lost)
    judge = Document(document())

    async def ask_all() -> None:
        async with TestClient(TestServer(app)) as client:
            for path, shown in judge.paths.items():
                for method in shown.keys() if path != "/events" else ():
                    address = re.sub(r"{\w+}", "1", path) + ("?query=a" if path.endswith("search") else "")
                    body = {"expected": ["a"]} if path == "/verify" else None
                    answer = await client.request(method, address, json=body)
                    assert (answer.status == 503) == ("503" in shown[method]["responses"]), (method, path)
                    if answer.status == 503:
                        judge.check_parts(method, path, 503, answer.headers, await answer.json())

    asyncio.run(ask_all())


def test_every_fault_can_be_named(shared_sink: Sink) -> None:
    named = shared_sink.http("GET", "/openapi.json")[1]["components"]["schemas"]["FaultName"]["enum"]
    assert named == list(FAULTS)


def test_the_page_tells_all_and_loads_nothing() -> None:
    shown = document()
    found: list[tuple[str, dict[str, str | None]]] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, dict(attrs)))

    text = page(shown)
    Tags().feed(text)
    assert sum(tag == "h3" for tag, _ in found) == sum(map(len, shown["paths"].values()))
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in found}
    assert [attrs for _, attrs in found if "src" in attrs or "href" in attrs] == [{"href": "openapi.json"}]


CONFIG = """
continue-on-failure = true

[generation]
deterministic = true
max-examples = 1

[phases.stateful]
enabled = false

[phases.coverage]
unexpected-methods = ["TRACE"]

[checks]
# What only words can say: a fault that needs TLS, a key twice, a search that cannot be done.
positive_data_acceptance.enabled = false

[[operations]]
# The first never ends, and the others take no input.
include-path = ["/events", "/docs", "/openapi.json", "/livez", "/readyz"]
enabled = false

[[operations]]
# Each field of a rule in every wrong way is too long for here; the tests of the plan do it.
include-name = "PUT /plan"
phases.coverage.enabled = false
generation.max-examples = 15

[[operations]]
# They would leave nothing to look at.
include-name = ["DELETE /mails", "DELETE /api/v1/messages", "DELETE /api/v1/search"]
enabled = false
"""


def test_schemathesis_finds_nothing(sink: Sink, tmp_path: Path) -> None:
    deliver(sink, with_parts(), mail("a"))
    (tmp_path / "openapi.json").write_bytes(ask(sink, "GET", "/openapi.json")[2])
    (tmp_path / "config.toml").write_text(CONFIG)
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "config.toml", "run"]
    command += ["openapi.json", "--url", f"http://127.0.0.1:{sink.control_port}", "--no-color"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-12_000:] + run.stderr
    code, errors = sink.stop()
    # It also sends what is no HTTP, and that is all the sink may complain of.
    assert (code, errors.count("Traceback")) == (0, errors.count("BadHttpMessage")), errors
