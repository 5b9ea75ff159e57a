"""What a run of sink_bench found, as tables: rates, CPU for one mail, and who was busy.

Used by sink_bench. Measures nothing.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.sink_sides import OURS, OURS_OPEN, SMALL_SINK, SMTP_SINK, STOCK

RATIOS = ("auth_each", "kept")


@dataclass(frozen=True)
class Sample:
    """One phase of one round of one server."""

    mails: int
    wall_s: float
    sender_s: float
    server_s: float

    @property
    def rate(self) -> float:
        """Mails a second."""
        return self.mails / self.wall_s

    @property
    def cost_us(self) -> float:
        """CPU of the server for one mail."""
        return self.server_s / self.mails * 1e6

    @property
    def server_busy(self) -> float:
        """Share of the time that the server spent on a core."""
        return self.server_s / self.wall_s

    @property
    def sender_busy(self) -> float:
        """Share of the time that the sender spent on a core."""
        return self.sender_s / self.wall_s


Samples = dict[tuple[str, str], list[Sample]]


def middle(samples: list[Sample], of: Callable[[Sample], float]) -> float:
    """The median over the rounds."""
    return statistics.median(of(sample) for sample in samples)


def compared(samples: Samples, phase: str) -> tuple[list[Sample], list[Sample]]:
    """Ours and aiosmtpd's."""
    return samples[phase, OURS if phase in RATIOS else OURS_OPEN], samples[phase, STOCK]


def ratios(samples: Samples) -> dict[str, float]:
    """Our median over that of aiosmtpd."""
    rate = {
        phase: [middle(side, lambda one: one.rate) for side in compared(samples, phase)] for phase in RATIOS
    }
    return {phase: round(ours / stock, 2) for phase, (ours, stock) in rate.items()}


def ratios_table(samples: Samples) -> str:
    """Ours to aiosmtpd's, by rate and by CPU, as Markdown."""
    lines = ["| ours : stock | by rate | rounds | by CPU of the server |", "|" + " --- |" * 4]
    for phase in dict.fromkeys(name for name, _ in samples):
        ours, stock = compared(samples, phase)
        each = [mine.rate / theirs.rate for mine, theirs in zip(ours, stock, strict=True)]
        by_rate = middle(ours, lambda one: one.rate) / middle(stock, lambda one: one.rate)
        by_cpu = middle(stock, lambda one: one.cost_us) / middle(ours, lambda one: one.cost_us)
        lines.append(f"| {phase} | {by_rate:.2f} | {min(each):.2f}-{max(each):.2f} | {by_cpu:.2f} |")
    return "\n".join(lines)


def sides_table(samples: Samples) -> str:
    """Every server in every phase, medians, as Markdown."""
    head = (
        *("phase, server", "mails/s", "slowest-fastest", "CPU us a mail"),
        *("server CPU s", "server busy", "sender CPU s", "sender busy"),
    )
    lines = [f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    for (phase, side), by in samples.items():
        rates = [sample.rate for sample in by]
        cells = (
            f"{phase}, {side}",
            f"{statistics.median(rates):.0f}",
            f"{min(rates):.0f}-{max(rates):.0f}",
            f"{middle(by, lambda one: one.cost_us):.0f}",
            f"{middle(by, lambda one: one.server_s):.2f}",
            f"{middle(by, lambda one: one.server_busy):.0%}",
            f"{middle(by, lambda one: one.sender_s):.2f}",
            f"{middle(by, lambda one: one.sender_busy):.0%}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def ceiling(samples: Samples) -> str:
    """What our sender can do at most: its rate against the sink that does next to nothing."""
    name = SMTP_SINK if ("kept", SMTP_SINK) in samples else SMALL_SINK
    words = []
    for phase in RATIOS:
        by = samples[phase, name]
        rate, busy = middle(by, lambda one: one.rate), middle(by, lambda one: one.sender_busy)
        words.append(f"{phase} {rate:.0f} a second (busy {busy:.0%})")
    return f"Sender alone, against {name} and without a login: {', '.join(words)}."
