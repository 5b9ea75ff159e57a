"""A refusal for demos: with SIMULATE_FAILURES, a recipient with `fail` in it is refused without a connection.

Used by deliver.py. Such a mail is tried again three times and then discarded as failed.
"""

from __future__ import annotations

from typing import Final

from system.delivery.outcomes import Outcome
from system.delivery.states import Work

RETRIES: Final = 3
OUTCOME: Final = Outcome("retry", "rcpt", "rcpt: simulated refusal of this recipient")


def refuses(work: Work) -> bool:
    """Whether this mail is to be refused."""
    return "fail" in str(work.payload.get("to", ""))
