"""Reads evidence as it grows, a slice at a time, so that the loop which writes it is never held up.

Used for what nobody needs while a mail is taken: the sessions, and what other processes of the sink store.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from fake_smtp import holes

_SLICE_S = 0.005
_CHUNK = 2**18

Take = Callable[[int, dict[str, Any]], None]


def whole_lines(fd: int, at: int) -> list[bytes]:
    """Return whole lines from offset `at` on, one at least; none when it is still being written."""
    data = b""
    while b"\n" not in data and (more := os.pread(fd, _CHUNK, at + len(data))):
        data += more
    return data[: data.rfind(b"\n") + 1].splitlines(keepends=True)


class Follower:
    """One evidence file, read from `at` on; `take` gets each record and where its line begins."""

    def __init__(self, path: Path, take: Take, at: int = 0) -> None:
        self._path = path
        self._take = take
        self._at = at
        self._turn = asyncio.Lock()

    async def catch_up(self) -> None:
        """Take all that is in the file now; raises OSError when it cannot be read."""
        async with self._turn:
            until = self._path.stat().st_size
            with self._path.open("rb", buffering=0) as file:
                while self._at < until and (lines := self._next(file)):
                    await self._take_all(lines)

    def _next(self, file: Any) -> list[bytes]:
        """Return the next whole lines; none when the last one is still being written."""
        self._at = holes.next_data(file.fileno(), self._at)
        return whole_lines(file.fileno(), self._at)

    async def _take_all(self, lines: list[bytes]) -> None:
        slice_ends = time.monotonic() + _SLICE_S
        for line in lines:
            at, self._at = self._at, self._at + len(line)
            try:
                record = orjson.loads(line)
            except ValueError:
                # Torn by a full disk, or given back to the file system; the judge says so.
                continue
            if isinstance(record, dict):
                self._take(at, record)
            if time.monotonic() > slice_ends:
                await asyncio.sleep(0)
                slice_ends = time.monotonic() + _SLICE_S
