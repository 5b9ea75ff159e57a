"""The contract of a fault: named hooks that do nothing until a fault fills one in.

Called by the server when the plan has decided for this fault; a fault never decides for itself
whether it is its turn, never stores and never writes to the socket: it returns the answer to give.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from fake_smtp.plan import PlanError
from fake_smtp.session import SessionState, Stage


@dataclass(frozen=True, slots=True)
class Answer:
    """What the client gets in place of the ordinary reply."""

    code: int
    text: str
    then: Literal["stay", "close", "abort"] = "stay"
    """What becomes of the connection; abort: at once, with nothing of the reply but `raw`."""
    raw: bytes | None = None
    """Exactly these bytes in place of code, text and line end; b"": none at all."""


class Fault:
    """Base of all faults. Fill in one hook, name its stage, and say what it does to the client.

    A hook returns the answer to give, or None for the ordinary course.
    """

    name: ClassVar[str]
    client_sees: ClassVar[str]
    stored: ClassVar[bool]
    retry_duplicates: ClassVar[bool]
    """Whether a plain retry, by a client that asks nobody, delivers a second copy."""
    copies: ClassVar[int] = 1
    """How often a mail is stored that this fault hits at its dot."""
    defaults: ClassVar[Mapping[str, Any]] = {}
    """The parameters it takes and their values when the rule does not say."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        """Take the rule's params. Raises PlanError for a name or a value that it cannot use."""
        for name in params:
            if name not in self.defaults:
                known = ", ".join(self.defaults) or "none"
                raise PlanError(f"{self.name}: unknown parameter {name!r}; known: {known}")
        self.params: dict[str, Any] = {**self.defaults, **params}
        self.check()

    def check(self) -> None:
        """Raise PlanError when a parameter has a value that cannot be obeyed."""

    @property
    def stages(self) -> frozenset[Stage]:
        """The stages at which the plan is asked for this fault."""
        return frozenset()

    @property
    def tries(self) -> int | None:
        """How many times each mail is hit, where the rule does not say; None: every time."""
        return None

    def concerns(self, stage: Stage, session: SessionState, plan_number: int) -> bool:
        """Tell whether this session can be hit at all; asked before anything is decided or counted."""
        return True

    async def on_connect(self, session: SessionState) -> Answer | None:
        """Act before the banner."""

    async def on_ehlo(self, session: SessionState) -> Answer | None:
        """Act on EHLO or HELO."""

    async def on_starttls(self, session: SessionState) -> Answer | None:
        """Act on STARTTLS, before the 220."""

    async def on_auth(self, session: SessionState) -> Answer | None:
        """Act on an AUTH command, before the credentials are looked at."""

    async def on_mail(self, session: SessionState) -> Answer | None:
        """Act on MAIL."""

    async def on_rcpt(self, session: SessionState) -> Answer | None:
        """Act on RCPT."""

    async def on_data(self, session: SessionState) -> Answer | None:
        """Act on DATA, before the 354."""

    async def on_dot(self, session: SessionState) -> Answer | None:
        """Act when the whole mail is here and not stored; an answer means that it never will be."""

    async def after_store(self, session: SessionState) -> Answer | None:
        """Act when the mail is on disk and nothing has been replied."""

    async def on_quit(self, session: SessionState) -> Answer | None:
        """Act on QUIT."""


MAX_DELAY_S = 3600.0


def check_seconds(fault: str, params: Mapping[str, Any], name: str) -> None:
    """Check a number of seconds, from 0 to an hour. Raises PlanError."""
    value = params[name]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= MAX_DELAY_S:
        raise PlanError(f"{fault}: {name!r} must be seconds from 0 to {MAX_DELAY_S:g}, not {value!r}")


def check_whole(fault: str, params: Mapping[str, Any], name: str, least: int) -> None:
    """Check a whole number from `least`. Raises PlanError."""
    value = params[name]
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise PlanError(f"{fault}: {name!r} must be a whole number from {least}, not {value!r}")


def check_reply(fault: str, params: Mapping[str, Any], codes: Container[int] = range(400, 600)) -> None:
    """Check `code` (one of `codes`) and `text` (one line of ASCII). Raises PlanError."""
    code, text = params["code"], params["text"]
    if isinstance(code, bool) or not isinstance(code, int) or code not in codes:
        allowed = "from 400 to 599" if isinstance(codes, range) else f"one of {codes}"
        raise PlanError(f"{fault}: 'code' must be {allowed}, not {code!r}")
    if not isinstance(text, str) or not text or not (text.isascii() and text.isprintable()):
        raise PlanError(f"{fault}: 'text' must be one line of ASCII, not {text!r}")
