"""The protocol itself: dots, line ends, logins, extensions."""

from __future__ import annotations

import base64
import smtplib

import pytest

from reports.evidence import content_digest
from tests.integration.fake_smtp.conftest import PASSWORD, USER, Sink, mail

ENVELOPE = b"MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n"


def test_dots_survive(sink: Sink) -> None:
    body = ".\n..\n.start\n...\nend.\n"
    with sink.client() as client:
        client.sendmail("f@c.test", "t@s.test", mail("run-1-000001", subject="dots", body=body))
    assert sink.until("stored")["digest"] == content_digest("dots", body)


@pytest.mark.parametrize("end", [b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n"])
def test_no_smuggling(sink: Sink, end: bytes) -> None:
    """Only CRLF.CRLF ends a mail; a second mail behind another end is text of the first."""
    smuggled = b"one" + end + b"MAIL FROM:<evil@b.test>\r\nRCPT TO:<evil@d.test>\r\nDATA\r\ntwo\r\n.\r\n"
    with sink.wire(upto_data=True) as wire:
        wire.say(smuggled, b"250")
        wire.say(b"QUIT\r\n", b"221")
    stored = sink.until("stored")
    sink.until("session_end")
    assert len(sink.records("stored")) == 1
    assert b"evil" in sink.raw(stored)
    assert stored["to"] == ["c@d.test"]


@pytest.mark.parametrize("pieces", [1, 7, 100000])
def test_pipelined_mails_in_any_pieces(sink: Sink, pieces: int) -> None:
    stream = ENVELOPE + b"a\r\n..b\r\n.\r\n" + ENVELOPE + b".\r\n" + ENVELOPE + b"c\r\n.\r\nQUIT\r\n"
    with sink.wire() as wire:
        for at in range(0, len(stream), pieces):
            wire.sock.sendall(stream[at : at + pieces])
        for _ in range(3):
            for code in (b"250", b"250", b"354", b"250"):
                wire.expect(code)
        wire.expect(b"221")
    assert [sink.raw(stored) for stored in sink.records("stored")] == [b"a\r\n.b\r\n", b"", b"c\r\n"]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("initial", [True, False])
def test_both_logins_with_and_without_initial_response(sink: Sink, mechanism: str, initial: bool) -> None:
    with sink.client(login=False) as client:
        client.user, client.password = USER, PASSWORD
        method = client.auth_plain if mechanism == "PLAIN" else client.auth_login
        assert client.auth(mechanism, method, initial_response_ok=initial)[0] == 235
        client.sendmail("f@c.test", "t@s.test", mail("run-1-000001"))
    assert sink.until("session_end")["auth"] == "ok"


def test_a_broken_login_is_refused_and_the_session_goes_on(sink: Sink) -> None:
    with sink.client(login=False) as client:
        assert client.docmd("AUTH", "PLAIN ***")[0] == 501
        assert client.docmd("AUTH", "PLAIN " + base64.b64encode(b"nonsense").decode())[0] == 501
        assert client.docmd("AUTH", "CRAM-MD5")[0] == 504
        client.login(USER, PASSWORD)


def test_utf8_addresses_and_headers(sink: Sink) -> None:
    raw = "Subject: Grüße\r\nX-Job-Key: k-1\r\n\r\nschön\r\n".encode()
    with sink.client() as client:
        client.sendmail(
            "jürgen@köln.test", "andré@paris.test", raw, mail_options=["SMTPUTF8", "BODY=8BITMIME"]
        )
    stored = sink.until("stored")
    assert (stored["sender"], stored["to"]) == ("jürgen@köln.test", ["andré@paris.test"])
    assert stored["digest"] == content_digest("Grüße", "schön\n")


def test_the_greeting(sink: Sink) -> None:
    with sink.client(login=False) as client:
        assert {
            name: client.esmtp_features.get(name) for name in ("size", "8bitmime", "smtputf8", "auth")
        } == {
            "size": str(2**25),
            "8bitmime": "",
            "smtputf8": "",
            "auth": " LOGIN PLAIN",
        }


def test_too_long_a_line_is_refused_and_the_session_goes_on(sink: Sink) -> None:
    with sink.client() as client:
        with pytest.raises(smtplib.SMTPDataError) as caught:
            client.sendmail("f@c.test", "t@s.test", b"x" * 1000 + b"\r\n")
        assert caught.value.smtp_code == 500
        client.sendmail("f@c.test", "t@s.test", b"x" * 999 + b"\r\n")
    assert sink.until("stored")["size"] == 1001


@pytest.mark.parametrize(
    "line",
    [
        b"\r\n",
        b"\xff\xfe\r\n",
        b"MAIL FROM:<\r\n",
        b"MAIL FROM:\xff\xff<>\r\n",
        b"VRFY\r\n",
        b"A" * 5000 + b"\r\n",
    ],
)
def test_nonsense_gets_a_refusal_and_not_the_end(sink: Sink, line: bytes) -> None:
    with sink.wire() as wire:
        wire.say(line, b"5")
        wire.say(b"NOOP\r\n", b"250")
        wire.say(b"QUIT\r\n", b"221")
    assert sink.until("session_end")["how"] == "quit"


def test_without_a_username_nobody_needs_to_log_in(tmp_path, start_sink) -> None:
    sink = start_sink()
    # The usual fixture sets one; a sink of its own shows the other default.
    import json
    import subprocess
    import sys

    argv = [sys.executable, "-m", "fake_smtp", "--out", str(tmp_path / "open")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            sink.smtp_port = json.loads(process.stdout.readline())["smtp_port"]
            with sink.client(login=False) as client:
                client.sendmail("f@c.test", "t@s.test", b"hello")
                client.login("anybody", "anything")
                client.sendmail("f@c.test", "t@s.test", b"hello")
        finally:
            process.terminate()
    assert process.returncode == 0
