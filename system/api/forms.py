"""The forms of the page: their fields, as clients of older systems name them, and how they become a job.

Used by pages.py. Never accepts anything and never asks the ledger.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from flask import request

# Fields of each form, as the clients of older systems name them.
FIELDS = {
    "email": ("recipient", "subject", "body", "priority"),
    "reverse": ("text",),
    "sentiment": ("text",),
    "greet": ("name",),
    "sleep": ("duration",),
    "add": ("a", "b"),
}
_NUMBERS = frozenset({"duration", "a", "b"})
_MAY_BE_EMPTY = frozenset({"notify", "priority"})
_OURS = {"form_type": "kind", "recipient": "to"}
_THEIRS = {ours: theirs for theirs, ours in _OURS.items()}
_TOKEN = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(slots=True)
class Sent:
    """A form as it was sent: shown again with its values, with what is wrong, and under the same token."""

    kind: str = ""
    token: str = ""
    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that can be pointed at."""
        return (*FIELDS.get(self.kind, ()), "notify")


def read_form() -> Sent:
    """What the form holds of its kind's fields; browsers send CR LF for each line's end."""
    kind, token = request.form.get("form_type", ""), request.form.get("token", "")
    names = (*FIELDS[kind], "notify") if kind in FIELDS else ()
    values = {name: request.form.get(name, "").replace("\r\n", "\n") for name in names}
    return Sent(kind, token if _TOKEN.fullmatch(token) else "", values)


def key_of_form(sent: Sent) -> str:
    """One key for each rendered form and content: a reload repeats it, a corrected form does not collide."""
    if not sent.token:
        return ""
    content = json.dumps([sent.kind, sent.values], sort_keys=True)
    return f"form.{sent.token}.{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def as_body(sent: Sent) -> dict[str, Any]:
    """The form as a client of `POST /jobs` would say it."""
    given = {name: value for name, value in sent.values.items() if value or name not in _MAY_BE_EMPTY}
    numbers = {name: _number(given[name]) for name in _NUMBERS & given.keys()}
    return in_our_words({"form_type": sent.kind, **given, **numbers})


def _number(text: str) -> int | float | str:
    """The number in a form's field; anything else stays the text that it is, to be refused."""
    with suppress(ValueError):
        return int(text)
    with suppress(ValueError):
        if math.isfinite(number := float(text)):
            return number
    return text


def in_our_words(data: dict[str, Any]) -> dict[str, Any]:
    """A body in the field names of `POST /jobs`."""
    return {_OURS.get(name, name): value for name, value in data.items()}


def in_their_words(errors: dict[str, str]) -> dict[str, str]:
    """Errors by the field that the client sent; of a field that may be of several types it keeps one."""
    fields = {name: name.split(".")[0] for name in errors}
    return {_THEIRS.get(fields[name], fields[name]): words for name, words in errors.items()}
