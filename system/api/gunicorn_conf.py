"""What gunicorn does around the app: one metrics directory for all processes, and no gauges of dead ones.

Given as `-c python:system.api.gunicorn_conf`. Opens no connection, since it runs before the fork.
"""

from __future__ import annotations

from typing import Any

from prometheus_client import multiprocess

from system import metrics
from system.settings import get_settings

metrics.multiprocess_dir()

graceful_timeout = 10


def on_starting(server: Any) -> None:
    """Checks the settings before any fork; a child that ended over them would be replaced for ever."""
    get_settings()


def child_exit(server: Any, worker: Any) -> None:
    """A process has ended: its live gauges go, its counters stay."""
    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
