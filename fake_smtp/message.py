"""Reads from a raw mail what the evidence needs: our headers, and the digest of subject and text.

Called by the server for each mail, on the hot path: it parses only the headers it wants.
Never raises for a malformed mail: what cannot be read is None or a replacement character.
"""

from __future__ import annotations

import binascii
import email
import quopri
import re
from email.errors import HeaderParseError
from email.header import decode_header
from typing import NamedTuple

from reports.evidence import content_digest

_WANTED = {
    b"message-id",
    b"subject",
    b"content-type",
    b"content-transfer-encoding",
    b"x-job-key",
    b"x-job-id",
    b"x-attempt",
    b"x-worker",
    b"x-hint",
}
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_MULTIPARTS_MOST = 50
"""Parts in parts: the parser takes time in the square of their depth."""
_DECODED_MOST = 65536
"""Characters of one header whose encoded words are decoded."""
_CHARSET = re.compile(rb"""charset\s*=\s*["']?([^\s;"']+)""", re.IGNORECASE)


class Mail(NamedTuple):
    """What one raw mail says about itself; None: it does not."""

    message_id: str | None
    """Without angle brackets, as receipts are asked for."""
    key: str | None
    job_id: str | None
    attempt: int | None
    worker: str | None
    hint: str | None
    subject: str
    text: str
    digest: str


def parse(raw: bytes) -> Mail:
    """Read one mail (dot-unstuffed, any line ends)."""
    head, body = _split(raw)
    headers = _headers(head)
    message_id = _text(headers.get(b"message-id"))
    attempt = _text(headers.get(b"x-attempt"))
    subject, text = _subject(headers.get(b"subject", b"")), _body_text(raw, headers, body)
    return Mail(
        message_id=(message_id or "").removeprefix("<").removesuffix(">") or None,
        key=_text(headers.get(b"x-job-key")),
        job_id=_text(headers.get(b"x-job-id")),
        attempt=int(attempt)
        if attempt and attempt.isascii() and attempt.isdigit() and len(attempt) < 19
        else None,
        worker=_text(headers.get(b"x-worker")),
        hint=_text(headers.get(b"x-hint")),
        subject=subject,
        text=text,
        digest=content_digest(subject, text),
    )


def _split(raw: bytes) -> tuple[bytes, bytes]:
    if raw.startswith((b"\r\n", b"\n")):
        return b"", raw[raw.index(b"\n") + 1 :]
    # Nearly every mail has plain CRLF, and a search for bytes is several times faster than a pattern.
    at = raw.find(b"\r\n\r\n")
    if at >= 0 and raw.find(b"\n\n", 0, at) < 0 and raw.find(b"\n\r\n", 0, at + 2) < 0:
        return raw[:at], raw[at + 4 :]
    end = _HEAD_END.search(raw)
    return (raw[: end.start()], raw[end.end() :]) if end else (raw, b"")


def _headers(head: bytes) -> dict[bytes, bytes]:
    """Return the wanted headers, names lowered and values unfolded; the first of a name counts."""
    if b"\n " in head or b"\n\t" in head:
        head = _FOLD.sub(b"", head)
    found: dict[bytes, bytes] = {}
    for line in head.split(b"\n"):
        name, colon, value = line.partition(b":")
        name = name.lower()
        if name in _WANTED and colon and name not in found:
            found[name] = value.rstrip(b"\r")
    return found


def _text(value: bytes | None) -> str | None:
    return None if value is None else decoded(value).strip() or None


def _subject(value: bytes) -> str:
    return decoded(value).lstrip(" \t")


def decoded(value: bytes) -> str:
    """Decode encoded words (also in our own headers: long ones are folded that way)."""
    text = value.decode("utf-8", "replace")
    if "=?" not in text:
        return text
    # Taking it apart takes time in the square of its length.
    text, rest = text[:_DECODED_MOST], text[_DECODED_MOST:]
    try:
        parts = decode_header(text)
    except (ValueError, binascii.Error, LookupError, HeaderParseError):
        return text + rest
    return (
        "".join(in_charset(part, charset) if isinstance(part, bytes) else part for part, charset in parts)
        + rest
    )


def in_charset(data: bytes, charset: str | None) -> str:
    """Decode bytes whose charset is declared, perhaps wrongly; never raises."""
    # US-ASCII is often declared over UTF-8; the reverse does no harm.
    name = "utf-8" if charset is None or charset.lower() in ("us-ascii", "ascii", "unknown-8bit") else charset
    try:
        text = data.decode(name, "replace")
    except (LookupError, ValueError):
        text = data.decode("utf-8", "replace")
    # Some codecs let surrogates through, and the digest could not encode them.
    return text.encode("utf-8", "replace").decode()


def _body_text(raw: bytes, headers: dict[bytes, bytes], body: bytes) -> str:
    content_type = headers.get(b"content-type", b"")
    if content_type.strip().lower().startswith(b"multipart/"):
        return _first_plain(raw)
    declared = _CHARSET.search(content_type)
    charset = declared.group(1).decode("ascii", "replace") if declared else None
    encoding = headers.get(b"content-transfer-encoding", b"").strip().lower()
    return in_charset(_transfer_decoded(body, encoding), charset)


def _transfer_decoded(body: bytes, encoding: bytes) -> bytes:
    if encoding == b"quoted-printable":
        return quopri.decodestring(body)
    if encoding == b"base64":
        try:
            return binascii.a2b_base64(body)
        except binascii.Error:
            return body
    return body


def _first_plain(raw: bytes) -> str:
    """Take the slow and thorough way for a multipart mail: its first text/plain part, "" without one."""
    if raw.lower().count(b"multipart/") > _MULTIPARTS_MOST:
        # Nested deep enough they would hold up every other client for seconds.
        return ""
    try:
        for part in email.message_from_bytes(raw).walk():
            if part.get_content_type() == "text/plain" and not part.is_multipart():
                payload = part.get_payload(decode=True)
                return in_charset(payload if isinstance(payload, bytes) else b"", part.get_content_charset())
    except Exception:
        # The standard library raises all kinds for broken parts, and the mail must be stored all the same.
        return ""
    return ""
