"""Exactly one reply record for each stored mail, and `flushed` only when the client was really told."""

from __future__ import annotations

import signal
import time

from fake_smtp.plan import Rule
from tests.integration.fake_smtp.conftest import Sink, mail

WHOLE = mail("run-1-000001").replace(b"\r\n.", b"\r\n..") + b".\r\n"
THINKS = Rule("late_reply", params={"delay_s": 60})


def test_a_client_that_vanishes_while_the_sink_thinks(sink: Sink) -> None:
    sink.plan(THINKS)
    with sink.wire(upto_data=True) as wire:
        # Longer than any record waits for company: nothing else is about to be written, so that the stored
        # mail must see to itself.
        time.sleep(0.05)
        wire.sock.sendall(WHOLE)
        sink.until("stored")
    reply = sink.until("reply")
    assert (reply["flushed"], reply["fault"], reply["code"]) == (False, "late_reply", 250)
    assert sink.until("session_end")["how"] == "closed"
    assert sink.counters()["aborted_after_store"] == 1


def test_sigterm_while_the_sink_thinks(sink: Sink) -> None:
    sink.plan(THINKS)
    with sink.wire(upto_data=True) as wire:
        wire.sock.sendall(WHOLE)
        sink.until("stored")
        assert sink.stop() == (0, "")
        assert wire.ended()
    stored, _fault, reply, end, stop = sink.records()[-5:]
    assert (reply["mail"], reply["flushed"], end["how"], stop["event"]) == (
        stored["mail"],
        False,
        "shutdown",
        "sink_stop",
    )


def test_sigterm_in_the_data_phase(sink: Sink) -> None:
    with sink.wire(upto_data=True) as wire:
        wire.sock.sendall(WHOLE[:100])
        assert sink.stop(signal.SIGINT) == (0, "")
        assert wire.ended()
    aborted, end = sink.records("aborted", "session_end")
    assert (aborted["stage"], end["how"], end["stage"]) == ("data", "shutdown", "data")
    assert not sink.records("stored")


def test_a_client_that_vanishes_in_the_data_phase(sink: Sink) -> None:
    with sink.wire(upto_data=True) as wire:
        wire.sock.sendall(WHOLE[:-3])
    assert sink.until("aborted")["why"] == "peer gone in DATA"
    assert sink.until("session_end")["how"] == "closed"
    assert not sink.records("stored")


def test_think_time_is_before_each_reply_and_after_the_disk(start_sink) -> None:
    sink = start_sink("--latency-s", "0.3", "--idle-limit-s", "0.2")
    begun = time.monotonic()
    sink.send()
    assert time.monotonic() - begun >= 4 * 0.3
    sink.until("reply")
    stored, reply = sink.records("stored", "reply")
    assert reply["flushed"] is True
    assert reply["mono_ns"] - stored["mono_ns"] >= 0.29e9  # libuv counts from the beginning of its turn


def test_a_client_that_reads_no_replies_is_cut_and_not_called_answered(start_sink) -> None:
    """The kernel's buffers fill up; what stays in ours was not handed over."""
    sink = start_sink("--idle-limit-s", "0.5", "--max-size", "1000000")
    with sink.wire() as wire:
        wire.sock.settimeout(0.2)
        try:
            while True:
                wire.sock.sendall(b"HELP\r\n" * 1000)
        except TimeoutError:
            pass
        except ConnectionError:
            pass
        assert sink.until("session_end")["how"] == "idle"
