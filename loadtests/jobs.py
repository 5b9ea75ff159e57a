"""The n-th job of a run, as a pure function of run id, seed and n.

Called by the flood, and by anybody who wants to know what a key should have carried. Never keeps state, so
any order and any number of processes give the same jobs.
"""

from __future__ import annotations

import functools
import hashlib
import random
import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

from reports.evidence import content_digest

MIN_BODY, MAX_BODY = 200, 4096
_STOCK = 1024
_RUN_ID = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_PLAIN = [
    "order",
    "invoice",
    "receipt",
    "parcel",
    "account",
    "update",
    "notice",
    "thank",
    "you",
    "your",
    "the",
]
_FOREIGN = ["Grüße", "żółć", "naïve", "Ελλάδα", "привет", "日本語", "العربية", "🚀", "crème", "Ðàlaigh"]


@dataclass(frozen=True)
class Job:
    """One intended mail to one recipient; `digest` is what must arrive."""

    key: str
    to: str
    subject: str
    body: str

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of subject and body, as the sink computes it."""
        return content_digest(self.subject, self.body)

    @property
    def request(self) -> dict[str, str]:
        """The JSON body of `POST /jobs`."""
        return {"kind": "email", "to": self.to, "subject": self.subject, "body": self.body}

    @property
    def record(self) -> dict[str, str]:
        """What its `due` record says of it."""
        return {"to": self.to, "digest": self.digest}


def check_run_id(run: str) -> str:
    """Return the run id when it can stand in a key and in a host name; raise ValueError when not."""
    if not _RUN_ID.fullmatch(run):
        raise ValueError(
            f"run id {run!r}: 1 to 63 letters, digits and dashes, beginning and ending with a letter or digit"
        )
    return run


class Dice:
    """Small numbers out of one hash: to seed a `random.Random` costs more than all the rest of a job."""

    def __init__(self, seed: str) -> None:
        self._left = int.from_bytes(hashlib.blake2b(seed.encode()).digest(), "big")

    def below(self, many: int) -> int:
        """Return a number from 0 to many - 1; the hash has 512 bits, so a few dozen such."""
        self._left, number = divmod(self._left, many)
        return number


def make(run: str, seed: int, number: int) -> Job:
    """Return job `number` (from 0) of a run. The key is in the body, so that no two mails are alike."""
    dice = Dice(f"job:{seed}:{number}")
    key = f"{run}-{number:06d}"
    words = _FOREIGN + _PLAIN if dice.below(100) < 15 else _PLAIN
    few = " ".join([words[dice.below(len(words))] for _ in range(2 + dice.below(5))])
    return Job(key, f"u{number:06d}@{run}.test", f"{few} #{number}", _body(dice, key, words))


def _body(dice: Dice, key: str, words: list[str]) -> str:
    # The fourth power keeps most mails small: the median is about 450 bytes.
    size = MIN_BODY + int((MAX_BODY - MIN_BODY) * (dice.below(10**6) / 10**6) ** 4)
    flavour = dice.below(100)
    lines, room = [f"Job {key}"], size - len(key) - 5
    tail = ""
    if flavour < 8:
        lines += [".", "..", ".leading dot", "..two"]
        room -= 25
    elif flavour < 14 and room > 1100:
        # Longer than the 998 characters that SMTP allows a line: somebody must encode it.
        lines.append("x" * 1050)
        room -= 1051
    elif flavour < 22:
        lines += ["trailing blanks   ", "\ttab and blank \t "]
        room -= 36
        tail = "\n" * (1 + dice.below(3))
        room -= len(tail)
    return "\n".join([*lines, *_filler(dice, words, room)]) + tail


def _filler(dice: Dice, words: list[str], room: int) -> list[str]:
    """Lines of at most 79 bytes that fill `room`, out of a stock: made anew they cost the load 50 us."""
    lines, ends = _stock(words is _PLAIN)
    first = dice.below(_STOCK // 2)
    used = ends[first]
    last = bisect_right(ends, used + room - 80, lo=first) if room > 80 else first
    room -= ends[last] - used
    return lines[first:last] + (["-" * (room - 1)] if room > 1 else [])


@functools.cache
def _stock(plain: bool) -> tuple[list[str], list[int]]:
    """Make lines, and how many bytes stand before each, its line end counted."""
    rng, words = random.Random(f"stock:{plain}"), _PLAIN if plain else _FOREIGN + _PLAIN
    lines = [_line(rng, words) for _ in range(_STOCK)]
    return lines, list(accumulate((len(line.encode()) + 1 for line in lines), initial=0))


def _line(rng: random.Random, words: list[str]) -> str:
    line = " ".join(rng.choices(words, k=rng.randint(4, 9)))
    while len(line.encode()) > 79:
        line = line[:-1]
    return line.strip() or "-"
