"""The words of the ledger and what they are called outside.

Used by the ledger, the API and the metrics. Never talks to anything.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

STATES = ("queued", "leased", "sending", "retry", "in_doubt", "sent", "done", "failed", "cancelled")
TERMINAL = frozenset({"sent", "done", "failed", "cancelled"})

# Celery's words. SUCCESS is only said when the mail is known to be stored, FAILURE only when it is not.
PUBLIC = {
    "queued": "PENDING",
    "leased": "STARTED",
    "sending": "STARTED",
    "retry": "RETRY",
    "in_doubt": "RETRY",
    "sent": "SUCCESS",
    "done": "SUCCESS",
    "failed": "FAILURE",
    "cancelled": "REVOKED",
}

WORDS = {
    "queued": "waiting to be picked up",
    "leased": "being prepared",
    "sending": "being handed to the mail server",
    "sent": "stored by the mail server",
    "done": "done",
    "failed": "refused for good",
    "cancelled": "cancelled before anything was done",
}


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done: the job's id, its kind, the client's key (or the id), and the kind's own fields.

    `domain` is the right side of the Message-ID, if it is a mail.
    """

    job_id: str
    kind: str
    key: str
    payload: dict[str, Any]
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's right to carry one job out, under one fencing token."""

    work: Work
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
class Due:
    """A job that a hint is to be published for; urgent: its lease has ended, or it is in doubt."""

    job_id: str
    kind: str
    urgent: bool


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a relay has to do now: probe the login, publish; `looked_at`: how many jobs were due."""

    probe: bool
    due: list[Due]
    looked_at: int


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

    @property
    def public(self) -> str:
        """Celery's word for it."""
        return PUBLIC[self.state]

    @property
    def kind(self) -> str:
        """The name of its kind."""
        return self.fields["kind"]

    @property
    def payload(self) -> dict[str, Any]:
        """The kind's own fields, as they were accepted."""
        payload: dict[str, Any] = json.loads(self.fields["payload"])
        return payload

    @property
    def result(self) -> Any:
        """What came of it; None while, or if, nothing did."""
        if self.state == "sent":
            return sent_result(self.payload)
        return json.loads(self.fields.get("result") or "null")

    @property
    def error(self) -> str | None:
        """The last thing that went wrong, in words."""
        return self.fields.get("error") or None

    @property
    def held(self) -> bool:
        """Whether it is in doubt and waits for a person."""
        return self.state == "in_doubt" and self.fields.get("detail", "").startswith(HELD)


# How the detail of a doubt begins that waits for a person; written by the scripts.
HELD = "in doubt, held"


def sent_result(payload: dict[str, Any]) -> str:
    """The result of a mail that is stored."""
    return f"Email sent to {payload['to']}"
