"""What the inbox holds, what can be asked of it, and what it answers. Plain data.

Shared by the index, which keeps mails, and by the handlers, which are asked for them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import NamedTuple


class Entry(NamedTuple):
    """One stored mail; `at_s` is wall-clock time (s since the epoch), `recipients` a JSON list."""

    mail: int
    session: int
    at_s: float
    key: str | None
    job_id: str | None
    message_id: str | None
    attempt: int | None
    sender: str
    recipients: str
    subject: str
    digest: str
    size: int
    raw_at: int
    raw_file: str | None = None
    """Where its bytes are; None: in the usual file."""

    copy: int = 1
    copies: int = 1
    """Which one it is, and of how many that carry the same key (or Message-ID, without a key) so far."""

    @property
    def name(self) -> str | None:
        """What its copies have in common with it; None: nothing."""
        return self.key or self.message_id

    def to_json(self) -> dict[str, object]:
        """Return it as the API shows it, without where it lies."""
        shown = self._asdict()
        del shown["raw_at"], shown["raw_file"]
        return {**shown, "recipients": json.loads(self.recipients)}


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for; None: anything. Texts are parts, and upper and lower case are the same."""

    key: str | None = None
    recipient: str | None = None
    sender: str | None = None
    subject: str | None = None
    text: str | None = None
    since_s: float | None = None
    until_s: float | None = None
    before: int | None = None
    """Only mails with a smaller number: where the last page ended."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One mail that must be there exactly once; `digest` None: whatever it says."""

    key: str
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """How the stored mails differ from the expected ones; keys in order, `duplicated` with their copies."""

    missing: list[str]
    duplicated: dict[str, int]
    unexpected: list[str]
    corrupted: list[str]

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return not (self.missing or self.duplicated or self.unexpected or self.corrupted)
