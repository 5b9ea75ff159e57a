"""Builds the mail of one attempt: the same Message-ID every time, and headers that tell where it came from.

Called by the worker before it connects. Checks every header value again, so that nothing that reached the
ledger by another way than the API can inject a header. Never opens a connection.
"""

from __future__ import annotations

from email.header import Header
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import formatdate
from typing import Any

from system import addresses
from system.delivery.states import Work

_PLAIN_SUBJECT = 900
_MAX_LINE = 998
_KEPT_CONTROLS = frozenset("\t\r\n")


class _Wire(EmailPolicy):
    """Writes headers as they are: the standard policy re-folds them, and in doing so may change a subject."""

    def header_store_parse(self, name: str, value: Any) -> tuple[str, str]:
        text = str(value)
        if addresses.has_control(text):
            raise ValueError(f"control character in header {name}")
        return name, text

    def header_fetch_parse(self, name: str, value: str) -> Any:
        return value

    def fold(self, name: str, value: str) -> str:
        return f"{name}: {self._encoded(name, value)}{self.linesep}"

    def fold_binary(self, name: str, value: str) -> bytes:
        return self.fold(name, value).encode("ascii")

    def _encoded(self, name: str, value: str) -> str:
        plain = (
            value.isascii() and value == value.strip() and "=?" not in value and len(value) <= _PLAIN_SUBJECT
        )
        if plain:
            return value
        return Header(value, "utf-8", header_name=name, maxlinelen=76).encode(linesep=self.linesep)


WIRE = _Wire(linesep="\r\n", cte_type="7bit")


def message_id(job_id: str, domain: str) -> str:
    """The Message-ID without angle brackets, the same for every attempt of a job."""
    return f"{job_id}@{domain}"


def _encoding(body: str) -> str:
    printable = all(" " <= c <= "~" or c in _KEPT_CONTROLS for c in body) if body.isascii() else False
    short = all(len(line) <= _MAX_LINE for line in body.splitlines())
    return "7bit" if printable and short else "base64"


def build(work: Work, fence: int, sender: str, worker: str, hint: str) -> bytes:
    """The mail in its wire form (CRLF, not dot-stuffed, ending in CRLF).

    Raises:
        ValueError: an address, the subject or the key would break out of its header.
        KeyError: the record is not one of a mail.

    """
    mail = work.payload
    message = EmailMessage(policy=WIRE)
    message["From"] = addresses.check_address(sender)
    message["To"] = addresses.check_address(mail["to"])
    message["Subject"] = addresses.check_subject(mail["subject"])
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{message_id(work.job_id, addresses.check_domain(work.domain))}>"
    message["X-Job-Key"] = addresses.check_key(work.key)
    message["X-Job-Id"] = work.job_id
    message["X-Attempt"] = str(fence)
    message["X-Worker"] = worker
    message["X-Hint"] = hint or "none"
    message.set_content(mail["body"], cte=_encoding(mail["body"]))
    return message.as_bytes()


def dot_stuffed(raw: bytes) -> bytes:
    """The mail as it goes through DATA, without its terminator."""
    stuffed = raw.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed if stuffed.endswith(b"\r\n") else stuffed + b"\r\n"
