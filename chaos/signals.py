"""SIGINT and SIGTERM become one exception, once.

The first signal interrupts the story wherever it is. Every later one finds the undoing under way and
must not interrupt that: half an undo is worse than a slow one.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from chaos.errors import Interrupted


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise `Interrupted` in the main thread on the first SIGINT or SIGTERM inside the block."""
    seen = False

    def on_signal(number: int, _frame: FrameType | None) -> None:
        nonlocal seen
        if seen:
            sys.stderr.write("mailstorm: already undoing the faults and stopping; a moment please\n")
            return
        seen = True
        raise Interrupted(signal.Signals(number).name)

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
