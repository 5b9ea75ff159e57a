"""Hands one mail to the SMTP server and says on which side of the final dot an attempt ended.

Owned by one pool process; keeps one connection between mails. Asks a gate before anything irrevocable.
Never retries a mail by itself, except that a kept connection found dead, or no longer logged in, before the
354 is replaced once. No exception leaves it: what nobody expected is an outcome too, and is backed off.
"""

from __future__ import annotations

import logging
import os
import smtplib
import socket
from typing import Protocol

from system.delivery.message import dot_stuffed
from system.delivery.outcomes import MAX_WORDS, OUT_OF_STEP, Outcome, Stage, judge
from system.delivery.session import Refused, Session
from system.failpoints import hit
from system.settings import Settings

log = logging.getLogger(__name__)

_BEFORE_354 = frozenset({"mail", "rcpt", "data"})
# Replies that concern a kept connection rather than the mail; a fresh one may do better.
_CONNECTION_SPENT = ("mail: 421", "rcpt: 421", "data: 421", "mail: 530", "mail: 535")
# The conversation itself is out of step, so nothing more can be said over this connection.
_OUT_OF_STEP = tuple(f": {code}" for code in (421, *OUT_OF_STEP))


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
        # Commands of this attempt that are out, and whose replies nobody has read.
        self._unanswered = 0

    def send(self, raw: bytes, recipient: str, gate: Gate) -> Outcome:
        """Makes one attempt; every failure becomes an outcome."""
        kept = self._kept()
        outcome, broke = self._safely(raw, recipient, gate)
        spent = outcome.words.startswith(_CONNECTION_SPENT) or (broke and outcome.stage in _BEFORE_354)
        if kept and spent:
            log.info("kept connection was dead, opening another: %s", outcome.words)
            self.drop()
            outcome, _ = self._safely(raw, recipient, gate)
        return outcome

    def probe(self) -> Outcome:
        """Connects, logs in and begins a mail on a connection of its own; `sent` means that the login works.

        A server that refuses this mail for another reason than the login has accepted the login.
        """
        session = Session(self._s, self._hostname)
        try:
            session.open()
            session.say([f"MAIL FROM:<{self._s.mail_from}>"])
            session.expect("mail", 250)
            session.rset()
        except Refused as error:
            found = error.outcome
            if found.stage != "mail" or found.kind == "login" or found.words.startswith(_CONNECTION_SPENT):
                return found
        except Exception as error:
            return Outcome("retry", "connect", f"connect: {type(error).__name__}: {error}"[:MAX_WORDS])
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

    def _safely(self, raw: bytes, recipient: str, gate: Gate) -> tuple[Outcome, bool]:
        """One attempt, and whether it broke off instead of being answered."""
        # Of a kept connection nothing has been said for this mail yet.
        self._stage = "connect"
        try:
            return self._attempt(raw, recipient, gate), False
        except Exception as error:
            if not isinstance(error, OSError | smtplib.SMTPException | UnicodeError):
                log.exception("unexpected at %s", self._stage)
            self.drop()
            words = f"{self._stage}: {type(error).__name__}: {error}"[:MAX_WORDS]
            return self._broke_off(words), True

    def _broke_off(self, words: str) -> Outcome:
        return Outcome("in_doubt" if self._stage == "dot" else "retry", self._stage, words)

    def _attempt(self, raw: bytes, recipient: str, gate: Gate) -> Outcome:
        self._unanswered = 0
        try:
            session = self._opened(gate)
            if not self._announce(session, recipient, gate):
                return self._stale("the lease was lost before the 354")
        except Refused as error:
            self._after_refusal(error.outcome)
            return error.outcome
        return self._hand_over(session, dot_stuffed(raw), gate)

    def _opened(self, gate: Gate) -> Session:
        if self._session is None or self._session.sock is None:
            self._session = Session(self._s, self._hostname)
            # Renews the lease over a slow login; a lost one is found before MAIL, and the login is kept.
            self._session.open(gate.still_mine)
        return self._session

    def _announce(self, session: Session, recipient: str, gate: Gate) -> bool:
        """Says MAIL, RCPT and DATA, in one write where the server allows it; False: the lease is lost."""
        steps: list[tuple[Stage, str, int]] = [
            ("mail", f"MAIL FROM:<{self._s.mail_from}>", 250),
            ("rcpt", f"RCPT TO:<{recipient}>", 250),
            ("data", "DATA", 354),
        ]
        unsaid = [line for _, line, _ in steps]
        for stage, _, hoped in steps:
            if not gate.still_mine():
                return False
            self._stage = stage
            if not self._unanswered:
                now, unsaid = (unsaid, []) if session.pipelining else (unsaid[:1], unsaid[1:])
                session.say(now)
                self._unanswered = len(now)
            self._unanswered -= 1
            session.expect(stage, hoped)
        return True

    def _hand_over(self, session: Session, body: bytes, gate: Gate) -> Outcome:
        self._stage = "body"
        hit("mail.before_mark")
        if not gate.begin():
            return self._stale("the lease was lost before the body")
        hit("mail.after_mark")
        session.send(body)
        if not session.in_step():
            self.drop()
            return Outcome("retry", "body", "body: the server spoke or closed before the final dot")
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
        if self._stage != "connect":
            self.drop()
        return Outcome("stale", self._stage, words)

    def _after_refusal(self, outcome: Outcome) -> None:
        """Keeps the connection for the next mail where the server is in a known state."""
        if outcome.kind == "sent":
            return
        reusable = outcome.kind in {"failed", "retry"} and outcome.stage in {"mail", "rcpt", "data", "dot"}
        spent = any(code in outcome.words[:10] for code in _OUT_OF_STEP) or outcome.words.startswith("421")
        if not reusable or self._session is None or spent:
            self.drop()
            return
        try:
            if not self._session.settled(self._unanswered):
                self.drop()
        except Exception:
            self.drop()
