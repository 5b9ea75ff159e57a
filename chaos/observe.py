"""Watch a run: scrape every /metrics once a second, measure broker depth, follow the sink's count.

Writes events.jsonl and metrics.jsonl, and answers the stage's live questions (is mail flowing?).
Never goes through a proxy, and never decides a verdict.
"""

from __future__ import annotations

import math
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import requests
from prometheus_client.parser import text_string_to_metric_families

from chaos import http
from chaos.broker import Broker, Unseen
from chaos.errors import HarnessError
from chaos.live import Live
from chaos.sink import Sink
from reports.evidence import Appender

SCRAPE_EVERY_S = 1.0
SAMPLE_EVERY_S = 0.1
SCRAPE_LIMIT_S = 5.0
KEPT = ("mail_", "sink_", "toxiproxy_proxy_")
RECOVERED_SHARE = 0.9


class Events(Appender):
    """events.jsonl, and what it tells about the run while it goes on."""

    def __init__(self, path: Path, run: str, role: str) -> None:
        super().__init__(path, run, role)
        self.live = Live()

    def append(self, event: str, **fields: Any) -> None:
        """Write one record; those who watch learn of it when it is on disk."""
        super().append(event, **fields)
        self.live.see(event, fields)


def parse_samples(text: str) -> dict[str, float]:
    """The samples of a Prometheus page that evidence keeps; buckets and creation times are left out."""
    samples = {}
    for family in text_string_to_metric_families(text):
        if not family.name.startswith(KEPT):
            continue
        for sample in family.samples:
            if sample.name.endswith(("_bucket", "_created")):
                continue
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            samples[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return samples


def _nobody(target: str, samples: dict[str, float]) -> None:
    """Watch no scrape."""


@dataclass(frozen=True)
class Flow:
    """How much the sink had stored at one moment."""

    mono_s: float
    stored: int


class Observer:
    """The watching threads of one run."""

    def __init__(
        self,
        metrics: Appender,
        targets: dict[str, str],
        broker: Broker,
        sink: Sink,
        show: Callable[[str, dict[str, float]], None] = _nobody,
    ) -> None:
        """`targets` maps a name to the address of its /metrics; `show` gets each scrape of each."""
        self._show = show
        self._metrics = metrics
        self._targets = targets
        self.broker = broker
        self._sink = sink
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self._flow: deque[Flow] = deque(maxlen=int(600 / SAMPLE_EVERY_S))
        self.steady_rate_per_s = 0.0
        self.latest: dict[str, dict[str, float]] = {}

    def __enter__(self) -> Observer:
        """Begin to watch; the first scrape of everything is done, so that counters have a start."""
        self.scrape_all()
        self._sample()
        for name, address in self._targets.items():
            self._repeat(f"scrape-{name}", SCRAPE_EVERY_S, partial(self._scrape, name, address))
        self._repeat("broker", SCRAPE_EVERY_S, self._measure_broker)
        self._repeat("flow", SAMPLE_EVERY_S, self._sample)
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._metrics.close()

    def end(self) -> None:
        """Stop watching; single scrapes are still possible."""
        self._ended.set()
        for thread in self._threads:
            thread.join(SCRAPE_LIMIT_S + 1)
        self._threads.clear()

    def scrape_all(self) -> None:
        """One scrape of everything, now."""
        for name, address in self._targets.items():
            self._scrape(name, address)
        self._measure_broker()

    def scrape_final(self, targets: list[str], limit_s: float = 5.0) -> None:
        """The last scrape, once every SMTP session has ended (a session that does not end is a finding)."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline and self._sink.counters()["open_sessions"] > 0:
            time.sleep(SAMPLE_EVERY_S)
        for target in targets:
            if target in self._targets:
                self._scrape(target, self._targets[target])

    # -- is mail flowing? -------------------------------------------------------------------------------

    @property
    def stored(self) -> int:
        """Mails stored by the sink so far; raises HarnessError when the sink has stopped answering."""
        last = self._flow[-1]
        if time.monotonic() - last.mono_s > 3.0:
            raise HarnessError("the sink's control API does not answer: nothing can be observed any more")
        return last.stored

    def stored_in_last(self, window_s: float) -> int:
        """Mails stored within the last `window_s` seconds."""
        now, start = self.stored, time.monotonic() - window_s
        before = next((flow.stored for flow in reversed(self._flow) if flow.mono_s <= start), now)
        return now - before

    def window_for(self, mails: int) -> float:
        """Seconds in which the steady rate delivers so many mails, at least 0.6.

        Where no mail flowed no time is enough: silence proves nothing then.
        """
        return max(0.6, mails / self.steady_rate_per_s) if self.steady_rate_per_s else math.inf

    def mark_steady(self, since_mono_s: float) -> None:
        """Take the median rate per second since then as the steady state, before anything is broken."""
        flows = [flow for flow in self._flow if flow.mono_s >= since_mono_s]
        per_s = []
        while flows:
            start = flows[0]
            rest = [flow for flow in flows if flow.mono_s >= start.mono_s + 1.0]
            if not rest:
                break
            per_s.append((rest[0].stored - start.stored) / (rest[0].mono_s - start.mono_s))
            flows = rest
        self.steady_rate_per_s = statistics.median(per_s) if per_s else 0.0

    def recovered_since(self, healed_mono_s: float) -> bool:
        """True when a window that lies behind the healing delivered at least 90 % of the steady rate."""
        window_s = max(1.0, self.window_for(mails=10))
        if time.monotonic() - healed_mono_s < window_s:
            return False
        # One mail of slack: a window may begin just behind one and end just before the next.
        return self.stored_in_last(window_s) >= RECOVERED_SHARE * self.steady_rate_per_s * window_s - 1

    # -- the threads ------------------------------------------------------------------------------------

    def _repeat(self, name: str, every_s: float, act: Callable[[], None]) -> None:
        def loop() -> None:
            while not self._ended.wait(every_s):
                act()

        thread = threading.Thread(target=loop, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _scrape(self, target: str, address: str) -> None:
        try:
            answer = http.get(address, SCRAPE_LIMIT_S)
            answer.raise_for_status()
            samples = parse_samples(answer.text)
        except (requests.RequestException, ValueError) as error:
            self._metrics.append("scrape", target=target, ok=False, samples={}, error=str(error)[:300])
            return
        self.latest[target] = samples
        self._show(target, samples)
        self._metrics.append("scrape", target=target, ok=True, samples=samples, error=None)

    def _measure_broker(self) -> None:
        due = self.latest.get("api", {}).get("mail_jobs_due")
        try:
            queues, unacked = self.broker.depth()
        except Unseen as error:
            self._metrics.append("broker", ok=False, queues={}, unacked=None, due=due, error=str(error)[:300])
            return
        self._metrics.append("broker", ok=True, queues=queues, unacked=unacked, due=due)

    def _sample(self) -> None:
        try:
            stored = int(self._sink.counters()["stored"])
        except (requests.RequestException, KeyError, ValueError):
            return  # the age of the last sample tells
        self._flow.append(Flow(time.monotonic(), stored))
