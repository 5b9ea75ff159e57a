"""What an ordinary session leaves on disk."""

from __future__ import annotations

import smtplib

import pytest

from tests.integration.fake_smtp.conftest import DIGEST, PASSWORD, USER, Sink, mail


def test_a_normal_session_is_written_step_by_step(sink: Sink) -> None:
    sink.send(key="run-1-000007", attempt=3)
    sink.until("session_end")
    records = sink.records()
    assert [one["event"] for one in records] == [
        "sink_start",
        "session_begin",
        "data_begin",
        "stored",
        "reply",
        "session_end",
    ]
    start, begin, data, stored, reply, end = records
    assert start["smtp_port"] == sink.smtp_port
    assert (start["idle_limit_s"], start["data_limit_s"], start["latency_s"]) == (5.0, 5.0, 0.0)
    assert begin["peer"].startswith("127.0.0.1:")
    assert {one["run"] for one in records} == {"run-1"}
    assert begin["session"] == data["session"] == stored["session"] == reply["session"] == end["session"]
    said = {name: stored[name] for name in ("key", "id", "message_id", "attempt", "worker", "hint", "digest")}
    assert said == {
        "key": "run-1-000007",
        "id": "job-run-1-000007",
        "message_id": "job-run-1-000007@client.test",
        "attempt": 3,
        "worker": "host:7",
        "hint": "task-1 redelivered",
        "digest": DIGEST,
    }
    assert (stored["sender"], stored["to"]) == ("from@client.test", ["run-1-000007@sink.test"])
    assert sink.raw(stored) == mail("run-1-000007", 3)
    assert (reply["mail"], reply["code"], reply["flushed"], reply["fault"]) == (
        stored["mail"],
        250,
        True,
        None,
    )
    assert (end["auth"], end["stage"], end["mails"], end["fault"], end["how"]) == (
        "ok",
        "stored",
        1,
        None,
        "quit",
    )


def test_bytes_in_are_all_bytes_of_the_session(sink: Sink) -> None:
    with sink.wire() as wire:
        wire.say(b"NOOP\r\n", b"250")
        wire.say(b"QUIT\r\n", b"221")
    sent = len(b"EHLO client.test\r\nAUTH PLAIN AHVzZXIAc2VjcmV0\r\nNOOP\r\nQUIT\r\n")
    assert sink.until("session_end")["bytes_in"] == sent
    assert f"sink_received_bytes_total {float(sent)}" in sink.http("GET", "/metrics")[1]


def test_kept_connections_hold_many_mails(sink: Sink) -> None:
    keys = [f"run-1-{number:06}" for number in range(40)]
    with sink.client() as one, sink.client() as other:
        for number, key in enumerate(keys):
            (one, other)[number % 2].sendmail("f@c.test", f"{key}@s.test", mail(key))
        one.quit()
    sink.until("session_end", 2)
    assert [stored["key"] for stored in sink.records("stored")] == keys
    assert all(sink.raw(stored) == mail(stored["key"]) for stored in sink.records("stored"))
    assert all(reply["flushed"] for reply in sink.records("reply"))
    assert sorted((end["how"], end["mails"]) for end in sink.records("session_end")) == [
        ("closed", 20),
        ("quit", 20),
    ]


def test_a_mail_without_our_headers_is_stored_all_the_same(sink: Sink) -> None:
    with sink.client() as client:
        client.sendmail("f@c.test", ["a@s.test", "b@s.test"], b"just text")
    stored = sink.until("stored")
    assert (stored["key"], stored["id"], stored["message_id"], stored["attempt"]) == (None, None, None, None)
    assert stored["to"] == ["a@s.test", "b@s.test"]


def test_refusals_of_its_own_are_on_record(sink: Sink) -> None:
    with sink.client(login=False) as client:
        assert client.mail("f@c.test")[0] == 530
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(USER, PASSWORD + "x")
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(USER + "x", PASSWORD)
        client.quit()
    end = sink.until("session_end")
    refused = [(one["stage"], one["code"], one["fault"], one["key"]) for one in sink.records("refused")]
    # smtplib tries PLAIN, then LOGIN.
    assert refused == [("mail", 530, None, None)] + [("auth", 535, None, None)] * 4
    assert end["auth"] == "rejected"
    assert sink.counters()["auth_rejected"] == 4
