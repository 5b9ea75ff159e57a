"""What clients of the control API ask for, read and checked.

Used by the handlers. Bad input raises BadRequest, with words that become a 422.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

from aiohttp import web

from fake_smtp.entries import Expected, Query
from reports.evidence import content_digest

_MOST = 1000
PAGE = 50


class BadRequest(ValueError):
    """What is wrong with a request, in words."""


def refusal(error: BadRequest) -> web.Response:
    """Answer a bad request."""
    return web.json_response({"error": str(error)}, status=422)


_WORDS = ("key", "recipient", "sender", "subject", "text")
_KNOWN = (*_WORDS, "since_s", "until_s", "before", "limit")


def query(given: Mapping[str, str]) -> tuple[Query, int]:
    """Read what mails are looked for, and how many at most."""
    known(given, _KNOWN)
    most = limit(given)
    key, recipient, sender, subject, text = map(given.get, _WORDS)
    since_s, until_s = seconds(given, "since_s"), seconds(given, "until_s")
    return Query(key, recipient, sender, subject, text, since_s, until_s, whole(given, "before")), most


def known(given: Mapping[str, str], names: Sequence[str]) -> None:
    """Refuse a parameter that is none of these."""
    for name in given:
        if name not in names:
            raise BadRequest(f"unknown parameter {name!r}; known are {', '.join(names)}")


def limit(given: Mapping[str, str]) -> int:
    """Read how long a page may be."""
    most = whole(given, "limit") or PAGE
    if most > _MOST:
        raise BadRequest(f"'limit' must be from 1 to {_MOST}")
    return most


def whole(given: Mapping[str, str], name: str) -> int | None:
    """Read a whole number from 1; None when it is not given."""
    if name not in given:
        return None
    text = given[name]
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text) > 0):
        raise BadRequest(f"{name!r} must be a whole number from 1, not {text!r}")
    return int(text)


def seconds(given: Mapping[str, str], name: str) -> float | None:
    """Read a moment, in seconds since 1970; None when it is not given."""
    if name not in given:
        return None
    try:
        value = float(given[name])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadRequest(f"{name!r} must be seconds since 1970, not {given[name]!r}")
    return value


def expected(body: bytes) -> list[Expected]:
    """Read the mails that must be there."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest('the body must be JSON such as {"expected": ["key-1"]}') from None
    listed = data.get("expected") if isinstance(data, dict) and set(data) == {"expected"} else None
    if not isinstance(listed, list) or not listed:
        raise BadRequest(
            "the body must have the one field 'expected', a list of at least one mail: no data proves nothing"
        )
    wanted = [_one(item, f"expected[{number}]") for number, item in enumerate(listed)]
    if len({one.key for one in wanted}) != len(wanted):
        raise BadRequest("a key stands in 'expected' twice; each mail must be there exactly once")
    return wanted


def _one(item: object, where: str) -> Expected:
    """Read a key, or {"key", "digest"} or {"key", "subject", "text"}."""
    if isinstance(item, str) and item:
        return Expected(item)
    if not isinstance(item, dict) or not all(isinstance(value, str) for value in item.values()):
        raise BadRequest(f"{where} must be a key or an object of texts")
    if any(not _is_text(value) for value in item.values()):
        raise BadRequest(f"{where}: half a surrogate pair is no text")
    match item:
        case {"key": key, **rest} if key and not rest:
            return Expected(key)
        case {"key": key, "digest": digest, **rest} if key and not rest:
            return Expected(key, digest)
        case {"key": key, "subject": subject, "text": text, **rest} if key and not rest:
            return Expected(key, content_digest(subject, text))
    raise BadRequest(f"{where} must have 'key', and 'digest' or 'subject' and 'text' or nothing more")


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
