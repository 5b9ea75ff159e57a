"""The control API over HTTP, with a real sink behind it: what it starts, heals, refuses."""

from __future__ import annotations

import smtplib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from rich.console import Console

from chaos.broker import Unseen
from chaos.control.app import Control
from chaos.control.director import Director
from chaos.control.live_stage import LiveStage
from chaos.control.serving import serving
from chaos.control.watching import NoRecords
from chaos.journal import Journal
from chaos.observe import Events, Observer
from chaos.progress import Progress
from chaos.sink import Sink
from chaos.stack.options import StackOptions
from fake_smtp.process import SinkProcess

LIMIT_S = 20


class Api:
    """The API as a program uses it."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.session = requests.Session()
        self.session.trust_env = False

    def get(self, path: str, **kwargs: Any) -> requests.Response:
        return self.session.get(self.base + path, timeout=LIMIT_S, **kwargs)

    def post(self, path: str, json: object = None, **kwargs: Any) -> requests.Response:
        return self.session.post(self.base + path, json=json or {}, timeout=LIMIT_S, **kwargs)

    def clock(self, name: str) -> Any:
        """One clock of the last fault; None: there is no fault yet."""
        faults = self.get("/state").json()["faults"]
        return faults[-1][name] if faults else None


class NoBroker:
    def depth(self) -> Any:
        raise Unseen("there is none")


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SinkProcess]:
    with SinkProcess(tmp_path_factory.mktemp("sink") / "out") as process:
        yield process


@pytest.fixture
def api(sink: SinkProcess, tmp_path: Path) -> Iterator[Api]:
    events = Events(tmp_path / "events.jsonl", "t", "chaos")
    stack: Any = SimpleNamespace(
        run="t", options=StackOptions(), sink=Sink(sink.control_url), network=None, for_people=dict
    )
    stack.workers = [SimpleNamespace(spec=SimpleNamespace(name="worker-1"))]
    broker: Any = NoBroker()
    progress = Progress("t", Console(quiet=True), figures=False)
    with Observer(NoRecords(), {}, broker, stack.sink) as observer:
        stage = LiveStage(stack, observer, events, Journal(tmp_path / "state", "t"), progress)
        with Director(stage, events, lambda _: None) as director:
            app = Control(stack, observer, director, events.live).app()
            with serving(app) as address:
                made = Api(address)
                yield made
                made.session.close()
    events.close()


@pytest.fixture
def flood(sink: SinkProcess) -> Iterator[None]:
    """Mails, until the test is over; a refused one is no reason to stop."""
    over = threading.Event()

    def send() -> None:
        with smtplib.SMTP(sink.smtp_host, sink.smtp_port, timeout=LIMIT_S) as client:
            while not over.wait(0.02):
                try:
                    client.sendmail("a@x.test", ["b@x.test"], "Subject: s\r\n\r\nbody\r\n")
                except smtplib.SMTPRecipientsRefused:
                    continue

    thread = threading.Thread(target=send)
    thread.start()
    yield
    over.set()
    thread.join(LIMIT_S)


@pytest.mark.usefixtures("flood")
def test_a_fault_bites_is_healed_by_hand_and_the_mail_comes_back(
    api: Api, sink: SinkProcess, until: Callable[..., None]
) -> None:
    until(lambda: api.get("/state").json()["stored_per_s"] > 5)
    started = api.post("/faults/smtp-tempfail", {"hold_s": 60, "code": 452})
    assert started.status_code == 202
    assert started.json()["parameters"]["code"] == 452
    until(lambda: api.clock("bite_s"), what="the bite")
    assert api.get("/state").json()["active"] == ["tempfail-1"]
    assert 'chaos_fault_active{fault="tempfail-1"' in api.get("/metrics").text
    busy = api.post("/faults/kill-redis")
    assert (busy.status_code, busy.json()["error"]) == (
        409,
        "fault smtp-tempfail is going on: wait for its end, or heal first",
    )
    assert api.post("/heal").json()["healed"] == ["tempfail-1"]
    assert Sink(sink.control_url).rules() == []
    until(lambda: api.clock("recovered_s"), what="the recovery")


def test_what_the_sink_refuses_is_told_in_its_words(api: Api, until: Callable[..., None]) -> None:
    assert api.post("/faults/smtp-tempfail", {"code": 250}).status_code == 202
    until(lambda: api.get("/state").json()["trouble"])
    state = api.get("/state").json()
    assert "code" in state["trouble"]
    assert state["active"] == []
    assert state["watching"] is None


def test_the_catalogue_says_what_there_is_and_what_cannot_be_here(api: Api) -> None:
    catalogue = api.get("/catalogue").json()
    faults = {fault["name"]: fault for fault in catalogue["faults"]}
    assert {"kill-child", "kill-group", "kill-redis", "smtp-drop-after-dot"} <= set(faults)
    assert not any(name.startswith("sever") for name in faults), "there is no Toxiproxy here"
    why_not = {scenario["name"]: scenario["why_not"] for scenario in catalogue["scenarios"]}
    assert why_not["kill-redis"] is None
    assert why_not["sever-redis"] == "this stack runs without Toxiproxy"


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/faults/nothing", {}, 404, "no fault 'nothing'; there are: kill-child"),
        ("/scenarios/nothing", {}, 404, "no scenario 'nothing'; there are: calm"),
        ("/scenarios/sever-redis", {}, 422, "without Toxiproxy"),
        ("/scenarios/calm", {"rate": 1}, 422, "no parameters"),
        ("/faults/kill-child", {"worker": "worker-9"}, 422, "one of worker-1"),
        ("/faults/smtp-lose", {"hold_s": -1}, 422, "more than 0"),
        ("/faults/smtp-lose", [1], 422, "a JSON object"),
        ("/nothing", {}, 404, "not found"),
    ],
)
def test_what_cannot_be_is_said_in_words(api: Api, path: str, body: Any, status: int, words: str) -> None:
    answer = api.post(path, body)
    assert (answer.status_code, words in answer.json()["error"]) == (status, True), answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Host": "rebound.example"}, 403),
        ({"Host": "127.0.0.1.rebound.example:80"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_no_web_page_may_use_it(api: Api, headers: dict[str, str], status: int) -> None:
    assert api.post("/heal", headers=headers).status_code == status
    if "Content-Type" not in headers:
        assert api.get("/state", headers=headers).status_code == status


def test_rules_that_somebody_else_made_are_healed_too(api: Api, sink: SinkProcess) -> None:
    rule = {"fault": "lose", "key": "nobody"}
    requests.put(f"{sink.control_url}/plan", json={"rules": [rule]}, timeout=LIMIT_S).raise_for_status()
    assert api.post("/heal").json() == {"healed": [], "stopped": None, "found_broken": ["the sink's plan"]}
    assert Sink(sink.control_url).rules() == []
