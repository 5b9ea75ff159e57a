"""The replies of one SMTP connection: refusals on record, and faults that are asked what they answer.

Base of the commands. Never decides what the ordinary reply is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from fake_smtp.capture import EvidenceError
from fake_smtp.decider import Subject
from fake_smtp.faults import Answer, Fault
from fake_smtp.session import Stage
from fake_smtp.voice import Voice

log = logging.getLogger("fake_smtp")


class Speaker(Voice):
    """A session that answers, or is made to answer otherwise."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, with nothing decided."""
        self._decided: dict[Stage, tuple[int, str, Answer | None]] = {}
        """By stage: the number of the plan that was asked, the fault and what it refuses with."""
        super().connection_made(transport)

    async def push(
        self, status: str | bytes | None, fault: str | None = None, key: str | None = None
    ) -> None:
        """Send one reply; None was already sent. A refusal of any kind is written down first."""
        if status is None:
            return
        reply = status.encode("utf-8", "surrogateescape") if isinstance(status, str) else status
        if reply[:1] in (b"4", b"5"):
            self._record_refusal(int(reply[:3]), fault, key)
        await self._say(reply + b"\r\n")

    def _record_refusal(self, code: int, fault: str | None, key: str | None) -> None:
        self._record(
            "refused",
            stage=self.state.stage,
            code=code,
            fault=fault,
            key=key,
            to=list(self.state.recipients),
        )

    async def handle_exception(self, error: Exception) -> str:
        """Answer what went wrong; with a mail in hand, cut instead: no reply could be true."""
        if isinstance(error, EvidenceError):
            self._context.broken(error)
            self.cut("shutdown")
        elif self.state.stage in ("dot", "stored"):
            log.error("session %d cut", self.state.number, exc_info=error)
            self.cut("closed")
        return "500 5.5.2 Error: cannot understand this command"

    def _decide(self, stage: Stage, subject: Callable[[], Subject]) -> Fault | None:
        """Ask the plan; what it decides is counted and on record before it is done."""
        if not self._context.decider.asks(stage):
            return None
        return self._decided_of(stage, subject())

    def _decided_of(self, stage: Stage, subject: Subject) -> Fault | None:
        decision = self._context.decider.decide(stage, self.state, subject)
        if decision is None:
            return None
        fault = decision.fault
        self._context.counters.faults[fault.name] += 1
        self.state.fault = fault.name
        self._record(
            "fault",
            stage=stage,
            fault=fault.name,
            rule=decision.rule,
            key=subject.key,
            attempt=subject.attempt,
        )
        return fault

    async def _refused_once(self, stage: Stage, hook: Callable[[Fault], Awaitable[Answer | None]]) -> bool:
        """Ask the plan once for the session, and refuse as often as the client tries; return whether.

        Clients try again at once (AUTH with the next mechanism, HELO after EHLO), and must fare no better.
        """
        if self._is_undecided(stage):
            number = self._context.decider.number
            fault = self._decide(stage, self._of_session)
            answer = await self._act(hook(fault)) if fault else None
            self._decided[stage] = (number, fault.name if fault else "", answer)
        _, name, answer = self._decided[stage]
        if answer is not None:
            await self._refuse(answer, name)
        return answer is not None

    def _is_undecided(self, stage: Stage) -> bool:
        known = self._decided.get(stage)
        return known is None or known[0] != self._context.decider.number

    def _of_session(self) -> Subject:
        return Subject(f"session/{self.state.number}")

    def _envelope_subject(self, name: str) -> Subject:
        """Return what is known before the mail itself has come."""
        sender = self.envelope.mail_from if self.envelope else None
        return Subject(name, sender or "", tuple(self.state.recipients))

    async def _refuse(self, answer: Answer, fault: str, key: str | None = None) -> None:
        if answer.raw is None:
            await self.push(f"{answer.code} {answer.text}", fault, key)
        else:
            self._record_refusal(answer.code, fault, key)
            await self._send(answer.raw)
        if answer.then != "stay":
            await self._leave("fault", polite=answer.then == "close")
