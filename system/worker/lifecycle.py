"""What a worker does when it starts, forks and ends: check the receiver's limits, serve metrics, make tools.

Connected to Celery's signals when the app is loaded. A lease that the receiver's own limit outlives ends the
worker at once; a receiver that cannot be asked is only a warning.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from celery import signals
from prometheus_client import generate_latest

from system import logs, metrics, serving
from system.delivery.parts import Parts, make_parts
from system.delivery.receipts import HttpReceipts
from system.settings import Settings, get_settings

log = logging.getLogger(__name__)

_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_server: serving.MetricsServer | None = None
_own = threading.local()


def parts() -> Parts:
    """The tools of the process that calls; in a pool of threads, of the thread."""
    if not hasattr(_own, "parts"):
        _own.parts = make_parts(get_settings())
    found: Parts = _own.parts
    return found


def check_limits(settings: Settings) -> None:
    """Compares the receiver's DATA limit with the lease.

    Raises:
        SystemExit: a mail could still be completed after its lease has ended.

    """
    if not settings.receipts_url or not settings.guarded:
        return
    try:
        limit = HttpReceipts(settings.receipts_url, settings.receipts_timeout_s).limits()["data_limit_s"]
    except (OSError, ValueError) as error:
        log.warning("the receiver's limits cannot be had, trusting SMTP_DATA_LIMIT_S: %s", error)
        return
    if not isinstance(limit, int | float) or limit <= 0 or limit >= settings.lease_s:
        words = f"the receiver's data limit ({limit} s) must be below LEASE_S ({settings.lease_s:g} s)"
        log.error("%s", words)
        raise SystemExit(words)
    if limit > settings.smtp_data_limit_s:
        log.warning("the receiver's data limit is %s s, SMTP_DATA_LIMIT_S says less", limit)


signals.setup_logging.connect(logs.for_celery)


@signals.worker_init.connect  # type: ignore[untyped-decorator]
def _on_start(**_: Any) -> None:
    global _server  # noqa: PLW0603
    settings = get_settings()
    # The signal that sets up the logs comes later, and then replaces this.
    logs.configure(settings, "worker")
    check_limits(settings)
    if settings.worker_metrics_port:
        pages: dict[str, serving.Page] = {
            "/metrics": lambda: (200, _TEXT, generate_latest(metrics.shared_registry())),
            "/health": lambda: (200, "text/plain", b"ok\n"),
        }
        _server = serving.MetricsServer(settings.metrics_host, settings.worker_metrics_port, pages)
        _server.start()


@signals.after_setup_logger.connect  # type: ignore[untyped-decorator]
def _quiet(**_: Any) -> None:
    """Celery's own two lines for each task say less than ours, and cost as much as the SMTP conversation."""
    for name in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)


@signals.worker_process_init.connect  # type: ignore[untyped-decorator]
def _on_fork(**_: Any) -> None:
    _own.__dict__.clear()
    if _server:
        _server.close_socket()


@signals.worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def _on_end(**_: Any) -> None:
    if hasattr(_own, "parts"):
        _own.parts.mailer.quit()
