"""The sink from Python: read its inbox, break it on command. For tests, ours or anybody's.

Used by `pytest_plugin` and by whoever wants a sink without pytest. Speaks HTTP only, through no proxy;
keeps no connection open, so that a test may fork or forget it. Never touches evidence.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any
from urllib.parse import quote

import requests

from fake_smtp.entries import Verification
from fake_smtp.plan import Plan, Rule
from fake_smtp.process import SinkError, SinkProcess

__all__ = ["MailSink", "SinkClient", "SinkError", "SinkProcess", "Verified"]

_POLL_S = 0.02
_PAGE = 1000
_LISTED = 20


class Verified(Verification):
    """What `verify` found: true when nothing differs; as text it says what does."""

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        if self.ok:
            return "every expected mail is there exactly once, and no other"
        copies = [f"{key} ({count} copies)" for key, count in self.duplicated.items()]
        found = {"missing": self.missing, "duplicated": copies, "unexpected": self.unexpected}
        named = {**found, "corrupted": self.corrupted}
        return "; ".join(f"{len(keys)} {what}: {_some(keys)}" for what, keys in named.items() if keys)

    # So that a bare `assert sink.verify(...)` shows it too.
    __repr__ = __str__


class SinkClient:
    """The control API of one sink. Every method raises SinkError when the sink refuses or is silent."""

    def __init__(self, control_url: str, timeout_s: float = 5.0) -> None:
        """`timeout_s` is the patience for each answer."""
        self.control_url = control_url.rstrip("/")
        self.timeout_s = timeout_s

    # --- inbox

    def mails(self, **search: Any) -> list[dict[str, Any]]:
        """Return the mails that fit, newest first; all of them unless `limit` says how many.

        `key` is exact; `recipient`, `sender`, `subject`, `text` are parts; `since_s`, `until_s` are seconds
        since 1970; `before` is a mail's number.
        """
        found: list[dict[str, Any]] = []
        page: dict[str, Any] = {"limit": _PAGE, **search}
        while True:
            answer = self._ask("GET", "/mails", params=page).json()
            found += answer["mails"]
            if answer["next"] is None or "limit" in search:
                return found
            page["before"] = answer["next"]

    def mail(self, number: int) -> dict[str, Any]:
        """Return one mail with `headers`, `text`, `html`, `attachments` and `copies`."""
        shown: dict[str, Any] = self._ask("GET", f"/mails/{number}").json()
        return shown

    def raw(self, number: int) -> bytes:
        """Return one mail as it came."""
        return self._ask("GET", f"/mails/{number}/raw").content

    def message(self, number: int) -> EmailMessage:
        """Return one mail as Python's own object."""
        message = message_from_bytes(self.raw(number), policy=default)
        assert isinstance(message, EmailMessage)
        return message

    def wait_for(self, count: int = 1, timeout_s: float = 10.0, **search: Any) -> list[dict[str, Any]]:
        """Wait until `count` mails fit, and return all that do, newest first.

        Raises TimeoutError, which says what was there.
        """
        deadline = time.monotonic() + timeout_s
        while len(found := self.mails(**search)) < count:
            if time.monotonic() >= deadline:
                wanted = "".join(f" {name}={value!r}" for name, value in search.items())
                raise TimeoutError(
                    f"after {timeout_s:g} s {len(found)} of {count} mails{wanted}\n{self.report()}"
                )
            time.sleep(_POLL_S)
        return found

    def verify(self, expected: Iterable[str | Mapping[str, str]]) -> Verified:
        """Hold the whole inbox against the mails that must be there exactly once.

        Each is a key (the mail's X-Job-Key), or `{"key", "digest"}`, or `{"key", "subject", "text"}`.
        """
        listed = expected if isinstance(expected, str) else list(expected)
        found = self._ask("POST", "/verify", json={"expected": listed}).json()
        names = ("missing", "duplicated", "unexpected", "corrupted")
        return Verified(**{name: found[name] for name in names})

    def clear(self) -> int:
        """Empty the inbox, and only that: receipts and counters stay. Return how many mails it held."""
        return int(self._ask("DELETE", "/mails").json()["forgotten"])

    def receipt(self, message_id: str) -> dict[str, Any]:
        """Return `stored` and `copies` of the mail with this Message-ID, since the sink began."""
        name = message_id.strip().removeprefix("<").removesuffix(">")
        receipt: dict[str, Any] = self._ask("GET", f"/receipts/{quote(name, safe='')}").json()
        return receipt

    # --- plan

    def set_plan(self, plan: Plan | Mapping[str, Any] | Sequence[Rule | Mapping[str, Any]]) -> None:
        """Put a plan in force, or rules with seed 0, in place of the one before; refused, that one stays."""
        if isinstance(plan, Plan):
            plan = plan.to_json()
        elif not isinstance(plan, Mapping):
            plan = {"rules": [rule.to_json() if isinstance(rule, Rule) else rule for rule in plan]}
        self._ask("PUT", "/plan", json=plan)

    def clear_plan(self) -> None:
        """Go back to an honest server."""
        self._ask("DELETE", "/plan")

    @contextmanager
    def fault(self, name: str, /, **params: Any) -> Iterator[None]:
        """Let this fault hit every mail of the block, in place of any plan; then an honest server."""
        self.set_plan([Rule(name, params=params)])
        try:
            yield
        finally:
            self.clear_plan()

    def set_phase(self, phase: str | None) -> None:
        """Say which phase is on, for the rules that ask; None: none."""
        self._ask("PUT", "/phase", json={"phase": phase})

    # --- figures

    def counters(self) -> dict[str, Any]:
        """Return what the sink counted since it began."""
        counters: dict[str, Any] = self._ask("GET", "/counters").json()
        return counters

    def report(self) -> str:
        """Return the last mails and the plan in force, for people."""
        mails, rules = self.mails(), self._ask("GET", "/plan").json()["rules"]
        head = f"{len(mails)} mails in the inbox" + (", the last ones first:" if mails else "")
        lines = [head, *map(_line, mails[:_LISTED])]
        if len(mails) > _LISTED:
            lines.append(f"  and {len(mails) - _LISTED} earlier ones")
        lines.append("the plan in force:" if rules else "no plan in force: an honest server")
        return "\n".join([*lines, *map(_rule, rules)])

    def _ask(self, method: str, path: str, **more: Any) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            try:
                answer = session.request(method, self.control_url + path, timeout=self.timeout_s, **more)
            except requests.Timeout:
                raise SinkError(self._no(method, path, f"no answer within {self.timeout_s:g} s")) from None
            except requests.RequestException as error:
                why = "nobody answers there" if isinstance(error, requests.ConnectionError) else str(error)
                raise SinkError(self._no(method, path, why)) from error
        if not answer.ok:
            raise SinkError(self._no(method, path, f"{answer.status_code}: {_words(answer)}"))
        return answer

    def _no(self, method: str, path: str, why: str) -> str:
        return f"{method} {self.control_url}{path}: {why}"


class MailSink(SinkClient):
    """A shared sink as one test sees it. Made by the pytest plugin."""

    def __init__(self, process: SinkProcess) -> None:
        """Look at a running sink; `reset` makes it like new."""
        super().__init__(process.control_url)
        self.process = process
        self.smtp_host, self.smtp_port = process.smtp_host, process.smtp_port
        self._before: dict[str, Any] = {}

    def reset(self) -> None:
        """Begin anew: an honest server, no phase, an empty inbox, and `counted` from zero."""
        self.clear_plan()
        self.set_phase(None)
        self.clear()
        self._before = self.counters()

    @property
    def counted(self) -> dict[str, Any]:
        """The counters since the test began; `open_sessions` is how many there are now."""
        now = self.counters()
        return {**_less(now, self._before), "open_sessions": now["open_sessions"]}


def _less(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _less(value, before.get(name, {})) if isinstance(value, dict) else value - before.get(name, 0)
        for name, value in now.items()
    }


def _words(answer: requests.Response) -> str:
    try:
        return str(answer.json()["error"])
    except (ValueError, LookupError, TypeError):
        return answer.text.strip() or str(answer.reason)


def _some(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - _LISTED} more" if len(keys) > _LISTED else ""
    return ", ".join(keys[:_LISTED]) + more


def _line(mail: Mapping[str, Any]) -> str:
    key = f"key {mail['key']}" if mail["key"] else "no key"
    return f"  #{mail['mail']} {key}, to {', '.join(mail['recipients'])}: {mail['subject']!r}"


def _rule(rule: Mapping[str, Any]) -> str:
    return "  " + json.dumps({name: value for name, value in rule.items() if value not in (None, {})})
