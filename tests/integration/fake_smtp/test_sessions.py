"""The sessions over HTTP: listed, told line by line, and still there after the sink was killed."""

from __future__ import annotations

import signal
import smtplib
import socket

import pytest

from fake_smtp.plan import Rule
from tests.integration.fake_smtp.conftest import LIMIT_S, Sink, mail

KEY = "run-1-000001"


def test_a_session_is_told_with_its_fault_in_its_place(sink: Sink) -> None:
    sink.plan(Rule("torn_reply", params={"bytes": 2}))
    with pytest.raises(smtplib.SMTPDataError):
        sink.send(KEY)
    sink.until("session_end")
    status, shown = sink.http("GET", "/sessions/1")
    assert status == 200
    assert (shown["session"], shown["auth"], shown["stage"], shown["how"], shown["mails"]) == (
        1,
        "ok",
        "stored",
        "fault",
        1,
    )
    assert (shown["fault"], shown["tls"], shown["cut"]) == ("torn_reply", None, False)
    assert shown["peer"].startswith("127.0.0.1:")
    assert shown["begun_s"] <= shown["ended_s"]
    told = [(line["who"], line["text"]) for line in shown["lines"]][-5:]
    size = len(mail(KEY))
    assert told == [
        ("client", f"({size} bytes and the final dot)"),
        ("sink", f"stored as mail 1, {size} bytes"),
        ("sink", "fault torn_reply at stored, rule 0"),
        ("server", "25"),
        ("sink", "ended: fault"),
    ]
    assert all(line["sent"] for line in shown["lines"] if line["who"] == "server")
    times = [line["at_s"] for line in shown["lines"]]
    assert times == sorted(times)


def test_sessions_without_a_mail_are_listed_newest_first_and_page_by_page(sink: Sink) -> None:
    sink.plan(Rule("auth_reject"))
    for _ in range(3):
        with pytest.raises(smtplib.SMTPAuthenticationError):
            sink.send(KEY)
    with sink.client(login=False):
        sink.until("session_end", 3)
        page = sink.http("GET", "/sessions?limit=2")[1]
        assert [one["session"] for one in page["sessions"]] == [4, 3]
        still_open, refused = page["sessions"]
        assert (still_open["ended_s"], still_open["how"], still_open["auth"]) == (None, None, None)
        assert (refused["auth"], refused["mails"], refused["fault"]) == ("rejected", 0, "auth_reject")
        rest = sink.http("GET", f"/sessions?before={page['next']}")[1]
        assert ([one["session"] for one in rest["sessions"]], rest["next"]) == ([2, 1], None)


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "before=x", "since=1"])
def test_bad_input_is_refused_with_words(shared_sink: Sink, query: str) -> None:
    status, answer = shared_sink.http("GET", f"/sessions?{query}")
    assert status == 422
    assert answer["error"]
    assert shared_sink.http("GET", "/sessions/999999")[0] == 404


def test_a_long_session_is_cut_in_the_middle(sink: Sink) -> None:
    with sink.wire() as wire:
        for number in range(900):
            wire.sock.sendall(b"NOOP %d\r\n" % number)
            wire.expect(b"250")
        wire.say(b"QUIT\r\n", b"221")
    sink.until("session_end")
    shown = sink.http("GET", "/sessions/1")[1]
    texts = [line["text"] for line in shown["lines"]]
    assert shown["cut"] is True
    assert len(texts) == 1000
    assert (texts[1], texts[-3], texts[-1]) == ("EHLO client.test", "QUIT", "ended: quit")
    assert "NOOP 899" in texts
    assert "NOOP 450" not in texts


def test_what_a_killed_sink_saw_is_still_told_by_the_next_one(start_sink, tmp_path) -> None:
    sink = start_sink(out=tmp_path / "kept")
    with sink.client() as client:
        client.sendmail("f@c.test", "t@s.test", mail(KEY))
        sink.until("reply")
        sink.stop(signal.SIGKILL)
    again = start_sink(out=tmp_path / "kept")
    shown = again.http("GET", "/sessions/1")[1]
    assert (shown["ended_s"], shown["how"]) == (None, None)
    assert any(line["text"].startswith("stored as mail 1") for line in shown["lines"])
    with socket.create_connection(("127.0.0.1", again.smtp_port), timeout=LIMIT_S) as one:
        assert one.recv(3) == b"220"
        assert again.http("GET", "/sessions/2")[1]["session"] == 2
    # No orderly end: the session of the first sink has none in this folder.
    again.stop(signal.SIGKILL)
