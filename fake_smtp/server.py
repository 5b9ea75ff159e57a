"""The commands of one SMTP connection: aiosmtpd's own, with our think time and faults in their way.

Made by `sink` for each connection. Reads no mail and keeps no time: see `dataphase` and `lifecycle`.
"""

from __future__ import annotations

import hmac
import re
from typing import Any

from aiosmtpd.smtp import MISSING, AuthResult

from fake_smtp.dataphase import DataPhase
from fake_smtp.decider import Subject
from fake_smtp.faults import Answer, Fault
from fake_smtp.lifecycle import HOSTNAME
from fake_smtp.session import Stage

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_PLAIN_PATH = re.compile(rf"<({_ATOM}(?:\.{_ATOM})*@{_ATOM}(?:\.{_ATOM})*)>(?:$| +([A-Za-z0-9= ]*)$)")


class Connection(DataPhase):
    """What a client talks to."""

    # The plan that was asked at AUTH and at EHLO (its number), and what it refused them with.
    _auth_plan = _ehlo_plan = -1
    _denied: tuple[Fault, Answer] | None = None
    _unwelcome: tuple[Fault, Answer] | None = None

    async def _handle_client(self) -> None:
        fault = self._decide("connect", self._of_session())
        answer = await self._act(fault.on_connect(self.state)) if fault else None
        if fault and answer:
            await self._refuse(answer, fault.name)
        await super()._handle_client()

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802
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
        lines = (
            HOSTNAME,
            f"SIZE {self.data_size_limit}",
            "8BITMIME",
            "SMTPUTF8",
            "AUTH LOGIN PLAIN",
        )
        await self.push("".join(f"250-{line}\r\n" for line in lines) + "250 HELP")

    async def smtp_HELO(self, hostname: str) -> None:  # noqa: N802
        """Greet."""
        self.state.stage = "ehlo"
        if not await self._is_unwelcome():
            await super().smtp_HELO(hostname)

    async def _is_unwelcome(self) -> bool:
        plan_number = self._context.decider.number
        if self._ehlo_plan != plan_number:
            # Once for the session: clients try HELO next, which must fare no better.
            self._ehlo_plan, self._unwelcome = plan_number, None
            fault = self._decide("ehlo", self._of_session())
            answer = await self._act(fault.on_ehlo(self.state)) if fault else None
            if fault and answer:
                self._unwelcome = (fault, answer)
        if self._unwelcome is None:
            return False
        await self._refuse(self._unwelcome[1], self._unwelcome[0].name)
        return True

    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802
        """Log in."""
        self.state.stage = "auth"
        await super().smtp_AUTH(arg)

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802
        """Take the sender."""
        self.state.stage = "mail"
        await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802
        """Take a recipient."""
        self.state.stage = "rcpt"
        await super().smtp_RCPT(arg)

    async def smtp_QUIT(self, arg: str) -> None:  # noqa: N802
        """Say goodbye."""
        fault = self._decide("quit", self._of_session())
        answer = await self._act(fault.on_quit(self.state)) if fault else None
        if fault and answer:
            await self._refuse(answer, fault.name)
            return
        if not arg:
            self.state.how = "quit"
        await super().smtp_QUIT(arg)

    def _of_session(self) -> Subject:
        return Subject(f"session/{self.state.number}")

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

    async def _on_auth(self) -> Any:
        plan_number = self._context.decider.number
        if self._auth_plan != plan_number:
            # Once for the session: smtplib tries a second mechanism, which must fare no better.
            self._auth_plan, self._denied, self.state.credentials = plan_number, None, None
            fault = self._decide("auth", self._of_session())
            answer = await self._act(fault.on_auth(self.state)) if fault else None
            if fault and answer:
                self._denied = (fault, answer)
        if self._denied is None:
            return MISSING
        self.state.auth = "rejected"
        self._context.counters.auth_rejected += 1
        await self._refuse(self._denied[1], self._denied[0].name)
        return None

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

    def _authenticate(self, mechanism: str, auth_data: Any) -> AuthResult:
        """Check the credentials that aiosmtpd has unpacked (PLAIN or LOGIN)."""
        options = self._context.options
        username, password = self.state.credentials or (options.username, options.password)
        good = username is None or (
            hmac.compare_digest(auth_data.login, username.encode())
            and hmac.compare_digest(auth_data.password, (password or "").encode())
        )
        if good:
            self.state.auth = "ok"
            self.state.login_plan = self._context.decider.number
            self._context.counters.auth_ok += 1
        else:
            self.state.auth = "rejected"
            self._context.counters.auth_rejected += 1
        return AuthResult(success=good, handled=False, auth_data=auth_data)
