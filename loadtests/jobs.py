"""The n-th job of a run, as a pure function of run id, seed and n.

Called by the flood, and by anybody who wants to know what a key should have carried. Never keeps state, so
any order and any number of processes give the same jobs.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from reports.evidence import content_digest

MIN_BODY, MAX_BODY = 200, 4096
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


def check_run_id(run: str) -> str:
    """Return the run id when it can stand in a key and in a host name; raise ValueError when not."""
    if not _RUN_ID.fullmatch(run):
        raise ValueError(
            f"run id {run!r}: 1 to 63 letters, digits and dashes, beginning and ending with a letter or digit"
        )
    return run


def make(run: str, seed: int, number: int) -> Job:
    """Return job `number` (from 0) of a run. The key is in the body, so that no two mails are alike."""
    rng = random.Random(f"job:{seed}:{number}")
    key = f"{run}-{number:06d}"
    words = _FOREIGN + _PLAIN if rng.random() < 0.15 else _PLAIN
    subject = f"{' '.join(rng.choices(words, k=rng.randint(2, 6)))} #{number}"
    return Job(key, f"u{number:06d}@{run}.test", subject, _body(rng, key, words))


def _body(rng: random.Random, key: str, words: list[str]) -> str:
    # The fourth power keeps most mails small: the median is about 450 bytes.
    size = MIN_BODY + int((MAX_BODY - MIN_BODY) * rng.random() ** 4)
    flavour = rng.random()
    lines, room = [f"Job {key}"], size - len(key) - 5
    tail = ""
    if flavour < 0.08:
        lines += [".", "..", ".leading dot", "..two"]
        room -= 25
    elif flavour < 0.14 and room > 1100:
        # Longer than the 998 characters that SMTP allows a line: somebody must encode it.
        lines.append("x" * 1050)
        room -= 1051
    elif flavour < 0.22:
        lines += ["trailing blanks   ", "\ttab and blank \t "]
        room -= 36
        tail = "\n" * rng.randint(1, 3)
        room -= len(tail)
    return "\n".join([*lines, *_filler(rng, words, room)]) + tail


def _filler(rng: random.Random, words: list[str], room: int) -> list[str]:
    lines: list[str] = []
    while room > 80:
        line = " ".join(rng.choices(words, k=rng.randint(4, 9)))
        while len(line.encode()) > 79:
            line = line[:-1]
        lines.append(line.strip() or "-")
        room -= len(lines[-1].encode()) + 1
    if room > 1:
        lines.append("-" * (room - 1))
    return lines
