"""One mail in the JSON shapes of Mailpit's API v1: as lists show it, and whole.

Called by `mailpit` with an entry of the index and the raw mail. Knows no HTTP, and never raises for a
malformed mail.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from email.utils import getaddresses, parsedate_to_datetime
from typing import Any

from fake_smtp.entries import Entry
from fake_smtp.parts import Part, decoded, safely, stripped, take_apart

_SNIPPET = 200
_SNIPPET_HTML = 20_000
"""Characters; what stands behind them cannot matter for a snippet."""
_SUMS = {"MD5": "md5", "SHA1": "sha1", "SHA256": "sha256"}


class Letter:
    """One mail, to be shown."""

    def __init__(self, entry: Entry, raw: bytes) -> None:
        self._entry = entry
        self._headers, self.parts = take_apart(raw)
        plain, html = self._body("text/plain"), self._body("text/html")
        self.html = html.text() if html else ""
        self.text = plain.text() if plain else stripped(self.html)
        self._files = [part for part in self.parts if part not in (plain, html) and (part.name or part.id)]

    def headers(self) -> dict[str, list[str]]:
        """Return all headers, still encoded, by name; names are in order and in one spelling."""
        found: dict[str, list[str]] = {}
        for name, value in self._headers:
            found.setdefault("-".join(map(str.capitalize, name.split("-"))), []).append(value)
        return dict(sorted(found.items()))

    def summary(self) -> dict[str, Any]:
        """Return the mail as lists show it."""
        return {
            **self._same(),
            "Read": False,
            "Created": _time(self._received()),
            "Attachments": sum(part.attached for part in self._files),
            "Snippet": self._snippet(),
        }

    def message(self) -> dict[str, Any]:
        """Return the mail with its texts, and what it says of its files."""
        unsubscribe = self._header("List-Unsubscribe")
        return {
            **self._same(),
            "ReturnPath": self._entry.sender,
            "Date": self._date(),
            "ListUnsubscribe": {
                "Header": unsubscribe,
                "Links": re.findall(r"<([^<>]+)>", unsubscribe),
                "Errors": "",
                "HeaderPost": self._header("List-Unsubscribe-Post"),
            },
            "Text": self.text,
            "HTML": self.html,
            "Inline": [_file(part) for part in self._files if not part.attached],
            "Attachments": [_file(part) for part in self._files if part.attached],
        }

    def _same(self) -> dict[str, Any]:
        to, copy, blind = (self._addresses(name) for name in ("To", "Cc", "Bcc"))
        told = {address["Address"].lower() for address in (*to, *copy, *blind)}
        envelope: list[str] = json.loads(self._entry.recipients)
        untold = [{"Name": "", "Address": one} for one in envelope if one.lower() not in told]
        senders = self._addresses("From") or [{"Name": self._header("From"), "Address": ""}]
        return {
            "ID": str(self._entry.mail),
            "MessageID": self._entry.message_id or "",
            "From": senders[0],
            "To": to,
            "Cc": copy,
            "Bcc": blind + untold,
            "ReplyTo": self._addresses("Reply-To"),
            "Subject": self._entry.subject,
            "Tags": [],
            "Username": "",
            "Size": self._entry.size,
        }

    def _body(self, kind: str) -> Part | None:
        return next((part for part in self.parts if part.kind == kind and not part.attached), None)

    def _values(self, name: str) -> list[str]:
        return [value for given, value in self._headers if given.lower() == name.lower()]

    def _header(self, name: str) -> str:
        return decoded(next(iter(self._values(name)), ""))

    def _addresses(self, name: str) -> list[dict[str, str]]:
        # Taken apart before names are decoded: a decoded name may hold a comma.
        found: list[tuple[str, str]] = safely(lambda: getaddresses(self._values(name)), [])
        return [{"Name": decoded(name), "Address": address} for name, address in found if address]

    def _received(self) -> datetime:
        return datetime.fromtimestamp(self._entry.at_s, UTC)

    def _date(self) -> str:
        said = safely(lambda: parsedate_to_datetime(self._header("Date")), self._received())
        return _time(said if said.tzinfo else said.replace(tzinfo=UTC))

    def _snippet(self) -> str:
        text = " ".join((stripped(self.html[:_SNIPPET_HTML]) or self.text).split())
        return text if len(text) <= _SNIPPET else text[:_SNIPPET] + "..."


def _file(part: Part) -> dict[str, Any]:
    sums = {name: hashlib.new(kind, part.content, usedforsecurity=False) for name, kind in _SUMS.items()}
    return {
        "PartID": part.number,
        "FileName": part.name or part.id,
        "ContentType": part.kind,
        "ContentID": part.id,
        "Size": len(part.content),
        "Checksums": {name: found.hexdigest() for name, found in sums.items()},
    }


def _time(moment: datetime) -> str:
    timespec = "milliseconds" if moment.microsecond else "seconds"
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")
