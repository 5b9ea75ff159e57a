"""What gunicorn does around the app: one metrics directory for all processes, and no gauges of dead ones.

Given as `-c python:system.api.gunicorn_conf`. Opens no connection, since it runs before the fork.
"""

from __future__ import annotations

from typing import Any

from gunicorn.glogging import Logger
from prometheus_client import multiprocess

from system import logs, metrics
from system.effective import describe
from system.settings import get_settings

metrics.multiprocess_dir()

graceful_timeout = 10


class logger_class(Logger):  # type: ignore[misc]  # noqa: N801 - the name of gunicorn's setting
    """Gunicorn's own lines, and those of its workers, in our form."""

    def setup(self, cfg: Any) -> None:
        """Called at the start and at each reload."""
        super().setup(cfg)
        settings = get_settings()
        logs.configure(settings, "api")
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            logs.dress(handler, settings, "api")


def on_starting(server: Any) -> None:
    """Checks the settings before any fork; a child that ended over them would be replaced for ever."""
    server.log.info("%s", describe(get_settings()))


def child_exit(server: Any, worker: Any) -> None:
    """A process has ended: its live gauges go, its counters stay."""
    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
