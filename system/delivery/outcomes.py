"""How an attempt to send ended, and what a reply's code means at each stage.

Made by the mailer, acted upon by deliver.py and the policies. Pure: no sockets, no ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# connect, ehlo, starttls, auth: before any mail; mail, rcpt, data: before the 354; body, dot: after it.
Stage = Literal["connect", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "body", "dot"]
Kind = Literal["sent", "retry", "failed", "login", "in_doubt", "stale"]

BEFORE_ANY_MAIL = frozenset({"connect", "ehlo", "starttls"})
LOGIN_CODES = frozenset({530, 535})
# Bad syntax, unknown command, bad sequence: of the conversation, not of the mail.
OUT_OF_STEP = frozenset({500, 502, 503, 504})
MAX_WORDS = 300


@dataclass(frozen=True, slots=True)
class Outcome:
    """One attempt's end; of `in_doubt` alone it is not known whether the mail is stored."""

    kind: Kind
    stage: Stage
    words: str


def words_of(code: int, text: bytes | str) -> str:
    """A reply as one short printable line."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    line = " ".join(text.split())
    return f"{code} {''.join(c if c.isprintable() else '?' for c in line)}"[:MAX_WORDS].rstrip()


def judge(stage: Stage, code: int, text: bytes | str) -> Outcome:
    """What a complete reply that is not the hoped-for one means.

    After the dot only a complete 2xx, 4xx or 5xx says anything; a `25` or `354` there is no answer at all.
    """
    words = words_of(code, text)
    if stage == "dot" and 200 <= code <= 299:
        return Outcome("sent", stage, words)
    if stage == "dot" and not 400 <= code <= 599:
        return Outcome("in_doubt", stage, f"no clear answer: {words}")
    words = f"{stage}: {words}"
    if stage == "auth":
        # 421 is the server going away; every other refusal here concerns our credentials.
        return Outcome("login" if 400 <= code <= 599 and code != 421 else "retry", stage, words)
    if stage in BEFORE_ANY_MAIL or (stage != "dot" and code in OUT_OF_STEP):
        return Outcome("retry", stage, words)
    if stage == "mail" and code in LOGIN_CODES:
        return Outcome("login", stage, words)
    return Outcome("failed" if 500 <= code <= 599 else "retry", stage, words)
