"""What a worker process needs to carry jobs out: its ledger, mailer and receipts.

Made by each pool process for itself after the fork, because none of these may be shared over one.
Never made by the API or the relay.
"""

from __future__ import annotations

from dataclasses import dataclass

from system import clients
from system.delivery.ledger import Ledger
from system.delivery.mailer import Mailer
from system.delivery.receipts import HttpReceipts, Receipts
from system.settings import Settings


@dataclass(slots=True)
class Parts:
    """One process's tools. `receipts` is None where nobody can be asked."""

    settings: Settings
    ledger: Ledger
    mailer: Mailer
    receipts: Receipts | None
    worker: str


def make_parts(settings: Settings) -> Parts:
    """Fresh tools for this process; nothing connects before its first use."""
    receipts = (
        HttpReceipts(settings.receipts_url, settings.receipts_timeout_s) if settings.receipts_url else None
    )
    client = clients.ledger(settings)
    return Parts(settings, Ledger(client, settings), Mailer(settings), receipts, clients.worker_name())
