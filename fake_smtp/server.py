"""The commands of one SMTP connection: aiosmtpd's own, with our think time and faults in their way.

Made by `sink` for each connection. Reads no mail and keeps no time: see `dataphase` and `lifecycle`.
"""

from __future__ import annotations

import re
from typing import Any

from aiosmtpd.smtp import MISSING

from fake_smtp.decider import Subject
from fake_smtp.login import Login
from fake_smtp.session import Stage
from fake_smtp.stock import HOSTNAME

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_PLAIN_PATH = re.compile(rf"<({_ATOM}(?:\.{_ATOM})*@{_ATOM}(?:\.{_ATOM})*)>(?:$| +([A-Za-z0-9= ]*)$)")


class Connection(Login):
    """What a client talks to."""

    async def _handle_client(self) -> None:
        fault = self._decide("connect", self._of_session())
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
        lines = [HOSTNAME, f"SIZE {self.data_size_limit}", "8BITMIME", "SMTPUTF8"]
        if self._context.certificates is not None and self.state.tls is None:
            lines.append("STARTTLS")
        lines.append("AUTH LOGIN PLAIN")
        await self.push("".join(f"250-{line}\r\n" for line in lines) + "250 HELP")

    async def smtp_HELO(self, hostname: str | None) -> None:  # noqa: N802
        """Greet."""
        self.state.stage = "ehlo"
        if not await self._is_unwelcome():
            await super().smtp_HELO(hostname)

    async def _is_unwelcome(self) -> bool:
        return await self._refused_once("ehlo", lambda fault: fault.on_ehlo(self.state))

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802
        """Take the sender."""
        self.state.stage = "mail"
        await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802
        """Take a recipient."""
        self.state.stage = "rcpt"
        await super().smtp_RCPT(arg)

    async def smtp_QUIT(self, arg: str | None) -> None:  # noqa: N802
        """Say goodbye."""
        fault = self._decide("quit", self._of_session())
        answer = await self._act(fault.on_quit(self.state)) if fault else None
        if fault and answer:
            await self._refuse(answer, fault.name)
            return
        if arg:
            await self.push("501 Syntax: QUIT")
            return
        self.state.how = "quit"
        await self.push("221 Bye")
        # Not aiosmtpd's way, which goes on to what is pipelined behind.
        await self._leave("quit", polite=True)

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
            self.state.mail_commands += 1
            self.state.recipients.clear()
            name = f"session/{self.state.number}/{self.state.mail_commands}"
            return await self._on_envelope("mail", Subject(name, args[0]))
        if command == "RCPT":
            self.state.recipients.append(args[0])
            return await self._on_envelope("rcpt", self._envelope_subject(args[0]))
        return MISSING

    async def _on_envelope(self, stage: Stage, subject: Subject) -> Any:
        await self._think()
        fault = self._decide(stage, subject)
        if fault is None:
            return MISSING
        answer = await self._act(fault.on_mail(self.state) if stage == "mail" else fault.on_rcpt(self.state))
        if answer is None:
            return MISSING
        await self._refuse(answer, fault.name)
        return None
