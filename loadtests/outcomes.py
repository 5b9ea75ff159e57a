"""What one try of a submission proves: pure classification of answers and errors.

Called by `submit`. Never guesses towards certainty: what does not exclude an effect is `info`.
"""

from __future__ import annotations

import errno
from typing import Literal, NamedTuple

import orjson

Verdict = Literal["ok", "fail", "info"]


class Answer(NamedTuple):
    """An HTTP answer. `body` is None when the connection broke after the status line had arrived."""

    status: int
    body: bytes | None


class Outcome(NamedTuple):
    """One try: `ok` (accepted), `fail` (no effect possible) or `info` (unknown).

    `settles` is True when the outcome also answers earlier unknown tries of the same key.
    `shortage` is True when this machine, not the system, was the reason (no file descriptors, no ports).
    """

    verdict: Verdict
    status: int | None = None
    id: str | None = None
    why: str = ""
    settles: bool = False
    shortage: bool = False


_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM)


def classify(result: Answer | BaseException) -> Outcome:
    """Return what an answer, or the exception that stood in its place, proves about the job."""
    return _of_answer(result) if isinstance(result, Answer) else _of_error(result)


def _of_answer(answer: Answer) -> Outcome:
    status = answer.status
    if status == 202:
        return Outcome("ok", status, _text(answer.body, "id"), settles=True)
    if status == 429:
        return Outcome("fail", status, why="429 too many requests")
    if 400 <= status < 500:
        return Outcome("fail", status, why=_words(answer), settles=True)
    if status == 503 and (_text(answer.body, "type") or "").endswith("/not-accepted"):
        return Outcome("fail", status, why=_words(answer))
    return Outcome("info", status, why=_words(answer))


def _of_error(error: BaseException) -> Outcome:
    words = f"{type(error).__name__}: {error}"
    if isinstance(error, ConnectionRefusedError):
        return Outcome("fail", why=words)
    return Outcome("info", why=words, shortage=isinstance(error, OSError) and error.errno in _SHORTAGES)


def _words(answer: Answer) -> str:
    kind = _text(answer.body, "type")
    return f"{answer.status} {kind}" if kind else str(answer.status)


def _text(body: bytes | None, name: str) -> str | None:
    try:
        value = orjson.loads(body or b"")[name]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return value if isinstance(value, str) and value else None
