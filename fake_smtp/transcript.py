"""What client and server said in one session, until the next record takes it to disk.

Filled by the connection as it reads and answers. Never holds a password, nor what a mail says.
"""

from __future__ import annotations

import re
import string
import time
from functools import lru_cache

Line = tuple[int, str, str] | tuple[int, str, str, int]
"""Microseconds since the session began, who ("C", "S", or "!" for the sink itself), what; and 0 behind it
when it did not all leave."""

_LONGEST = 512
_FULL = 200
_LOGIN = re.compile(rb"(\S+ +\S+)( +\S.*)?", re.DOTALL)
_BEFORE_LOGIN = b"aA" + string.whitespace.encode()


class Transcript:
    """The lines of one session that are not on disk yet."""

    __slots__ = ("_began_ns", "_lines")

    def __init__(self) -> None:
        self._began_ns = time.monotonic_ns()
        self._lines: list[Line] = []

    @property
    def full(self) -> bool:
        """Whether it should go to disk now, without waiting for a record that takes it along."""
        return len(self._lines) >= _FULL

    def heard(self, line: bytes) -> None:
        """Note a command; what follows `AUTH PLAIN` is a secret."""
        if line[:1] in _BEFORE_LOGIN and line.lstrip()[:4].upper() == b"AUTH":
            login = _LOGIN.fullmatch(line.strip())
            line = login[1] + (b" ***" if login[2] else b"") if login else line
        self._note("C", line)

    def heard_secret(self) -> None:
        """Note the answer to a challenge, without its words."""
        self._note("C", b"***")

    def heard_mail(self, size: int) -> None:
        """Note a mail of so many bytes."""
        self._note("C", b"(%d bytes and the final dot)" % size)

    def note(self, words: str) -> None:
        """Note what happened, in words of ours."""
        self._note("!", words.encode())

    def said(self, data: bytes, flushed: bool) -> None:
        """Note a reply, and whether all of it left."""
        line = ((time.monotonic_ns() - self._began_ns) // 1000, "S", _reply_text(data))
        self._lines.append(line if flushed else (*line, 0))

    def take(self) -> list[Line]:
        """Give the lines away, to be written."""
        lines, self._lines = self._lines, []
        return lines

    def _note(self, who: str, data: bytes) -> None:
        self._lines.append(((time.monotonic_ns() - self._began_ns) // 1000, who, _text(data)))


def _text(data: bytes) -> str:
    shown = data[:_LONGEST].rstrip(b"\r\n").decode("utf-8", "backslashreplace")
    return shown if len(data) <= _LONGEST else f"{shown}... ({len(data)} bytes)"


_reply_text = lru_cache(256)(_text)
"""A server says the same few things again and again."""
