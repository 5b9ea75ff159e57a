"""One interruption per run, and none inside an undo."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from chaos.errors import Interrupted
from chaos.signals import SIGNALS, interruptible, shielded


def send(number: int = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)


@pytest.fixture(autouse=True)
def _as_in_a_terminal() -> Iterator[None]:
    """Whoever runs the tests may run them in the background or under nohup."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_nohup_is_respected_and_a_background_job_can_still_be_interrupted() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interruptible():
        send(signal.SIGHUP)
        with pytest.raises(Interrupted, match="SIGINT"):
            send(signal.SIGINT)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_interrupts(number: int) -> None:
    with interruptible(), pytest.raises(Interrupted, match=signal.Signals(number).name):
        send(number)


def test_later_signals_do_not_interrupt_the_undoing(capsys: pytest.CaptureFixture[str]) -> None:
    undone = False
    with interruptible():
        try:
            send()
        except Interrupted:
            send(signal.SIGINT)
            send()
            undone = True
    assert undone
    assert "a moment please" in capsys.readouterr().err


def test_a_signal_inside_a_shield_waits_for_its_end() -> None:
    done = []
    with interruptible(), pytest.raises(Interrupted):
        with shielded():
            with shielded():
                send()
                done.append("inner")
            done.append("outer")
        done.append("never")
    assert done == ["inner", "outer"]


def test_an_error_in_a_shield_is_not_hidden_by_a_waiting_signal() -> None:
    with interruptible(), pytest.raises(ValueError, match="the real reason"), shielded():
        send()
        raise ValueError("the real reason")


def test_the_old_handlers_come_back() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with interruptible():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before
