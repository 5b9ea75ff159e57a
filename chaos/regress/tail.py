"""Follows the sink's evidence while it is written, to see when which mail was stored.

Asks nobody: whatever a question would cost the sink would be part of what is measured.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path

POLL_S = 0.0005
MARK = b'"event":"stored"'


class Tail:
    """The first copies on record in one deliveries.jsonl, by key, on the monotonic clock (ns)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self.stored_ns: dict[str, int] = {}

    def look(self) -> None:
        """Take in what was written since the last look; a line that is not whole waits for the next."""
        with self._path.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            if MARK in line:
                record = json.loads(line)
                self.stored_ns.setdefault(record["key"], record["mono_ns"])

    def wait(self, keys: Iterable[str], limit_s: float) -> list[str]:
        """Wait until all these are stored, at most so long; returns those that are not."""
        left = list(keys)
        deadline = time.monotonic() + limit_s
        while True:
            self.look()
            left = [key for key in left if key not in self.stored_ns]
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(POLL_S)
