"""Builds the mail of one attempt: the same Message-ID every time, and headers that tell where it came from.

Called by the worker before it connects. Checks every header value again, so that nothing that reached the
ledger by another way than the API can inject a header. Never opens a connection.
"""

from __future__ import annotations

import binascii
import re
from email.header import Header
from email.utils import formatdate

from system import addresses
from system.delivery.states import Work

_PLAIN_SUBJECT = 900
_BASE64_BYTES = 57
# What goes through DATA as it is: printable ASCII in lines of at most 998 characters.
_PLAIN_BODY = re.compile(r"(?:[\t -~]{0,998}(?:\r\n|\r|\n|\Z))*+")


def message_id(job_id: str, domain: str) -> str:
    """The Message-ID without angle brackets, the same for every attempt of a job."""
    return f"{job_id}@{domain}"


def _header(name: str, value: str) -> str:
    """One header line. email's own policies re-fold a header, and in doing so may change a subject."""
    if addresses.has_control(value):
        raise ValueError(f"control character in header {name}")
    plain = value.isascii() and value == value.strip() and "=?" not in value and len(value) <= _PLAIN_SUBJECT
    if not plain:
        value = Header(value, "utf-8", header_name=name, maxlinelen=76).encode(linesep="\r\n")
    return f"{name}: {value}\r\n"


def _body(text: str) -> tuple[str, bytes]:
    """The body's transfer encoding, and the body in it with CRLF at the end of every line."""
    wire = b"\r\n".join(text.encode().splitlines()) + b"\r\n"
    if _PLAIN_BODY.fullmatch(text):
        return "7bit", wire
    pieces = (wire[start : start + _BASE64_BYTES] for start in range(0, len(wire), _BASE64_BYTES))
    return "base64", b"".join(binascii.b2a_base64(piece, newline=False) + b"\r\n" for piece in pieces)


def build(work: Work, fence: int, sender: str, worker: str, hint: str) -> bytes:
    """The mail in its wire form (CRLF, not dot-stuffed, ending in CRLF).

    Written out by hand: email.message takes ten times as long for the same bytes, longer than sending them.

    Raises:
        ValueError: an address, the subject or the key would break out of its header.
        KeyError: the record is not one of a mail.

    """
    mail = work.payload
    encoding, body = _body(mail["body"])
    headers = {
        "From": addresses.check_address(sender),
        "To": addresses.check_address(mail["to"]),
        "Subject": addresses.check_subject(mail["subject"]),
        "Date": formatdate(),
        "Message-ID": f"<{message_id(work.job_id, addresses.check_domain(work.domain))}>",
        "X-Job-Key": addresses.check_key(work.key),
        "X-Job-Id": work.job_id,
        "X-Attempt": str(fence),
        "X-Worker": worker,
        "X-Hint": hint or "none",
        "Content-Type": 'text/plain; charset="utf-8"',
        "Content-Transfer-Encoding": encoding,
        "MIME-Version": "1.0",
    }
    head = "".join(_header(name, value) for name, value in headers.items())
    return head.encode("ascii") + b"\r\n" + body


def dot_stuffed(raw: bytes) -> bytes:
    """The mail as it goes through DATA, without its terminator."""
    stuffed = raw.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed if stuffed.endswith(b"\r\n") else stuffed + b"\r\n"
