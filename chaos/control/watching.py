"""Watches the system that `up` started, for as long as a person likes: what is seen is not kept.

Used by `up` instead of the experiment's observer, whose records would fill the disk within a day.
"""

from __future__ import annotations

import math
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


class PatientObserver(Observer):
    """Where no mail flowed, silence proves nothing, and there is no rate to come back to."""

    def window_for(self, mails: int) -> float:
        """Seconds in which the steady rate delivers so many mails; without one, no time is enough."""
        return super().window_for(mails) if self.steady_rate_per_s else math.inf


def watching(stack: LocalStack, live: Live) -> Observer:
    """Watch this stack, for `live`."""
    return PatientObserver(NoRecords(), stack.metrics, stack.broker, stack.sink, live.so_far.see)
