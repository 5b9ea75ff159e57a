"""The harness's own page for Prometheus: which fault is on, its clocks, the mails, and the verdict so far.

Served by `up` (chaos/control) and, with `--metrics-port`, while `run` and `suite` go on. Never decides
anything: it shows what chaos/live.py and chaos/sofar.py know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from prometheus_client import CollectorRegistry, Metric, generate_latest, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from chaos.errors import HarnessError
from chaos.live import Live
from chaos.sofar import VERDICTS
from chaos.stack.ports import HOST

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PHASES = ("start", "warmup", "flood", "drain", "collect", "stop")
KEPT = 50
"""So many faults have series of their own, the last ones: a harness that is up for days makes many."""


def page(live: Live) -> bytes:
    """What is known now, in Prometheus text format."""
    return generate_latest(_registry(lambda: live))


class Watched:
    """The run that is shown; another takes its place when a suite goes on."""

    def __init__(self) -> None:
        self.live = Live()

    def show(self, live: Live) -> None:
        """From now on show this run."""
        self.live = live


@contextmanager
def serving(port: int) -> Iterator[Watched]:
    """Serve the page at /metrics of this loopback port (0: not at all). Raises HarnessError when taken."""
    watched = Watched()
    if not port:
        yield watched
        return
    try:
        server, thread = start_http_server(port, HOST, _registry(lambda: watched.live))
    except OSError as error:
        raise HarnessError(
            f"--metrics-port {port} cannot be had ({error.strerror}): "
            "stop what listens there, or name another port."
        ) from error
    try:
        yield watched
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _registry(get: Callable[[], Live]) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Page(get))
    return registry


class _Page(Collector):
    def __init__(self, get: Callable[[], Live]) -> None:
        self._get = get

    def describe(self) -> list[Metric]:
        """Nothing: it has no names that another collector could take."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Build the families at the moment of the scrape."""
        live = self._get()
        faults = live.faults()
        yield from _of_faults(faults[-KEPT:])
        kinds = CounterMetricFamily("chaos_faults", "Faults injected.", labels=["kind"])
        for kind in sorted({each["kind"] for each in faults}):
            kinds.add_metric([kind], sum(each["kind"] == kind for each in faults))
        yield kinds
        yield _one_of("chaos_phase", "The phase of the run.", "phase", live.phase, PHASES)
        so_far = live.so_far
        words = "What is certain so far; pass only when the judge has said so."
        yield _one_of("chaos_verdict_so_far", words, "verdict", so_far.verdict, VERDICTS)
        mails = GaugeMetricFamily("chaos_mails", "Mails of the run, as last seen.", labels=["what"])
        for what, count in sorted(so_far.mails().items()):
            mails.add_metric([what], count)
        yield mails


def _of_faults(faults: list[dict[str, Any]]) -> Iterator[Metric]:
    """One series per fault and figure; a clock that has not run yet has none."""
    figures = {
        "chaos_fault_active": ("Whether the fault is on: injected, and not read back as healed.", "active"),
        "chaos_fault_injected_timestamp_seconds": ("When it was injected.", "inject_s"),
        "chaos_fault_healed_timestamp_seconds": ("When it was read back as healed.", "healed_s"),
        "chaos_fault_recovery_seconds": ("From healed to the old rate of delivery.", "recovery_s"),
    }
    for name, (words, field) in figures.items():
        family = GaugeMetricFamily(name, words, labels=["fault", "kind"])
        for each in faults:
            if each[field] is not None:
                family.add_metric([each["fault"], each["kind"]], float(each[field]))
        yield family


def _one_of(name: str, words: str, label: str, now: str, known: tuple[str, ...]) -> Metric:
    """One series for each value that it can have: 1 for the present one, 0 for the others."""
    family = GaugeMetricFamily(name, words, labels=[label])
    for value in dict.fromkeys((*known, *([now] if now else []))):
        family.add_metric([value], float(value == now))
    return family
