"""The set-up that lets Prometheus counters add up over the processes of one service.

Imported before prometheus_client by whoever counts (api/meters.py, delivery/meters.py). Never serves anything
(see serving.py), and never counts what the ledger counts: those figures live in Redis, changed by the same
script as the record.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path


def _remove(path: str, maker: int) -> None:
    # Forked children inherit this, and must leave their parent its directory.
    if os.getpid() == maker:
        shutil.rmtree(path, ignore_errors=True)


def multiprocess_dir() -> Path:
    """The directory that the processes of this service share; made here when the environment names none."""
    path = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if not path:
        path = tempfile.mkdtemp(prefix="mailstorm-metrics-")
        atexit.register(_remove, path, os.getpid())
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = path
    Path(path).mkdir(parents=True, exist_ok=True)
    return Path(path)


# prometheus_client decides at its first import whether values are shared, so the directory comes first;
# system.api and system.worker import this module before any other of theirs.
multiprocess_dir()

from prometheus_client import (  # noqa: E402  # noqa: E402
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    multiprocess,
    values,
)
from prometheus_client.registry import Collector  # noqa: E402

__all__ = ["SECONDS", "Counter", "Gauge", "Histogram", "multiprocess_dir", "shared_registry"]

# Buckets of the histograms, in seconds.
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class _ThisProcess(Collector):
    """The values of this process alone, where somebody imported prometheus_client before us."""

    def collect(self) -> Iterable[Metric]:
        return REGISTRY.collect()


def shared_registry() -> CollectorRegistry:
    """A fresh registry over all processes of this service, without the live gauges of dead ones."""
    registry = CollectorRegistry()
    if values.ValueClass is values.MutexValue:
        registry.register(_ThisProcess())
        return registry
    for file in multiprocess_dir().glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        if not Path("/proc", pid).exists():
            file.unlink(missing_ok=True)
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
