"""noop: does nothing and is counted; the one to copy when you write a fault."""

from __future__ import annotations

from fake_smtp.faults.base import Answer, Fault
from fake_smtp.session import SessionState, Stage


class Noop(Fault):
    """Let the mail through. Proves that the plan reaches the mail, and costs the client nothing."""

    name = "noop"
    client_sees = "250"
    stored = True
    retry_duplicates = False

    @property
    def stages(self) -> frozenset[Stage]:
        """After storing, so that it is counted once for each mail."""
        return frozenset({"stored"})

    async def after_store(self, session: SessionState) -> Answer | None:
        """Give no answer of its own: the ordinary 250 follows."""
        return None
