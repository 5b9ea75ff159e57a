"""`sentiment`: positive or negative, by the simplest of rules."""

from __future__ import annotations

from system.kinds.base import Body, Job, Kind, Text


class Sentiment(Body):
    """A text."""

    text: Text


def run(job: Job) -> str:
    """Positive if the text contains `good`, else negative."""
    return "positive" if "good" in job.payload["text"] else "negative"


KIND = Kind("sentiment", Sentiment, run)
