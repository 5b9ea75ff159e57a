"""Time and size limits. The safety of the sender's lease rests on the first two tests."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest

from tests.integration.fake_smtp.conftest import Wire, mail

WHOLE = mail("run-1-000001").replace(b"\r\n.", b"\r\n..") + b".\r\n"


def test_a_slow_dribbler_is_cut_at_the_data_limit(start_sink) -> None:
    sink = start_sink("--data-limit-s", "0.7")
    with sink.wire(upto_data=True) as wire:
        begun = time.monotonic()
        assert _dribble(wire, WHOLE)
        took = time.monotonic() - begun
    assert 0.5 < took < 4, "the limit is for the whole phase, and not the idle limit"
    aborted, end = sink.until("aborted"), sink.until("session_end")
    assert (aborted["stage"], aborted["why"]) == ("data", "data phase over its limit")
    assert (end["how"], end["mails"]) == ("data_limit", 0)
    assert not sink.records("stored")
    assert (sink.out / "mails.raw").read_bytes() == b""


def _dribble(wire: Wire, data: bytes) -> bool:
    """Send byte by byte, never idle; True when the sink ends it."""
    wire.sock.settimeout(0.05)
    for number in range(len(data)):
        try:
            wire.sock.sendall(data[number : number + 1])
            return wire.sock.recv(100) == b""
        except TimeoutError:
            continue
        except ConnectionError:
            return True
    return False


def test_a_sink_paused_across_the_limit_does_not_store(start_sink) -> None:
    sink = start_sink("--data-limit-s", "0.5")
    with sink.wire(upto_data=True) as wire:
        sink.send_signal(signal.SIGSTOP)
        try:
            _wait_stopped(sink.process.pid)
            wire.sock.sendall(WHOLE)
            time.sleep(0.7)  # the limit itself must pass
        finally:
            sink.send_signal(signal.SIGCONT)
        assert wire.ended()
    assert sink.until("session_end")["how"] == "data_limit"
    assert sink.until("aborted")["why"] == "data phase over its limit"
    assert not sink.records("stored")
    assert sink.http("GET", "/receipts/job-run-1-000001@client.test")[1]["stored"] is False


def _wait_stopped(pid: int) -> None:
    while psutil.Process(pid).status() != psutil.STATUS_STOPPED:
        os.sched_yield()


def test_a_pause_shorter_than_the_limit_does_no_harm(start_sink) -> None:
    sink = start_sink("--data-limit-s", "10", "--idle-limit-s", "10")
    with sink.wire(upto_data=True) as wire:
        sink.send_signal(signal.SIGSTOP)
        try:
            _wait_stopped(sink.process.pid)
            wire.sock.sendall(WHOLE)
        finally:
            sink.send_signal(signal.SIGCONT)
        wire.expect(b"250")
    assert sink.until("stored")["key"] == "run-1-000001"


@pytest.mark.parametrize("where", ["banner", "command", "half a command", "data"])
def test_silence_is_cut_everywhere(start_sink, where: str) -> None:
    sink = start_sink("--idle-limit-s", "0.4", "--data-limit-s", "30")
    with sink.wire(upto_data=where == "data") as wire:
        if where == "half a command":
            wire.sock.sendall(b"NOO")
        if where == "data":
            wire.sock.sendall(WHOLE[:20])
        assert wire.ended()
    assert sink.until("session_end")["how"] == "idle"
    assert len(sink.records("aborted")) == (where == "data")


def test_a_busy_session_outlives_the_idle_limit(start_sink) -> None:
    sink = start_sink("--idle-limit-s", "0.6")
    with sink.wire() as wire:
        begun = time.monotonic()
        while time.monotonic() - begun < 1.5:
            wire.say(b"NOOP\r\n", b"250")
            time.sleep(0.05)  # the pace of the client
        wire.say(b"QUIT\r\n", b"221")
    assert sink.until("session_end")["how"] == "quit"


def test_the_size_limit_is_said_and_kept(start_sink) -> None:
    sink = start_sink("--max-size", "2000")
    fits, over = b"x" * 98 + b"\r\n", b"y" * 99 + b"\r\n"
    with sink.wire() as wire:
        wire.say(b"MAIL FROM:<a@b.test> SIZE=2001\r\n", b"552")
        for body, code in ((fits * 20, b"250"), (over + fits * 19, b"552"), (fits * 2000, b"552")):
            wire.say(b"MAIL FROM:<a@b.test> SIZE=2000\r\n", b"250")
            wire.say(b"RCPT TO:<c@d.test>\r\n", b"250")
            wire.say(b"DATA\r\n", b"354")
            wire.say(body + b".\r\n", code)
        wire.say(b"QUIT\r\n", b"221")
    assert [stored["size"] for stored in sink.records("stored")] == [2000]
    assert [refused["stage"] for refused in sink.records("refused")] == ["mail", "dot", "dot"]
