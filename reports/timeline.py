"""The picture of a run as data: what was due, accepted and delivered in each of at most 150 bins.

Called by `reports.verdict`, drawn by `reports.render.svg`. Its size does not grow with the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from reports.history import History

MAX_BINS = 150
WIDTHS_S = (0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400)


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
    accepted: tuple[int, ...]
    delivered: tuple[int, ...]
    backlog: tuple[int, ...]
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
    delivered = [max(job.first_stored_ns, job.ok_ns) for job in jobs if job.ok_ns and job.copies]
    stored = [job.first_stored_ns for job in jobs if job.copies]
    marks = [
        at
        for fault in history.faults.values()
        for at in (fault.inject_ns, fault.healed_ns, fault.recovered_ns)
    ]
    end = max([*due, *accepted, *delivered, *(at for at in marks if at is not None)], default=start)
    span_s = max((end - start) / 1e9, 1.0)
    width_s = next((width for width in WIDTHS_S if span_s / width < MAX_BINS), span_s / (MAX_BINS - 1))
    bins = int(span_s / width_s) + 1

    def binned(times: list[int]) -> tuple[int, ...]:
        found = [0] * bins
        for at in times:
            found[min(max(int((at - start) / 1e9 / width_s), 0), bins - 1)] += 1
        return tuple(found)

    into, out = binned(accepted), binned(delivered)
    return Timeline(
        width_s=width_s,
        offered=binned(due),
        accepted=into,
        delivered=binned(stored),
        backlog=tuple(accumulate(a - d for a, d in zip(into, out, strict=True))),
        bands=_bands(history),
        kills_s=tuple(
            sorted({seconds for kill in history.kills if (seconds := history.seconds(kill.at_ns))})
        ),
    )


def _bands(history: History) -> tuple[Band, ...]:
    found = []
    for fault in history.faults.values():
        start = history.seconds(fault.inject_ns)
        if start is not None:
            end = history.seconds(fault.healed_ns if fault.healed_ns is not None else fault.heal_ns)
            found.append(Band(fault.name, start, end, history.seconds(fault.recovered_ns)))
    return tuple(sorted(found, key=lambda band: (band.start_s, band.label)))
