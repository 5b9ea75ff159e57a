"""Thresholds as users of k6 write them, `e2e_seconds:p(99)<5`: how one is written, and what it may speak of.

Used by the command line, which keeps them in the plan, and by the check `limits`. Never reads evidence.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TRENDS = {
    "e2e_seconds": "from a mail's due time until its first copy is stored",
    "accept_seconds": "from a mail's due time until its 202",
    "recovery_seconds": "from a fault's end (read back) until the old rate is back, one for each fault",
}
COUNTS = {
    "due": "mails that should have been sent",
    "sent": "mails that were sent",
    "accepted": "mails with a 202",
    "rejected": "mails that were certainly not accepted",
    "unknown": "mails of which nobody knows whether they were accepted",
    "delivered": "mails with at least one good copy",
    "lost": "accepted mails that never arrived",
    "duplicates": "copies too many",
    "unavoidable_duplicates": "copies too many that no system could have avoided",
    "in_doubt": "mails that were ever in doubt",
    "stuck": "accepted mails still on their way at the end",
    "given_up": "mails that the receiver refused for good",
}
RATED = ("due", "accepted", "delivered")
GAUGES = {
    "late_seconds": "how late the load sent a mail, at worst",
    "drain_seconds": "how long the system took to come to rest",
}
STATISTICS = ("avg", "min", "med", "max", "p(N)")
OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_SHAPE = re.compile(r"\s*(\w+)\s*:\s*([a-z]+|p\([^()]*\))\s*(<=|>=|==|!=|<|>)\s*(\S+)\s*")
EXAMPLE = "write METRIC:STATISTIC OPERATOR NUMBER, for example e2e_seconds:p(99)<5 or duplicates:count==0"


class LimitError(ValueError):
    """A threshold that cannot be understood; the words say what to write instead."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One threshold. `share` (0-1) is set for percentiles only; seconds, mails or mails per second."""

    text: str
    metric: str
    statistic: str
    share: float | None
    operator: str
    bound: float

    def holds(self, value: float) -> bool:
        """Say whether this value keeps the threshold."""
        return OPERATORS[self.operator](value, self.bound)


def parse(text: str) -> Limit:
    """Read one threshold. Raises LimitError with words that say what to write instead."""
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise LimitError(f"{text!r} is no limit: {EXAMPLE}")
    metric, statistic, sign, number = found.groups()
    allowed = statistics_of(metric)
    if not allowed:
        raise LimitError(f"{text!r}: there is no metric {metric!r}; there are {', '.join(sorted(names()))}")
    share = _share(text, statistic) if statistic.startswith("p(") else None
    if (statistic if share is None else "p(N)") not in allowed:
        raise LimitError(f"{text!r}: {metric} has {' '.join(allowed)}, and no {statistic}")
    return Limit(text.strip(), metric, statistic, share, sign, _bound(text, number))


def read(path: Path) -> list[str]:
    """Read a file of thresholds, one a line, `#` begins a comment. Raises LimitError, with file and line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LimitError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    found = []
    for number, line in enumerate(lines, start=1):
        if text := line.partition("#")[0].strip():
            try:
                found.append(parse(text).text)
            except LimitError as error:
                raise LimitError(f"{path}:{number}: {error}") from error
    if not found:
        raise LimitError(f"{path}: there is no limit in it; {EXAMPLE}")
    return found


def names() -> list[str]:
    """Every metric that a threshold may name."""
    return [*TRENDS, *COUNTS, *GAUGES]


def statistics_of(metric: str) -> tuple[str, ...]:
    """What can be asked of a metric; nothing: there is no such metric."""
    if metric in TRENDS:
        return STATISTICS
    if metric in COUNTS:
        return ("count", "rate") if metric in RATED else ("count",)
    return ("value",) if metric in GAUGES else ()


def _share(text: str, statistic: str) -> float:
    try:
        percent = float(statistic[2:-1])
    except ValueError:
        percent = math.nan
    if not 0 < percent <= 100:
        raise LimitError(f"{text!r}: a percentile is p(N) with N over 0 and at most 100, for example p(99.9)")
    return percent / 100


def _bound(text: str, number: str) -> float:
    try:
        bound = float(number)
    except ValueError:
        bound = math.nan
    if not math.isfinite(bound):
        raise LimitError(f"{text!r}: {number!r} is no number; write it without a unit, for example 0.25")
    return bound
