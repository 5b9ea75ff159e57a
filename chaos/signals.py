"""SIGINT, SIGTERM and SIGHUP become one exception, once, and never in the middle of an undo.

The first signal interrupts the story wherever it is. One that comes while something is being undone waits
until that is done, and every later one is ignored: half an undo is worse than a slow one.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from chaos.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NOHUP = (signal.SIGHUP, signal.SIG_IGN)


class _Interrupts:
    """What the one main thread knows of signals."""

    def __init__(self) -> None:
        self.shields = 0
        self.waiting: str | None = None
        self.raised = False

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.raised or self.shields:
            with contextlib.suppress(OSError):  # the terminal may be what went away
                sys.stderr.write("mailstorm: undoing the faults and stopping; a moment please\n")
        if not self.raised:
            self.waiting = signal.Signals(number).name
            self.raise_waiting()

    def raise_waiting(self) -> None:
        if self.waiting and not self.shields and not self.raised:
            self.raised = True
            raise Interrupted(self.waiting)


_interrupts = _Interrupts()


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise `Interrupted` in the main thread on the first signal inside the block."""
    global _interrupts  # noqa: PLW0603 - signals belong to the process, and so does this
    _interrupts = _Interrupts()
    # An ignored SIGHUP stays ignored: that is what nohup is for. An ignored SIGINT is only what a shell does
    # to whatever it runs in the background, and whoever sends one all the same means it.
    heard = [number for number in SIGNALS if (number, signal.getsignal(number)) != NOHUP]
    before = {number: signal.signal(number, _interrupts.on_signal) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def shielded() -> Iterator[None]:
    """Let nothing interrupt the block; a signal that came meanwhile is raised at its end.

    Only in the main thread, where signals are heard: another one would take its signal away.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupts = _interrupts
    interrupts.shields += 1
    try:
        yield
    finally:
        interrupts.shields -= 1
    interrupts.raise_waiting()
