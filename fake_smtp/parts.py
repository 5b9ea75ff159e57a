"""A raw mail taken apart, and HTML as plain text, for whoever shows mails.

Called by the inbox and by `mailpit_shapes`. Never raises for a malformed mail: what cannot be read is empty.
"""

from __future__ import annotations

import email
import re
from collections.abc import Callable, Iterator
from email.message import Message
from email.parser import BytesHeaderParser
from html import unescape
from typing import Any, TypeVar

from fake_smtp.message import decoded as decoded_header
from fake_smtp.message import in_charset

_T = TypeVar("_T")
_FOLD = re.compile(r"\r?\n[ \t]+")
_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)
# Not html.parser: it needs minutes for 200 kB of opened tags that nobody closes.
_TOKEN = re.compile(r"<!--|-->|</?[a-zA-Z][^<>]*>|[^<-]+|[<-]")
_NAME = re.compile(r"<(/?[a-zA-Z][a-zA-Z0-9]*)[^<>]*>")
_HIDDEN = {"<!--": "-->", "script": "/script", "style": "/style", "title": "/title"}
_BREAKS = frozenset({"p", "br", "div", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "table"})


class Part:
    """A part that holds something: text, HTML or a file. Its `number` tells where it stands: `2.1`."""

    def __init__(self, number: str, part: Message) -> None:
        self.number = number
        kind = safely(part.get_content_type, "")
        self.kind = kind if _TYPE.fullmatch(kind) else "application/octet-stream"
        self.content = safely(lambda: _content(part), b"")
        self.id = safely(lambda: str(part.get("Content-ID", "")), "").strip().strip("<>")
        self.name = safely(lambda: decoded(part.get_filename() or ""), "")
        disposition = safely(part.get_content_disposition, None)
        self.attached = disposition == "attachment" or self.kind == "application/octet-stream"
        self._charset = safely(part.get_content_charset, None)

    def text(self) -> str:
        """Return the content as text."""
        return in_charset(self.content, self._charset)


def take_apart(raw: bytes) -> tuple[list[tuple[str, str]], list[Part]]:
    """Return the headers, unfolded but still encoded, and the parts that are not made of parts."""
    mail = safely(lambda: email.message_from_bytes(raw), None)
    if mail is None:
        mail = BytesHeaderParser().parsebytes(raw)
    headers = [(name, _unfolded(value)) for name, value in mail.raw_items()]
    return headers, safely(lambda: [Part(*found) for found in _leaves(mail)], [])


def decoded(text: str) -> str:
    """Return a header's text with its encoded words decoded."""
    return decoded_header(text.encode("utf-8", "replace"))


def stripped(html: str) -> str:
    """Return about what a reader of the HTML would see. Takes time in proportion, whatever the HTML."""
    seen, end = [], ""
    for token in _TOKEN.findall(html):
        name = _NAME.match(token)
        tag = name[1].lower() if name else token
        if end:
            end = "" if tag == end else end
        elif tag in _HIDDEN:
            end = _HIDDEN[tag]
        elif name is None:
            seen.append(token)
        elif tag.removeprefix("/") in _BREAKS:
            seen.append("\n")
    lines = (line.strip() for line in unescape("".join(seen)).splitlines())
    return "\n".join(line for line in lines if line)


def safely(read: Callable[[], _T], otherwise: _T) -> _T:
    """Return what `read` returns, or `otherwise` when the mail is too broken for it."""
    try:
        return read()
    except Exception:
        # The standard library raises all kinds for broken mails, and one of them must not hide the others.
        return otherwise


def _leaves(part: Message, number: str = "") -> Iterator[tuple[str, Message]]:
    children: Any = part.get_payload()
    if part.get_content_maintype() != "multipart" or not isinstance(children, list):
        yield number or "0", part
        return
    for place, child in enumerate(children, 1):
        yield from _leaves(child, f"{number}.{place}" if number else str(place))


def _content(part: Message) -> bytes:
    inner: Any = part.get_payload(0) if part.is_multipart() else None
    if inner is not None:
        # A mail within the mail.
        return bytes(inner)
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _unfolded(value: str) -> str:
    return _FOLD.sub(" ", value).encode("ascii", "surrogateescape").decode("utf-8", "replace").strip()
