"""The commands of one SMTP connection: aiosmtpd's own, with our think time and faults in their way.

Made by `sink` for each connection. Reads no mail and keeps no time: see `dataphase` and `lifecycle`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from aiosmtpd.smtp import MISSING

from fake_smtp.decider import Subject
from fake_smtp.login import Login
from fake_smtp.session import Stage
from fake_smtp.stock import HOSTNAME

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_PATH = rf"<({_ATOM}(?:\.{_ATOM})*@{_ATOM}(?:\.{_ATOM})*)>"
_PLAIN_PATH = re.compile(rf"{_PATH}(?:$| +([A-Za-z0-9= ]*)$)")
_PLAIN_FROM = re.compile(rf"FROM:{_PATH}(?: SIZE=([0-9]{{1,12}}))?\Z", re.IGNORECASE)
_PLAIN_TO = re.compile(rf"TO:{_PATH}\Z", re.IGNORECASE)
_OK = b"250 OK\r\n"


@cache
def _greeting(max_size: int, offers_tls: bool) -> bytes:
    lines = [HOSTNAME, f"SIZE {max_size}", "8BITMIME", "SMTPUTF8", "AUTH LOGIN PLAIN"]
    if offers_tls:
        lines.insert(4, "STARTTLS")
    return "".join(f"250-{line}\r\n" for line in lines).encode() + b"250 HELP\r\n"


class Connection(Login):
    """What a client talks to."""

    async def _handle_client(self) -> None:
        fault = self._decide("connect", self._of_session)
        answer = await self._act(fault.on_connect(self.state)) if fault else None
        if fault and answer:
            await self._refuse(answer, fault.name)
        await super()._handle_client()

    async def smtp_EHLO(self, hostname: str | None) -> None:  # noqa: N802
        """Greet in one write (aiosmtpd: one for each line)."""
        self.state.stage = "ehlo"
        if not hostname:
            await self.push("501 Syntax: EHLO hostname")
            return
        if await self._is_unwelcome():
            return
        assert self.session is not None
        self._new_envelope()
        self.session.extended_smtp = True
        self.session.host_name = hostname
        offers_tls = self._context.certificates is not None and self.state.tls is None
        await self._say(_greeting(self._context.options.max_size, offers_tls))

    async def smtp_HELO(self, hostname: str | None) -> None:  # noqa: N802
        """Greet."""
        self.state.stage = "ehlo"
        if not await self._is_unwelcome():
            await super().smtp_HELO(hostname)

    async def _is_unwelcome(self) -> bool:
        return await self._refused_once("ehlo", lambda fault: fault.on_ehlo(self.state))

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802
        """Take the sender; an ordinary one in fewer steps than aiosmtpd, to the same end."""
        self.state.stage = "mail"
        plain = _PLAIN_FROM.match(arg or "")
        envelope = self.envelope
        assert envelope is not None
        if plain is None or envelope.mail_from or not self._is_admitted() or self._is_too_big(plain[2]):
            await super().smtp_MAIL(arg)
        elif await self._on_mail(plain[1]) is MISSING:
            envelope.mail_from = plain[1]
            await self._say(_OK)

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802
        """Take a recipient, likewise."""
        self.state.stage = "rcpt"
        plain = _PLAIN_TO.match(arg or "")
        envelope = self.envelope
        assert envelope is not None
        if plain is None or not envelope.mail_from or not self._is_admitted():
            await super().smtp_RCPT(arg)
        elif await self._on_rcpt(plain[1]) is MISSING:
            envelope.rcpt_tos.append(plain[1])
            await self._say(_OK)

    def _is_too_big(self, size: str | None) -> bool:
        assert self.session is not None
        if size is None:
            return False
        # Only EHLO allows it at all.
        return not self.session.extended_smtp or int(size) > self._context.options.max_size

    def _is_admitted(self) -> bool:
        session = self.session
        assert session is not None
        return bool(session.host_name) and (not self._auth_required or bool(session.authenticated))

    async def smtp_QUIT(self, arg: str | None) -> None:  # noqa: N802
        """Say goodbye."""
        fault = self._decide("quit", self._of_session)
        answer = await self._act(fault.on_quit(self.state)) if fault else None
        if fault and answer:
            await self._refuse(answer, fault.name)
            return
        if arg:
            await self.push("501 Syntax: QUIT")
            return
        self.state.how = "quit"
        await self._say(b"221 Bye\r\n", lambda _flushed: self._hang_up())
        # Not aiosmtpd's way, which goes on to what is pipelined behind.
        await self.loop.create_future()

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """Read `<user@host>` at once; the general grammar (aiosmtpd, email) costs a quarter of a mail."""
        plain = _PLAIN_PATH.match(arg)
        return (plain[1], plain[2] or "") if plain else super()._getaddr(arg)

    async def _call_handler_hook(self, command: str, *args: Any) -> Any:
        """Stand where aiosmtpd asks its handler: the command is well-formed and not yet obeyed.

        Returns MISSING to let aiosmtpd go on, None when the reply has been given.
        """
        if command == "AUTH":
            return await self._on_auth()
        if command == "MAIL":
            return await self._on_mail(args[0])
        if command == "RCPT":
            return await self._on_rcpt(args[0])
        return MISSING

    async def _on_mail(self, sender: str) -> Any:
        self.state.mail_commands += 1
        self.state.recipients.clear()
        name = f"session/{self.state.number}/{self.state.mail_commands}"
        return await self._on_envelope("mail", lambda: Subject(name, sender))

    async def _on_rcpt(self, recipient: str) -> Any:
        self.state.recipients.append(recipient)
        return await self._on_envelope("rcpt", lambda: self._envelope_subject(recipient))

    async def _on_envelope(self, stage: Stage, subject: Callable[[], Subject]) -> Any:
        await self._think()
        fault = self._decide(stage, subject)
        if fault is None:
            return MISSING
        answer = await self._act(fault.on_mail(self.state) if stage == "mail" else fault.on_rcpt(self.state))
        if answer is None:
            return MISSING
        await self._refuse(answer, fault.name)
        return None
