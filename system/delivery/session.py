"""One SMTP connection, from its banner to a login and the commands of a mail, alone or several in one write.

Used by the mailer only. Reads replies itself: a line without its end is no reply (smtplib takes a torn `25`
for a code, and a torn `250` for success), and a reply that dribbles has one time limit for all of it.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import time
from collections.abc import Callable
from typing import NoReturn

from system.delivery import meters
from system.delivery.outcomes import Outcome, Stage, judge, words_of
from system.settings import Settings

_MAX_REPLY = 64 * 1024
_MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5")


class Refused(Exception):
    """The server said something else than hoped for; the outcome says what follows."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.words)
        self.outcome = outcome


class Session(smtplib.SMTP):
    """A connection with strict replies. `timeout_s` bounds connecting, each write and each whole reply."""

    def __init__(self, settings: Settings, local_hostname: str) -> None:
        # A given name keeps smtplib from asking the DNS for ours.
        super().__init__(timeout=settings.smtp_timeout_s, local_hostname=local_hostname)
        self._s = settings
        # smtplib takes the name for the certificate from here, and knows none when it connects later.
        self._host = settings.smtp_host
        self._unread = b""
        self._after_reply: Callable[[], object] | None = None

    def open(self, after_reply: Callable[[], object] | None = None) -> None:
        """Connects, greets, encrypts and logs in; calls `after_reply` after each reply, to renew a lease.

        Raises:
            Refused: a complete reply that is not the hoped-for one.
            OSError, smtplib.SMTPException: the connection failed; nothing was sent.

        """
        self._after_reply = after_reply
        try:
            self._open()
        finally:
            self._after_reply = None

    def _open(self) -> None:
        self._expect("connect", self.connect(self._s.smtp_host, self._s.smtp_port), 220)
        meters.smtp_connections.inc()
        assert self.sock is not None
        # Body and final dot are two writes; Nagle with delayed acknowledgement would cost 40 ms.
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._expect("ehlo", self.ehlo(), 250)
        if self._s.smtp_starttls:
            self._encrypt()
        if self._s.smtp_username:
            self._log_in()

    @property
    def pipelining(self) -> bool:
        """Whether the server takes several commands in one write (RFC 2920)."""
        return self.has_extn("pipelining")

    def say(self, lines: list[str]) -> None:
        """Sends commands in one write, without reading a reply.

        Raises:
            ValueError: a line would become two. OSError, smtplib.SMTPException: the connection failed.

        """
        if any("\r" in line or "\n" in line for line in lines):
            raise ValueError("a command must be one line")
        self.send("".join(f"{line}\r\n" for line in lines))

    def expect(self, stage: Stage, hoped: int) -> None:
        """Reads the reply to one command that was sent.

        Raises:
            Refused: not the hoped-for class of reply. OSError, smtplib.SMTPException: the connection failed.

        """
        self._expect(stage, self.getreply(), hoped)

    def settled(self, unanswered: int) -> bool:
        """After a refusal: whether the server has begun anew, so that the connection can be kept.

        First reads what it still owes to commands that went out with the refused one, in one time limit for
        all of it. They must be refused too: a 354 asks for a body that must not come, and even a lone final
        dot would leave it to the server whether something is stored.
        """
        until = time.monotonic() + self._s.smtp_timeout_s
        if not all(400 <= self.getreply(until)[0] <= 599 for _ in range(unanswered)):
            return False
        return bool(self.rset()[0] == 250)

    def getreply(self, until: float | None = None) -> tuple[int, bytes]:
        """The next complete reply, by `until` on the monotonic clock; code -1 without a three-digit code."""
        until = time.monotonic() + self._s.smtp_timeout_s if until is None else until
        texts = []
        while True:
            line = self._line(until)
            texts.append(line[4:].strip())
            if line[3:4] != b"-" or not line[:3].isdigit():
                break
        code = int(line[:3]) if line[:3].isdigit() and len(line) >= 3 else -1
        if self._after_reply:
            self._after_reply()
        return code, b"\n".join(texts) if code != -1 else line

    def in_step(self) -> bool:
        """Whether nothing has come that answers no command of ours; asked before the final dot."""
        if self._unread or self.sock is None:
            return False
        self.sock.settimeout(0)
        try:
            self._unread = self.sock.recv(8192)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        finally:
            self.sock.settimeout(self._s.smtp_timeout_s)
        return False

    def drop(self) -> None:
        """Closes the connection at once, without another word."""
        self.close()

    def leave(self) -> None:
        """Says QUIT and closes; how that ends does not matter."""
        try:
            if self.sock is not None:
                self.sock.settimeout(0.5)
                self.putcmd("quit")
        except (OSError, smtplib.SMTPException):
            pass
        finally:
            self.close()

    def _line(self, until: float) -> bytes:
        sock = self.sock
        if sock is None:
            self._broken("not connected")
        while b"\n" not in self._unread:
            left = until - time.monotonic()
            if left <= 0 or len(self._unread) > _MAX_REPLY:
                self._broken("no complete reply in time" if left <= 0 else "a reply without end")
            sock.settimeout(left)
            try:
                data = sock.recv(8192)
            except OSError as error:
                self._broken(str(error) or type(error).__name__)
            if not data:
                torn = f" after {words_of(0, self._unread)[2:]!r}" if self._unread else ""
                self._broken(f"connection closed{torn}")
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        sock.settimeout(self._s.smtp_timeout_s)
        return line.rstrip(b"\r")

    def _broken(self, words: str) -> NoReturn:
        self.close()
        raise smtplib.SMTPServerDisconnected(words)

    def _expect(self, stage: Stage, reply: tuple[int, bytes], hoped: int) -> None:
        code, text = reply
        same_class = hoped == 250 and 200 <= code <= 299
        if code != hoped and not same_class:
            raise Refused(judge(stage, code, text))

    def _encrypt(self) -> None:
        if not self.has_extn("starttls"):
            raise Refused(judge("starttls", 502, "the server does not offer STARTTLS"))
        try:
            self.starttls(context=ssl.create_default_context(cafile=self._s.smtp_ca_file or None))
        except smtplib.SMTPResponseException as error:
            raise Refused(judge("starttls", error.smtp_code, error.smtp_error)) from error
        # What came before the encryption must not be taken for a reply after it.
        self._unread = b""
        self._expect("ehlo", self.ehlo(), 250)

    def _log_in(self) -> None:
        offered = self.esmtp_features.get("auth", "").upper().split()
        mechanism = next((m for m in _MECHANISMS if m in offered), None)
        if mechanism is None:
            raise Refused(judge("auth", 504, "the server offers no login that we know"))
        self.user, self.password = self._s.smtp_username, self._s.smtp_password.get_secret_value()
        try:
            self.auth(mechanism, getattr(self, f"auth_{mechanism.lower().replace('-', '_')}"))
        except smtplib.SMTPAuthenticationError as error:
            outcome = judge("auth", error.smtp_code, error.smtp_error)
            if outcome.kind == "login":
                meters.smtp_logins.labels("rejected").inc()
            raise Refused(outcome) from error
        meters.smtp_logins.labels("ok").inc()
