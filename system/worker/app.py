"""The Celery app: how hints travel, and nothing about what they mean.

Loaded by `celery -A system.worker.app worker`; the API and the relay make one of their own to publish with.
Every time-out is set, because Celery's defaults wait for a silent Redis for ever.
"""

from __future__ import annotations

from celery import Celery

from system.settings import Delivery, Settings, get_settings

# Longer than any attempt can take; it only catches a process that hangs outside all our time-outs.
TASK_LIMIT_S = 900
HELD_ACKNOWLEDGEMENT = frozenset({Delivery.CLAIM_FIRST, Delivery.MARK_AFTER})


def make_app(settings: Settings, socket_timeout_s: float = 5) -> Celery:
    """An app for these settings; `socket_timeout_s` bounds one step of talking to the broker."""
    app = Celery("mail", broker=settings.broker_url, include=["system.worker.tasks"])
    late = settings.delivery in HELD_ACKNOWLEDGEMENT
    app.conf.update(
        # The record says how a job went, so Celery keeps no results.
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        task_track_started=False,
        task_publish_retry=False,
        # Under the ledger a message is only a hint, and an early acknowledgement spares a second one.
        task_acks_late=late,
        task_reject_on_worker_lost=late,
        task_time_limit=TASK_LIMIT_S,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_timeout=2,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,
        broker_pool_limit=16,
        broker_transport_options=_transport_options(settings, socket_timeout_s),
        enable_utc=True,
    )
    return app


def _transport_options(settings: Settings, socket_timeout_s: float) -> dict[str, object]:
    return {
        "visibility_timeout": settings.visibility_timeout_s,
        # kombu's default looks every 100 s, whatever the visibility time-out says.
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
        # A worker killed while it restores keeps the lock: by default nobody restores for five minutes.
        "unacked_mutex_expire": 10,
        "socket_timeout": socket_timeout_s,
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
        "health_check_interval": 5,
    }


def __getattr__(name: str) -> Celery:
    """Makes `app` when Celery asks for it, so that importing `make_app` reads no settings."""
    if name not in {"app", "celery"}:
        raise AttributeError(name)
    app = make_app(get_settings())
    globals()["app"] = globals()["celery"] = app
    from system.worker import lifecycle  # noqa: F401, PLC0415 - connects its signals

    return app
