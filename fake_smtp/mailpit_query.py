"""The search language of Mailpit, as far as the index can answer it; the rest is refused with words.

Called by `mailpit`. Asks the index, and never reads a raw mail.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

from fake_smtp.entries import Entry, Query
from fake_smtp.index import Index

EVERYTHING = 10**9
"""More mails than an inbox holds."""
_TERM = re.compile(r'(?:"[^"]*"?|[^\s"])+')
_REFUSED = (
    *("cc", "bcc", "reply-to", "addressed", "tag", "larger", "smaller"),
    *("is:read", "is:unread", "is:tagged", "has:inline", "has:inlines", "has:attachment", "has:attachments"),
)
_KNOWN = "to: from: subject: message-id: before: after:, words, quoted phrases, and '-' before each"
_FIELDS: dict[str, Callable[[Entry], str]] = {
    "to": lambda entry: entry.recipients,
    "from": lambda entry: entry.sender,
    "subject": lambda entry: entry.subject,
    "message-id": lambda entry: entry.message_id or "",
}
_INDEXED = {"to": "recipient", "from": "sender", "subject": "subject"}


class SearchError(ValueError):
    """What is wrong with a search, in words."""


def find(index: Index, search: str, zone: str = "") -> list[Entry]:
    """Return all mails that fit, newest first; `zone` names the time zone of dates that have none.

    Raises SearchError.
    """
    terms = list(_terms(search))
    if not terms:
        raise SearchError("the search is empty")
    narrow: dict[str, str] = {}
    checks = []
    for kind, value, wanted in terms:
        if wanted and kind in _INDEXED and _INDEXED[kind] not in narrow:
            narrow[_INDEXED[kind]] = value
        else:
            checks.append((_check(index, kind, value, zone), wanted))
    recipient, sender, subject = map(narrow.get, _INDEXED.values())
    query = Query(recipient=recipient, sender=sender, subject=subject)
    found = index.search(query, EVERYTHING)
    return [entry for entry in found if all(fits(entry) == wanted for fits, wanted in checks)]


def moment(text: str, zone: str = "") -> float:
    """Read a date or seconds since 1970, as seconds since 1970. Raises SearchError."""
    if re.fullmatch(r"\d{9,11}", text, re.ASCII):
        return float(text)
    usual = _zone(zone)
    try:
        given = datetime.fromisoformat(text)
        return (given if given.tzinfo else given.replace(tzinfo=usual)).timestamp()
    except (ValueError, OverflowError):
        raise SearchError(f"{text!r} is no date such as 2026-01-31 or 2026-01-31T12:30:00Z") from None


def _zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (LookupError, ValueError, OSError):
        raise SearchError(f"there is no time zone {name!r} here") from None


def _terms(search: str) -> Iterator[tuple[str, str, bool]]:
    """Yield kind, value and whether it is wanted. An unknown kind is a word with a colon in it."""
    for found in _TERM.findall(search):
        term = found.replace('"', "").strip()
        wanted = not (len(term) > 1 and term[0] in "-!")
        term = term if wanted else term[1:]
        kind, colon, value = term.partition(":")
        kind = kind.lower()
        if colon and (kind in _REFUSED or term.lower() in _REFUSED):
            raise SearchError(f"cannot search for {term!r} here; known are {_KNOWN}")
        if colon and (kind in _FIELDS or kind in ("before", "after")):
            if value.strip():
                yield kind, value.strip(), wanted
        elif term:
            yield "word", term, wanted


def _check(index: Index, kind: str, value: str, zone: str) -> Callable[[Entry], bool]:
    if kind == "after":
        since_s = moment(value, zone)
        return lambda entry: entry.at_s >= since_s
    if kind == "before":
        until_s = moment(value, zone)
        return lambda entry: entry.at_s <= until_s
    part = value.lower()
    if kind in _FIELDS:
        return lambda entry: part in _FIELDS[kind](entry).lower()
    fields = [_FIELDS[name] for name in ("to", "from", "subject")]
    inside = {entry.mail for entry in index.search(Query(text=value), EVERYTHING)}
    return lambda entry: entry.mail in inside or any(part in field(entry).lower() for field in fields)
