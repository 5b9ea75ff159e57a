"""The control API, held to the contract."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from fake_smtp.faults import FAULTS
from fake_smtp.plan import Rule
from tests.integration.fake_smtp.conftest import Sink, mail

DOCUMENT = Path(__file__).parents[3] / "docs" / "faults.md"


def test_health(sink: Sink) -> None:
    expected = {"status": "ok", "run": "run-1", "smtp_port": sink.smtp_port, "pid": sink.process.pid}
    assert sink.http("GET", "/health") == (200, expected)


def test_receipts(start_sink) -> None:
    sink = start_sink("--data-limit-s", "7", "--idle-limit-s", "6")
    assert sink.http("GET", "/receipts") == (200, {"data_limit_s": 7.0, "idle_limit_s": 6.0})
    path = "/receipts/job-run-1-000001@client.test"
    for copies in range(3):
        expected = {"message_id": "job-run-1-000001@client.test", "stored": copies > 0, "copies": copies}
        assert sink.http("GET", path) == (200, expected)
        sink.send()
    assert sink.http("GET", "/receipts/other@client.test")[1]["stored"] is False
    assert sink.http("GET", "/receipt/job-run-1-000001@client.test")[0] == 404
    assert sink.http("GET", "/receipts/")[0] == 404


def test_receipts_of_ids_that_need_quoting(sink: Sink) -> None:
    message_id = "a/b+c%2F?d#e é@client.test"
    with sink.client() as client:
        client.sendmail("f@c.test", "t@s.test", f"Message-ID: <{message_id}>\r\n\r\nx\r\n".encode())
    expected = {"message_id": message_id, "stored": True, "copies": 1}
    assert sink.http("GET", "/receipts/" + quote(message_id, safe="")) == (200, expected)


def test_a_plan_is_set_shown_recorded_and_cleared(sink: Sink) -> None:
    none = {"seed": 0, "rules": []}
    assert sink.http("GET", "/plan") == (200, none)
    rule = {"fault": "auth_reject", "params": {"code": 454}}
    full = Rule(**rule).to_json()
    assert full == {**dict.fromkeys(full), **rule, "probability": 1.0}
    assert sink.http("PUT", "/plan", {"seed": 5, "rules": [rule]}) == (200, {"seed": 5, "rules": [full]})
    assert sink.http("GET", "/plan") == (200, {"seed": 5, "rules": [full]})
    assert sink.http("DELETE", "/plan") == (200, none)
    assert sink.http("GET", "/plan") == (200, none)
    assert [record["plan"] for record in sink.records("plan")] == [{"seed": 5, "rules": [full]}, none]


@pytest.mark.parametrize(
    ("plan", "word"),
    [
        (b"{", "JSON"),
        ([], "object"),
        ({"sed": 1}, "sed"),
        ({"seed": "1"}, "seed"),
        ({"rules": {}}, "rules"),
        ({"rules": [{"fault": "nonsense"}]}, "nonsense"),
        ({"rules": [{}]}, "fault"),
        ({"rules": [{"fault": "noop", "probability": 2}]}, "probability"),
        ({"rules": [{"fault": "noop", "count": 0}]}, "count"),
        ({"rules": [{"fault": "noop", "attempts": True}]}, "attempts"),
        ({"rules": [{"fault": "noop", "often": 1}]}, "often"),
        ({"rules": [{"fault": "noop", "key": ""}]}, "key"),
        ({"rules": [{"fault": "noop", "sender": 5}]}, "sender"),
        ({"rules": [{"fault": "noop", "attempt": 0}]}, "attempt"),
        ({"rules": [{"fault": "noop", "attempt": [2, 1]}]}, "attempt"),
        ({"rules": [{"fault": "noop", "attempt": [1, True]}]}, "attempt"),
        ({"rules": [{"fault": "noop", "from_s": -1}]}, "from_s"),
        ({"rules": [{"fault": "noop", "from_s": 2, "until_s": 2}]}, "until_s"),
        ({"rules": [{"fault": "noop", "phase": []}]}, "phase"),
        ({"rules": [{"fault": "quit_421", "recipient": "*"}]}, "recipient"),
        ({"rules": [{"fault": "tarpit", "params": {"delay_s": "1"}}]}, "delay_s"),
        ({"rules": [{"fault": "bandwidth", "params": {"bytes_per_s": 0}}]}, "bytes_per_s"),
        ({"rules": [{"fault": "torn_reply", "params": {"bytes": 3}}]}, "bytes"),
        ({"rules": [{"fault": "drop_before_dot", "params": {"at_byte": -1}}]}, "at_byte"),
        ({"rules": [{"fault": "greylist", "params": {"tries": 0}}]}, "tries"),
        ({"rules": [{"fault": "credentials_rotated", "params": {"password": ""}}]}, "password"),
        ({"rules": [{"fault": "noop", "params": {"x": 1}}]}, "x"),
        ({"rules": [{"fault": "noop"}, {"fault": "auth_reject", "params": {"code": 550}}]}, "rule 1"),
        ({"rules": [{"fault": "tempfail", "params": {"stage": "ehlo"}}]}, "stage"),
        ({"rules": [{"fault": "tempfail", "params": {"text": "a\r\nb"}}]}, "text"),
    ],
)
def test_a_bad_plan_gets_words_and_the_old_one_stays(shared_sink: Sink, plan: object, word: str) -> None:
    shared_sink.plan(Rule("tempfail"))
    recorded = len(shared_sink.records("plan"))
    before = shared_sink.http("GET", "/plan")
    status, answer = shared_sink.http("PUT", "/plan", plan)
    assert status == 422
    assert word in answer["error"]
    assert shared_sink.http("GET", "/plan") == before
    assert len(shared_sink.records("plan")) == recorded


def test_counters_and_metrics_agree_with_the_evidence(sink: Sink) -> None:
    sink.send("run-1-000001")
    sink.plan(Rule("drop_after_dot", attempts=1), Rule("noop"))
    with sink.client() as client:
        try:
            client.sendmail("f@c.test", "t@s.test", mail("run-1-000002"))
        except OSError:
            client.close()
    sink.send("run-1-000002")
    sink.until("session_end", 3)
    with sink.client():
        assert sink.counters() == {
            "sessions": 4,
            "open_sessions": 1,
            "stored": 3,
            "replied": 2,
            "aborted_after_store": 1,
            "auth_ok": 4,
            "auth_rejected": 0,
            "faults": {**dict.fromkeys(FAULTS, 0), "noop": 1, "drop_after_dot": 1},
        }
        lines = sink.http("GET", "/metrics")[1].splitlines()
    for line in (
        "sink_sessions_total 4.0",
        "sink_open_sessions 1.0",
        "sink_messages_stored_total 3.0",
        'sink_replies_total{flushed="yes"} 2.0',
        'sink_replies_total{flushed="no"} 1.0',
        'sink_auth_total{outcome="ok"} 4.0',
        'sink_auth_total{outcome="rejected"} 0.0',
        'sink_faults_total{fault="drop_after_dot"} 1.0',
    ):
        assert line in lines


@pytest.mark.parametrize("bad", [b"{", {"phase": 5}, {"phase": ""}, {}, {"phase": "a", "b": 1}])
def test_a_bad_phase_gets_words_and_the_old_one_stays(shared_sink: Sink, bad: object) -> None:
    assert shared_sink.http("PUT", "/phase", {"phase": "flood"})[0] == 200
    status, answer = shared_sink.http("PUT", "/phase", bad)
    assert status == 422
    assert "phase" in answer["error"] or "JSON" in answer["error"]
    assert shared_sink.http("GET", "/phase") == (200, {"phase": "flood"})


def test_the_table_of_faults_in_the_documentation_is_the_one_that_is_printed() -> None:
    argv = [sys.executable, "-m", "fake_smtp", "faults"]
    printed = subprocess.run([*argv, "--markdown"], capture_output=True, text=True, check=True).stdout
    assert printed in DOCUMENT.read_text(), "run: python -m fake_smtp faults --markdown"
    plain = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert [line for line in plain.splitlines() if line and line[0] != " "] == list(FAULTS)
    wrong = subprocess.run([*argv, "--html"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, "--help" in wrong.stderr) == (64, True)
