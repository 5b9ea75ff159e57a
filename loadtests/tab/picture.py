"""The rates of the last quarter of an hour, one sample a second, so that a page that is loaded anew has them.

Pure. Fed by the watch with counts that only grow, and that begin again with every run.
"""

from __future__ import annotations

from collections import deque

LENGTH = 900
RATES = ("due", "accepted", "delivered")

Counts = dict[str, float | None]
"""None: not known."""
Sample = list[float | None]


class Picture:
    """`over` is over how many samples a rate is taken: more where the counts come in steps."""

    def __init__(self, over: int = 2) -> None:
        self._seen: deque[tuple[float, Counts]] = deque(maxlen=over + 1)
        self._samples: deque[Sample] = deque(maxlen=LENGTH)
        self._next = 0

    def add(self, at_s: float, counts: Counts) -> None:
        """Take the counts of a moment (s since 1970)."""
        if self._seen and _less(counts, self._seen[-1][1]):
            self._seen.clear()
            self._seen.append((at_s - 1.0, dict.fromkeys(counts, 0.0)))
        self._seen.append((at_s, counts))
        before_s, before = self._seen[0]
        span_s = at_s - before_s
        rates = [_rate(counts[name], before.get(name), span_s) for name in RATES]
        self._samples.append([round(at_s, 2), *rates])
        self._next += 1

    def since(self, number: int) -> tuple[int, list[Sample]]:
        """Return the number of the next sample, and the samples from `number` on, as far as they are kept.

        A sample is: time (s since 1970), then the `RATES` per second.
        """
        first = self._next - len(self._samples)
        skip = max(0, number - first) if number <= self._next else 0
        return self._next, list(self._samples)[skip:]

    def rate(self, name: str, from_s: float, to_s: float) -> float | None:
        """Return the mean rate between two moments; None: nothing is known."""
        at = RATES.index(name) + 1
        known = [s[at] for s in self._samples if s[0] is not None and from_s <= s[0] <= to_s]
        found = [rate for rate in known if rate is not None]
        return sum(found) / len(found) if found else None


def _rate(now: float | None, before: float | None, span_s: float) -> float | None:
    if now is None or before is None:
        return None
    return round((now - before) / span_s, 2) if span_s > 0 else 0.0


def _less(counts: Counts, before: Counts) -> bool:
    return (counts["due"] or 0.0) < (before["due"] or 0.0)
