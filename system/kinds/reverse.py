"""`reverse`: a text from its end to its beginning."""

from __future__ import annotations

from system.kinds.base import Body, Job, Kind, Text


class Reverse(Body):
    """A text."""

    text: Text


def run(job: Job) -> str:
    """Reverses the text, code point by code point."""
    text: str = job.payload["text"]
    return text[::-1]


KIND = Kind("reverse", Reverse, run)
