"""lose: the dot gets its 250 and the mail is thrown away. No sender can notice; a judge must."""

from __future__ import annotations

from fake_smtp.faults.base import Answer, Fault
from fake_smtp.session import SessionState, Stage


class Lose(Fault):
    """Answer 250 and store nothing."""

    name = "lose"
    client_sees = "250"
    stored = False
    retry_duplicates = False

    @property
    def stages(self) -> frozenset[Stage]:
        """When the whole mail is here, by key and attempt."""
        return frozenset({"dot"})

    async def on_dot(self, session: SessionState) -> Answer | None:
        """Lie."""
        return Answer(250, "OK")
