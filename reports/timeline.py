"""The picture of a run as data: what was due, sent, accepted and delivered in each of at most 150 bins.

Called by `reports.verdict`, drawn by `reports.render.svg`. Its size does not grow with the run.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate, chain

from reports.history import History

MAX_BINS = 150
WIDTHS_S = (0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400)
# The upper ends of the rows of the heat strip; the last one has none.
LATENCIES_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, float("inf"))


@dataclass(frozen=True, slots=True)
class Band:
    """One fault on the picture; seconds since the load began, None: not on record."""

    label: str
    start_s: float
    end_s: float | None
    recovered_s: float | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """Counts per bin of `width_s` seconds, the backlog at each bin's end, faults and kills."""

    width_s: float
    offered: tuple[int, ...]
    sent: tuple[int, ...]
    accepted: tuple[int, ...]
    delivered: tuple[int, ...]
    backlog: tuple[int, ...]
    heat: tuple[tuple[int, ...], ...]
    """A row for each of `LATENCIES_S`: mails stored within that time, by the bin that they were due in."""
    never: tuple[int, ...]
    """Accepted mails that were never stored, by the bin that they were due in."""
    bands: tuple[Band, ...]
    kills_s: tuple[float, ...]

    @property
    def span_s(self) -> float:
        """Seconds from the first bin's start to the last one's end."""
        return self.width_s * len(self.offered)


def build(history: History) -> Timeline:
    """Bin the run from the load's start to the last thing that happened to a job or a fault."""
    start, jobs = history.started_ns, history.jobs.values()
    due = [job.due_ns for job in jobs if job.due_ns]
    accepted = [job.ok_ns for job in jobs if job.ok_ns]
    # The backlog is of accepted mail; a mail may be stored before its 202 is on record.
    delivered = [max(at_ns, job.ok_ns) for job in jobs if job.ok_ns and (at_ns := job.first_stored_ns)]
    stored = [at_ns for job in jobs if (at_ns := job.first_stored_ns)]
    absent = [job.due_ns for job in jobs if job.ok_ns and job.due_ns and not job.first_stored_ns]
    bins = Bins.over(start, max(chain(due, accepted, delivered, _marks(history)), default=start))
    into, out = bins.count(accepted), bins.count(delivered)
    return Timeline(
        width_s=bins.width_s,
        offered=bins.count(due),
        sent=bins.count(history.first_tries),
        accepted=into,
        delivered=bins.count(stored),
        backlog=tuple(accumulate(a - d for a, d in zip(into, out, strict=True))),
        heat=_heat(history, bins),
        never=bins.count(absent),
        bands=_bands(history),
        kills_s=tuple(
            sorted({seconds for kill in history.kills if (seconds := history.seconds(kill.at_ns))})
        ),
    )


@dataclass(frozen=True, slots=True)
class Bins:
    """Equal stretches of time; what falls outside belongs to the first or the last."""

    start_ns: int
    width_s: float
    number: int

    @classmethod
    def over(cls, start_ns: int, end_ns: int) -> Bins:
        """Choose at most `MAX_BINS` bins of a round width."""
        span_s = max((end_ns - start_ns) / 1e9, 1.0)
        width_s = next((width for width in WIDTHS_S if span_s / width < MAX_BINS), span_s / (MAX_BINS - 1))
        return cls(start_ns, width_s, int(span_s / width_s) + 1)

    def number_of(self, at_ns: int) -> int:
        """Return the bin that a moment falls in, without regard to the first and the last."""
        return (at_ns - self.start_ns) // int(self.width_s * 1e9)

    def count(self, times_ns: Iterable[int]) -> tuple[int, ...]:
        """Count moments by bin."""
        start_ns, width_ns = self.start_ns, int(self.width_s * 1e9)
        return self.spread(Counter([(at_ns - start_ns) // width_ns for at_ns in times_ns]))

    def spread(self, counts: Mapping[int, int]) -> tuple[int, ...]:
        """Return counts by bin as a row."""
        found = [0] * self.number
        for index, count in counts.items():
            found[min(max(index, 0), self.number - 1)] += count
        return tuple(found)


def _marks(history: History) -> list[int]:
    return [
        at
        for fault in history.faults.values()
        for at in (fault.inject_ns, fault.healed_ns, fault.recovered_ns)
        if at is not None
    ]


def _heat(history: History, bins: Bins) -> tuple[tuple[int, ...], ...]:
    rows: list[Counter[int]] = [Counter() for _ in LATENCIES_S]
    for job in history.jobs.values():
        if (due_ns := job.due_ns) and (stored_ns := job.first_stored_ns):
            rows[bisect_left(LATENCIES_S, (stored_ns - due_ns) / 1e9)][bins.number_of(due_ns)] += 1
    return tuple(bins.spread(row) for row in rows)


def _bands(history: History) -> tuple[Band, ...]:
    found = []
    for fault in history.faults.values():
        start = history.seconds(fault.inject_ns)
        if start is not None:
            end = history.seconds(fault.healed_ns if fault.healed_ns is not None else fault.heal_ns)
            found.append(Band(fault.name, start, end, history.seconds(fault.recovered_ns)))
    return tuple(sorted(found, key=lambda band: (band.start_s, band.label)))
