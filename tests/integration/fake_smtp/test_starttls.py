"""TLS at the sink: who gets in, what is on record of it, and what clear text before it is worth."""

from __future__ import annotations

import smtplib
import ssl

import pytest

from fake_smtp.options import CA_FILE
from fake_smtp.plan import Rule
from tests.integration.fake_smtp.conftest import LIMIT_S, PASSWORD, USER, Sink, mail

KEY = "run-1-000001"


@pytest.fixture
def tls_sink(start_sink) -> Sink:
    return start_sink("--tls")


def secure(sink: Sink, wire) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=sink.out / CA_FILE)
    return context.wrap_socket(wire.sock, server_hostname="localhost")


def test_a_mail_over_tls_is_taken_and_the_session_says_so(tls_sink: Sink) -> None:
    big = mail(KEY, body="x" * 70 + "\r\n" * 50_000)
    with tls_sink.client() as client:
        client.sendmail("f@c.test", "t@s.test", big)
        client.sendmail("f@c.test", "t@s.test", mail("run-1-000002"))
        client.quit()
    end = tls_sink.until("session_end")
    assert (end["tls"], end["auth"], end["mails"], end["how"]) == ("TLSv1.3", "ok", 2, "quit")
    stored = tls_sink.records("stored")
    assert tls_sink.raw(stored[0]) == big
    assert {one["flushed"] for one in tls_sink.records("reply")} == {True}


def test_a_sink_without_tls_neither_offers_nor_has_it(sink: Sink) -> None:
    with sink.client(login=False) as client:
        assert not client.has_extn("starttls")
        assert client.docmd("STARTTLS")[0] == 454
    assert sink.until("session_end")["tls"] is None
    status, answer = sink.http("PUT", "/plan", {"rules": [{"fault": "certificate_expired"}]})
    assert status == 422
    assert "--tls" in answer["error"]


def test_what_was_said_before_tls_counts_for_nothing(tls_sink: Sink) -> None:
    """RFC 3207 4.2: neither the login, nor the greeting, nor commands smuggled behind STARTTLS."""
    with tls_sink.wire() as wire:
        wire.say(b"MAIL FROM:<a@b.test>\r\n", b"250")
        wire.say(b"STARTTLS\r\nRCPT TO:<smuggled@d.test>\r\n", b"220")
        with secure(tls_sink, wire) as tls:
            answers = tls.makefile("rb")
            for command, code in [
                (b"RCPT TO:<c@d.test>", b"503"),
                (b"EHLO again.test", b"250"),
                (b"MAIL FROM:<a@b.test>", b"530"),
                (b"STARTTLS", b"503"),
                (b"QUIT", b"221"),
            ]:
                tls.sendall(command + b"\r\n")
                lines = [answers.readline()]
                while lines[-1][3:4] == b"-":
                    lines.append(answers.readline())
                assert lines[-1].startswith(code), (command, lines)
                assert not any(b"STARTTLS" in line for line in lines)
            answers.close()
    assert tls_sink.until("session_end")["how"] == "quit"


def test_a_sink_started_again_is_trusted_as_before(start_sink, tmp_path) -> None:
    first = start_sink("--tls", out=tmp_path / "kept")
    ca = (tmp_path / "kept" / CA_FILE).read_bytes()
    first.stop()
    again = start_sink("--tls", out=tmp_path / "kept")
    assert (tmp_path / "kept" / CA_FILE).read_bytes() == ca
    again.send(KEY)


def test_whoever_goes_away_in_the_handshake_is_on_record(tls_sink: Sink) -> None:
    with tls_sink.wire() as wire:
        wire.say(b"STARTTLS\r\n", b"220")
        wire.sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert wire.file.read() is not None
    end = tls_sink.until("session_end")
    assert (end["stage"], end["tls"], end["how"]) == ("starttls", None, "closed")
    assert any(who == "!" and "TLS failed" in words for _, who, words, *_ in end["said"])
    with tls_sink.wire() as wire:
        wire.say(b"STARTTLS\r\n", b"220")
    assert tls_sink.until("session_end", 2)["stage"] == "starttls"
    with tls_sink.client(login=False) as client:
        client.login(USER, PASSWORD)


def test_a_silent_handshake_is_cut_at_the_idle_limit(start_sink) -> None:
    sink = start_sink("--tls", "--idle-limit-s", "0.3")
    with sink.wire() as wire:
        wire.say(b"STARTTLS\r\n", b"220")
        assert wire.ended()
    assert sink.until("session_end")["how"] in ("idle", "closed")


def test_a_hanging_handshake_outlasts_the_idle_limit(start_sink) -> None:
    sink = start_sink("--tls", "--idle-limit-s", "0.2")
    sink.plan(Rule("starttls_hanging", params={"delay_s": 1.0}))
    with sink.wire() as wire:
        wire.say(b"STARTTLS\r\n", b"220")
        wire.sock.sendall(b"\x16")
        wire.sock.settimeout(0.6)
        with pytest.raises(TimeoutError):
            wire.sock.recv(1)
        wire.sock.settimeout(LIMIT_S)
        assert wire.ended()
    assert sink.until("session_end")["how"] == "fault"


def test_a_client_that_does_not_trust_the_sink_says_so(tls_sink: Sink) -> None:
    with smtplib.SMTP("127.0.0.1", tls_sink.smtp_port, timeout=LIMIT_S) as client:
        with pytest.raises(ssl.SSLCertVerificationError):
            client.starttls(context=ssl.create_default_context())
        client.close()
    assert tls_sink.until("session_end")["tls"] is None


def test_the_key_of_the_ca_is_for_its_owner_only(tls_sink: Sink) -> None:
    assert (tls_sink.out / "tls-ca-key.pem").stat().st_mode & 0o077 == 0
