"""What the counters said: per target and series, how much they rose over the run.

Fed by `reports.intake`. Keeps no sample but the last of each counter.
"""

from __future__ import annotations

import re

from reports.evidence import METRICS, Record
from reports.history import History
from reports.intake.fields import number, text
from reports.records import Series

_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Metrics:
    """Intake of `metrics.jsonl`."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.handlers = {"scrape": self.scrape}

    def scrape(self, record: Record) -> None:
        """Add the counters of one good scrape."""
        if record["ok"] is not True:
            return
        target, now, series = text(record, "target"), record["mono_ns"], self.history.series
        first = self.history.scraped.get(target, (now, now))[0]
        born_at_zero = target in self.history.scraped
        samples = record["samples"]
        for name in samples:
            if "_total" not in name:
                continue
            value = number(samples, name)
            known = series.get((target, name))
            if known is not None:
                known.see(value, now)
            else:
                # A labelled counter shows up with its first event: before that scrape it stood at 0.
                rise, base = (value, 0.0) if born_at_zero else (0.0, value)
                series[target, name] = Series(value, rise, first, now, base)
        self.history.scraped[target] = (first, now)

    def finish(self) -> None:
        """Say what is missing: any scrape at all."""
        if not self.history.scraped:
            self.history.problems[METRICS].append(f"{METRICS}: no successful scrape")


def matching(history: History, name: str, **labels: str) -> dict[str, list[Series]]:
    """Return the series of a counter that carry these labels, by target."""
    found: dict[str, list[Series]] = {}
    for (target, series_name), series in history.series.items():
        base, _, rest = series_name.partition("{")
        if base == name and labels.items() <= dict(_LABEL.findall(rest)).items():
            found.setdefault(target, []).append(series)
    return found
