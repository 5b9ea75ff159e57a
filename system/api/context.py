"""What the API's views work with: the ledger, the acceptance, the hints, and two impatient lookers.

Made once per process by the app factory, after the fork. Nothing connects before its first use.
"""

from __future__ import annotations

from dataclasses import dataclass

import redis
from flask import current_app

from system import clients
from system.delivery.accepting import Acceptance
from system.delivery.broker import Broker
from system.delivery.hints import Hints
from system.delivery.ledger import Ledger
from system.settings import Settings

# Readiness and metrics must answer within about two seconds, whatever hangs behind them.
LOOK_TIMEOUT_S = 0.8


@dataclass(slots=True)
class Context:
    """One process's tools. `watch` and `broker` have short time-outs and never retry."""

    settings: Settings
    ledger: Ledger
    acceptance: Acceptance
    hints: Hints
    watch: redis.Redis
    broker: Broker

    def close(self) -> None:
        """Closes every connection; called where a process outlives its app, as in tests."""
        for part in (self.ledger.client, self.acceptance, self.hints, self.watch, self.broker):
            part.close()


def make_context(settings: Settings) -> Context:
    """Fresh tools for this process."""
    timeout = settings.redis_timeout_s
    look = min(LOOK_TIMEOUT_S, timeout)
    return Context(
        settings=settings,
        ledger=Ledger(clients.ledger(settings), settings),
        acceptance=Acceptance(clients.ledger(settings, retries=0), settings),
        hints=Hints(settings, timeout),
        watch=clients.ledger(settings, look, retries=0),
        broker=Broker(settings, look),
    )


def context() -> Context:
    """The tools of the app that handles this request."""
    found: Context = current_app.extensions["mail"]
    return found
