"""Watches the system that `up` started, for as long as a person likes: what is seen is not kept.

Used by `up` instead of the experiment's observer, whose records would fill the disk within a day.
"""

from __future__ import annotations

from typing import Any

from chaos.live import Live
from chaos.observe import Observer
from chaos.stack.local import LocalStack
from reports.evidence import Appender


class NoRecords(Appender):
    """Writes nothing."""

    def __init__(self) -> None:
        pass

    def append(self, event: str, **fields: Any) -> None:
        """Forget it."""

    def close(self) -> None:
        """Close nothing."""


def watching(stack: LocalStack, live: Live) -> Observer:
    """Watch this stack, for `live`."""
    return Observer(NoRecords(), stack.metrics, stack.broker, stack.sink, live.so_far.see)
