"""Hands one mail to the SMTP server and says on which side of the final dot an attempt ended.

Owned by one pool process; keeps one connection between mails. Asks a gate before anything irrevocable.
Never retries a mail by itself, except that a kept connection found dead before the 354 is replaced once.
"""

from __future__ import annotations

import logging
import os
import smtplib
import socket
from typing import Protocol

from system.delivery.message import dot_stuffed
from system.delivery.outcomes import Outcome, Stage, judge
from system.delivery.session import Refused, Session
from system.failpoints import hit
from system.settings import Settings

log = logging.getLogger(__name__)

_BROKEN = (OSError, smtplib.SMTPException, UnicodeError)


class Gate(Protocol):
    """The right to send, as the mailer sees it."""

    def still_mine(self) -> bool:
        """Asked after every reply before the 354; may renew the right."""
        ...

    def begin(self) -> bool:
        """Asked after the 354: announces the body. False: nothing may be sent."""
        ...

    def in_time(self) -> bool:
        """Asked right before the final dot, without a network: whether the right is still held for sure."""
        ...


class Mailer:
    """Sends mails over one kept connection; not for use by several threads or over a fork."""

    def __init__(self, settings: Settings) -> None:
        self._s = settings
        self._session: Session | None = None
        self._pid = os.getpid()
        self._hostname = (
            "".join(c for c in socket.gethostname() if c.isascii() and (c.isalnum() or c in "-."))
            or "localhost"
        )
        self._stage: Stage = "connect"

    def send(self, raw: bytes, recipient: str, gate: Gate) -> Outcome:
        """Makes one attempt; every failure becomes an outcome."""
        kept = self._kept()
        try:
            outcome = self._attempt(raw, recipient, gate)
        except _BROKEN as error:
            self.drop()
            before_354 = self._stage in {"mail", "rcpt", "data"}
            if kept and before_354 and gate.still_mine():
                log.info("kept connection was dead at %s, opening another", self._stage)
                return self._once_more(raw, recipient, gate)
            return self._broke_off(error)
        if kept and outcome.words.startswith(("mail: 421", "rcpt: 421", "data: 421")) and gate.still_mine():
            return self._once_more(raw, recipient, gate)
        return outcome

    def probe(self) -> Outcome:
        """Connects and logs in on a connection of its own; `sent` means that the login works."""
        session = Session(self._s, self._hostname)
        try:
            session.open()
            session.noop()
        except Refused as error:
            return error.outcome
        except _BROKEN as error:
            return Outcome("retry", "connect", f"connect: {error}")
        finally:
            session.leave()
        return Outcome("sent", "auth", "login works")

    def drop(self) -> None:
        """Closes the kept connection without a word."""
        if self._session:
            self._session.drop()
        self._session = None

    def quit(self) -> None:
        """Leaves the kept connection politely; called when the process ends."""
        if self._session and self._pid == os.getpid():
            self._session.leave()
        self._session = None

    def _kept(self) -> bool:
        if self._pid != os.getpid():
            self._session, self._pid = None, os.getpid()
        return self._session is not None and self._session.sock is not None

    def _once_more(self, raw: bytes, recipient: str, gate: Gate) -> Outcome:
        self.drop()
        try:
            return self._attempt(raw, recipient, gate)
        except _BROKEN as error:
            self.drop()
            return self._broke_off(error)

    def _broke_off(self, error: Exception) -> Outcome:
        words = f"{self._stage}: {type(error).__name__}: {error}"[:300]
        return Outcome("in_doubt" if self._stage == "dot" else "retry", self._stage, words)

    def _attempt(self, raw: bytes, recipient: str, gate: Gate) -> Outcome:
        try:
            session = self._opened()
            if not self._announce(session, recipient, gate):
                return self._stale("the lease was lost before the 354")
        except Refused as error:
            self._after_refusal(error.outcome)
            return error.outcome
        return self._hand_over(session, dot_stuffed(raw), gate)

    def _opened(self) -> Session:
        if self._session is None or self._session.sock is None:
            self._stage = "connect"
            self._session = Session(self._s, self._hostname)
            self._session.open()
        return self._session

    def _announce(self, session: Session, recipient: str, gate: Gate) -> bool:
        commands: list[tuple[Stage, str, int]] = [
            ("mail", f"MAIL FROM:<{self._s.mail_from}>", 250),
            ("rcpt", f"RCPT TO:<{recipient}>", 250),
            ("data", "DATA", 354),
        ]
        for stage, line, hoped in commands:
            if not gate.still_mine():
                return False
            self._stage = stage
            session.command(stage, line, hoped)
        return True

    def _hand_over(self, session: Session, body: bytes, gate: Gate) -> Outcome:
        self._stage = "body"
        hit("mail.before_mark")
        if not gate.begin():
            return self._stale("the lease was lost before the body")
        hit("mail.after_mark")
        session.send(body)
        if not gate.in_time():
            return self._stale("the lease was used up before the final dot")
        hit("mail.before_dot")
        # From this line on, only a complete reply says whether the mail is stored.
        self._stage = "dot"
        session.send(b".\r\n")
        hit("mail.after_dot")
        code, text = session.getreply()
        outcome = judge("dot", code, text)
        self._after_refusal(outcome)
        return outcome

    def _stale(self, words: str) -> Outcome:
        self.drop()
        return Outcome("stale", self._stage, words)

    def _after_refusal(self, outcome: Outcome) -> None:
        """Keeps the connection for the next mail where the server is in a known state."""
        if outcome.kind == "sent":
            return
        reusable = outcome.kind in {"failed", "retry"} and outcome.stage in {"mail", "rcpt", "data", "dot"}
        if (
            not reusable
            or self._session is None
            or ": 421" in outcome.words
            or outcome.words.startswith("421")
        ):
            self.drop()
            return
        try:
            if self._session.rset()[0] != 250:
                self.drop()
        except _BROKEN:
            self.drop()
