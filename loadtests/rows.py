"""What the load tells Locust: a row for every request and every step, and its files written to the end.

Used by the session. Never counts anything itself: the statistics, the CSV and the HTML are Locust's own.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import gevent
from locust import stats
from locust.html import get_html_report, process_html_filename
from locust.runners import WorkerRunner

END_TO_END = "E2E"


class Rows:
    """The rows of one process; `environment` is Locust's."""

    def __init__(self, environment: Any) -> None:
        self._environment = environment

    def request(self, method: str, name: str, seconds: float, size: int, error: str | None) -> None:
        """Add one request to the statistics."""
        self._environment.events.request.fire(
            request_type=method,
            name=name,
            response_time=seconds * 1000,
            response_length=size,
            response=None,
            context={},
            exception=RuntimeError(error) if error else None,
            start_time=time.time() - seconds,
            url=name,
        )

    def step(self, name: str, seconds: float, error: str | None = None) -> None:
        """Add one step of a job, from one end of the system to the other."""
        self.request(END_TO_END, name, seconds, 0, error)

    def send(self) -> None:
        """Send a worker's last rows to its master now: they must be there before its word that it is done."""
        runner = self._environment.runner
        data: dict[str, Any] = {}
        self._environment.events.report_to_master.fire(client_id=runner.client_id, data=data)
        runner.send_message("stats", data)

    def complete(self) -> None:
        """Have the last rows in the CSV and the HTML; after a signal Locust itself would not see to it."""
        options = self._environment.parsed_options
        if isinstance(self._environment.runner, WorkerRunner):
            return
        if options.csv_prefix:
            # Its writer goes round without end, and this gives it time for one whole round.
            gevent.sleep(stats.CSV_STATS_INTERVAL_SEC + 0.2)
        if options.html_file:
            process_html_filename(options)
            report = Path(options.html_file)
            report.parent.mkdir(parents=True, exist_ok=True)
            page = get_html_report(self._environment, show_download_link=False)  # type: ignore[no-untyped-call]
            report.write_text(page, "utf-8")
