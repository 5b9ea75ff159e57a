"""The replies of all connections, which leave together at the end of a turn of the event loop.

Filled by the connections. Nothing leaves before the evidence that it rests on is on disk: one write for many
mails. And a client that is woken once finds more to do than one that is woken for every reply.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple, Protocol

_MOST = 32
"""Replies that wait for each other at most."""


class Mouth(Protocol):
    """A connection, as far as its replies go."""

    def speak(self, reply: Reply) -> None:
        """Give a reply to the kernel, and settle it when it is known what became of it."""


class Reply(NamedTuple):
    """Bytes for one client, and who else wants to know whether all of them reached the kernel."""

    mouth: Mouth
    data: bytes
    settle: Callable[[bool], None] | None = None


class Outbox:
    """What the connections of one sink have to say."""

    def __init__(self, secure: Callable[[], bool]) -> None:
        """`secure` puts the evidence on disk, and tells whether it could."""
        self._secure = secure
        self._waiting: list[Reply] = []

    def put(self, reply: Reply, loop: asyncio.AbstractEventLoop) -> None:
        """Take a reply; it leaves in this turn of the loop."""
        if not self._waiting:
            loop.call_soon(self.flush)
        self._waiting.append(reply)
        if len(self._waiting) >= _MOST:
            self.flush()

    def flush(self) -> bool:
        """Secure the evidence, and let everything leave; return whether anything may.

        Without evidence nobody hears anything.
        """
        secured = self._secure()
        waiting, self._waiting = self._waiting, []
        if secured:
            for reply in waiting:
                reply.mouth.speak(reply)
        return secured
