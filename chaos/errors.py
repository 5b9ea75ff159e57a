"""The harness's own failures, as opposed to findings about the system under test.

Everything here ends a run with exit code 3 (`HarnessError`) or 64 (`UsageError`), never with a verdict.
"""

from __future__ import annotations

EXIT_FAIL = 1
EXIT_UNKNOWN = 2
EXIT_HARNESS = 3
EXIT_USAGE = 64


class HarnessError(Exception):
    """The harness could not do its work; the message says what to do."""


class UsageError(HarnessError):
    """The request makes no sense; the message says what does."""


def require(rules: dict[str, bool]) -> None:
    """Raise UsageError with the words of the first rule that does not hold."""
    for words, holds in rules.items():
        if not holds:
            raise UsageError(words)


class ServerMissing(HarnessError):
    """A server that the stack or the scenario needs cannot be had on this machine."""


class StoryCut(Exception):
    """The story cannot go on (no mail flows, the load died): a finding, for the judge to weigh."""


class Interrupted(BaseException):
    """SIGINT or SIGTERM. Not an Exception, so that no clean-up code swallows it."""

    def __init__(self, signal_name: str) -> None:
        super().__init__(f"interrupted by {signal_name}")
