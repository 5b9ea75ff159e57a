"""Asks the target, the sink and the harness over HTTP: with a limit on the whole answer, past any proxy.

Used by the tab from greenlets of its own. Every failure is one RemoteError with words for the page.
"""

from __future__ import annotations

from typing import Any

import gevent
import requests

LIMIT_S = 2.0


class RemoteError(Exception):
    """No, or no answer; `status` is the one to pass on."""

    def __init__(self, words: str, status: int = 502) -> None:
        super().__init__(words)
        self.status = status


class Remote:
    """One server; `who` is what the page calls it."""

    def __init__(self, address: str, who: str) -> None:
        self.address = address.rstrip("/")
        self.who = who

    def text(self, path: str) -> str:
        """Ask for a page. Raises RemoteError."""
        return str(self._ask("GET", path, None, LIMIT_S).text)

    def get(self, path: str) -> dict[str, Any]:
        """Ask for a JSON object. Raises RemoteError."""
        return self._object(self._ask("GET", path, None, LIMIT_S))

    def send(self, method: str, path: str, body: object = None, limit_s: float = LIMIT_S) -> dict[str, Any]:
        """Change something. Raises RemoteError with the server's own words when it says no."""
        return self._object(self._ask(method, path, {} if body is None else body, limit_s))

    def _ask(self, method: str, path: str, body: object, limit_s: float) -> requests.Response:
        late = RemoteError(f"{self.who} at {self.address} does not answer within {limit_s:g} s", 504)
        try:
            with gevent.Timeout(limit_s, late), requests.Session() as session:
                session.trust_env = False
                response = session.request(method, self.address + path, json=body, timeout=limit_s)
        except requests.Timeout as error:
            raise late from error
        except requests.RequestException as error:
            raise RemoteError(f"{self.who} at {self.address} cannot be reached") from error
        if not response.ok:
            raise RemoteError(
                _words(response) or f"{self.who} answers {response.status_code}", response.status_code
            )
        return response

    def _object(self, response: requests.Response) -> dict[str, Any]:
        try:
            found = response.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise RemoteError(f"{self.who} at {self.address} does not answer with a JSON object: is it one?")
        return found


def _words(response: requests.Response) -> str:
    try:
        return str(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        return ""
