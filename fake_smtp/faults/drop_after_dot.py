"""drop_after_dot: the mail is stored, and the client hears nothing.

The window of RFC 1047: the same exception as a drop before the dot, and the opposite truth.
"""

from __future__ import annotations

from fake_smtp.faults.base import Answer, Fault
from fake_smtp.session import SessionState, Stage


class DropAfterDot(Fault):
    """Store, then cut the connection with 0 bytes of reply."""

    name = "drop_after_dot"
    client_sees = "SMTPServerDisconnected after the dot"
    stored = True
    retry_duplicates = True

    @property
    def stages(self) -> frozenset[Stage]:
        """After storing, by key and attempt."""
        return frozenset({"stored"})

    async def after_store(self, session: SessionState) -> Answer | None:
        """Cut; the code is the one that was due."""
        return Answer(250, "OK", then="abort", raw=b"")
