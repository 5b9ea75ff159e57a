"""What a request to Mailpit's API asks for: numbers, dates, searches, IDs. Bad ones are a 400 with words.

Called by `mailpit` and `mailpit_mail`. Asks the index only to search.
"""

from __future__ import annotations

import json
import re

from aiohttp import web

from fake_smtp.entries import Entry
from fake_smtp.index import Index
from fake_smtp.mailpit_query import SearchError, find, moment

NUMBER = re.compile(r"[1-9][0-9]{0,14}")


def found(index: Index, request: web.Request) -> list[Entry]:
    """Return what the request's `query` finds. Raises HTTPBadRequest."""
    try:
        return find(index, request.query.get("query", ""), request.query.get("tz", ""))
    except SearchError as error:
        raise web.HTTPBadRequest(text=str(error)) from None


def whole(request: web.Request, name: str, otherwise: int) -> int:
    """Return a whole number from the query, `otherwise` without one. Raises HTTPBadRequest."""
    text = request.query.get(name) or str(otherwise)
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise web.HTTPBadRequest(text=f"{name!r} must be a whole number from 0, not {text!r}")
    return int(text)


def before(request: web.Request) -> float | None:
    """Return the `before` of a page in seconds since 1970, None without one. Raises HTTPBadRequest."""
    given = request.query.get("before")
    try:
        return moment(given) if given else None
    except SearchError as error:
        raise web.HTTPBadRequest(text=f"'before': {error}") from None


def numbers(body: bytes) -> list[int]:
    """Read {"IDs": [...]}; nothing at all, or no IDs: an empty list. Raises HTTPBadRequest."""
    try:
        data = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict) or {name.lower() for name in data} - {"ids"}:
        raise web.HTTPBadRequest(text='the body must be JSON such as {"IDs": ["1"]}; empty, it deletes all')
    given = next(iter(data.values()), None)
    given = [] if given is None else given
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise web.HTTPBadRequest(text="'IDs' must be a list of texts")
    # 0 is no mail: a list of unknown IDs must not be taken for an empty one.
    return [int(name) if NUMBER.fullmatch(name) else 0 for name in given]
