"""The words of the ledger and what they are called outside.

Used by the ledger, the API and the metrics. Never talks to anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

STATES = ("queued", "leased", "sending", "retry", "in_doubt", "sent", "failed", "cancelled")
TERMINAL = frozenset({"sent", "failed", "cancelled"})

# Celery's words. SUCCESS is only said when the mail is known to be stored, FAILURE only when it is not.
PUBLIC = {
    "queued": "PENDING",
    "leased": "STARTED",
    "sending": "STARTED",
    "retry": "RETRY",
    "in_doubt": "RETRY",
    "sent": "SUCCESS",
    "failed": "FAILURE",
    "cancelled": "REVOKED",
}

WORDS = {
    "queued": "waiting to be picked up",
    "leased": "being prepared",
    "sending": "being handed to the mail server",
    "sent": "stored by the mail server",
    "failed": "refused for good",
}


@dataclass(frozen=True, slots=True)
class Mail:
    """What is to be sent: the job's id, the client's key (or the id), one recipient, subject and text.

    `domain` is the right side of its Message-ID; empty in records older than that field.
    """

    job_id: str
    key: str
    to: str
    subject: str
    body: str
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's right to carry one job out, under one fencing token."""

    mail: Mail
    fence: int


@dataclass(frozen=True, slots=True)
class NoLease:
    """Why there is no lease; every reason but `doubt` means: leave it."""

    reason: Literal["gone", "terminal", "busy", "early", "paused", "doubt"]
    words: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to an acceptance: how it went, whose job it is, and the state of that job."""

    how: Literal["new", "replayed", "conflict"]
    job_id: str
    state: str


@dataclass(frozen=True, slots=True)
class Job:
    """A job's record and trail, as read at one moment."""

    job_id: str
    fields: dict[str, str]
    trail: list[dict[str, Any]]

    @property
    def state(self) -> str:
        """The ledger's word for where the job stands."""
        return self.fields["state"]
