"""The transcript of a session: what was said, by whom, in order, and never a password."""

from __future__ import annotations

import base64
import signal
import time
from typing import Any

from fake_smtp.plan import Rule
from tests.integration.fake_smtp.conftest import LIMIT_S, PASSWORD, USER, Sink, mail

KEY = "run-1-000001"


def lines(sink: Sink, session: int = 1) -> list[list[Any]]:
    return [line for one in sink.records() if one.get("session") == session for line in one.get("said", [])]


def test_a_session_is_told_from_banner_to_goodbye(sink: Sink) -> None:
    sink.send(KEY)
    sink.until("session_end")
    told = lines(sink)
    assert [(who, words.split("\r\n")[-1][:3] if who == "S" else words) for _, who, words in told] == [
        ("S", "220"),
        ("C", "ehlo client.test"),
        ("S", "250"),
        ("C", "AUTH PLAIN ***"),
        ("S", "235"),
        ("C", f"mail FROM:<from@client.test> size={len(mail(KEY))}"),
        ("S", "250"),
        ("C", f"rcpt TO:<{KEY}@sink.test>"),
        ("S", "250"),
        ("C", "data"),
        ("S", "354"),
        ("C", f"({len(mail(KEY))} bytes and the final dot)"),
        ("S", "250"),
        ("C", "quit"),
        ("S", "221"),
    ]
    times = [at_us for at_us, *_ in told]
    assert times == sorted(times)
    assert times[0] >= 0


def test_no_secret_is_on_disk(sink: Sink) -> None:
    with sink.client(login=False) as client:
        client.user, client.password = USER, PASSWORD
        client.auth("LOGIN", client.auth_login, initial_response_ok=False)
        client.quit()
    sink.send(KEY)
    sink.until("session_end", 2)
    written = (sink.out / "deliveries.jsonl").read_text()
    for secret in (PASSWORD, base64.b64encode(PASSWORD.encode()).decode(), "AHVzZXIAc2VjcmV0"):
        assert secret not in written
    assert [words for _, who, words in lines(sink) if who == "C"][1:4] == ["AUTH LOGIN", "***", "***"]


def test_the_command_before_a_mail_is_on_disk_before_its_reply(sink: Sink) -> None:
    """What a sink that is killed leaves of an open session: all up to its last stored mail."""
    with sink.client() as client:
        client.sendmail("f@c.test", "t@s.test", mail(KEY))
        sink.stop(signal.SIGKILL)
    told = [words for _, who, words in lines(sink) if who == "C"]
    assert told[-1].endswith("the final dot)")
    assert "data" in told


def test_what_did_not_leave_is_marked(sink: Sink) -> None:
    sink.plan(Rule("torn_reply", params={"bytes": 2}))
    with sink.wire(upto_data=True) as wire:
        wire.sock.sendall(mail(KEY) + b".\r\n")
        wire.sock.settimeout(LIMIT_S)
        assert wire.file.read() == b"25"
    sink.until("session_end")
    assert [words for _, who, words, *_ in lines(sink) if who == "S"][-1] == "25"


def test_a_chatty_session_is_written_before_it_ends_and_memory_stays_small(sink: Sink) -> None:
    with sink.wire() as wire:
        for _ in range(300):
            wire.say(b"NOOP\r\n", b"250")
        deadline = time.monotonic() + LIMIT_S
        while not sink.records("said"):
            assert time.monotonic() < deadline
        wire.say(b"QUIT\r\n", b"221")
    sink.until("session_end")
    assert sum(words == "NOOP" for _, _, words in lines(sink)) == 300


def test_bytes_that_are_no_text_and_endless_lines_are_shown_as_well_as_can_be(sink: Sink) -> None:
    with sink.wire() as wire:
        wire.say(b"NOOP \xff\xfe\r\n", b"250")
        wire.say(b"NOOP " + b"x" * 5000 + b"\r\n", b"500")
        wire.say(b"QUIT\r\n", b"221")
    sink.until("session_end")
    told = [words for _, who, words in lines(sink) if who == "C"]
    assert told[2] == r"NOOP \xff\xfe"
    assert len(told[3]) < 600
