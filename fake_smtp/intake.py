"""Brings what the workers have stored into the index of the process that answers for them.

Made by `sink` when there are workers. Reads their evidence, a slice at a time; never writes any.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from fake_smtp.capture import Capture
from fake_smtp.follower import Follower

_BEAT_S = 0.05
_BEATS = 10
"""Beats between two looks when nobody listens, which only spare the next asker a long wait."""


class Intake:
    """Follows the `stored` records of a folder from where they end now."""

    def __init__(self, capture: Capture, deliveries: Path) -> None:
        """Raises OSError."""
        self._capture = capture
        self._follower = Follower(deliveries, self._take, at=deliveries.stat().st_size)

    async def catch_up(self) -> None:
        """Take all that is on disk; what had its 250 before this was called is there. Raises OSError."""
        await self._follower.catch_up()

    async def run(self) -> None:
        """Catch up again and again, without end."""
        while True:
            for _ in range(_BEATS):
                await asyncio.sleep(_BEAT_S)
                if self._capture.index.listeners:
                    break
            await self.catch_up()

    def _take(self, _at: int, record: dict[str, Any]) -> None:
        if record.get("event") == "stored":
            self._capture.learn(record)
