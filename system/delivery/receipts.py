"""Receipts: "did you store Message-ID X?", answered stored, not stored or cannot say.

Asked by the worker, and only about a mail whose conversation can no longer be completed. Only an answer in
the agreed shape counts; everything else is `cannot say`, never `not stored`.
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from urllib.parse import quote, urlsplit

_MAX_ANSWER = 64 * 1024


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the receiver said, and in which words."""

    answer: Literal["stored", "absent", "unknown"]
    words: str


class Receipts(Protocol):
    """Somebody who knows what the receiver has stored."""

    def ask(self, message_id: str) -> Receipt:
        """Whether a mail with this Message-ID (without angle brackets) is stored."""
        ...


class HttpReceipts:
    """Receipts over HTTP; `timeout_s` bounds each step of a request."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = urlsplit(url)
        self._timeout_s = timeout_s

    def ask(self, message_id: str) -> Receipt:
        """Asks once; every failure is `unknown`."""
        try:
            status, answer = self._get("/" + quote(message_id, safe=""))
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Receipt("unknown", f"{type(error).__name__}: {error}")
        if status != 200 or not isinstance(answer, dict) or answer.get("message_id") != message_id:
            return Receipt("unknown", f"status {status}, not the agreed answer")
        if answer.get("stored") is True:
            return Receipt("stored", f"{answer.get('copies', '?')} stored")
        if answer.get("stored") is False:
            return Receipt("absent", "none stored")
        return Receipt("unknown", "no word on whether it is stored")

    def limits(self) -> dict[str, Any]:
        """The receiver's own time limits in seconds: `data_limit_s` and `idle_limit_s`.

        Raises:
            OSError: nobody answers. ValueError: the answer is not the agreed one.

        """
        try:
            status, answer = self._get("")
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        if status != 200 or not isinstance(answer, dict) or "data_limit_s" not in answer:
            raise ValueError(f"status {status}, not the agreed answer")
        return answer

    def _get(self, path: str) -> tuple[int, Any]:
        secure = self._url.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(self._url.hostname or "", self._url.port, timeout=self._timeout_s)
        try:
            connection.request(
                "GET", self._url.path.rstrip("/") + path, headers={"Accept": "application/json"}
            )
            response = connection.getresponse()
            return response.status, json.loads(response.read(_MAX_ANSWER))
        finally:
            connection.close()
