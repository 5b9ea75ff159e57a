"""The Celery app: how hints travel over Redis or RabbitMQ, and nothing about what they mean.

Loaded by `celery -A system.worker.app worker`, which consumes every lane unless -Q names some. Every time-out
is set, because Celery's defaults wait for a silent broker for ever.
"""

from __future__ import annotations

from typing import Any

from celery import Celery
from celery.app.events import Events
from celery.events.dispatcher import EventDispatcher

from system import clients
from system.delivery import broker
from system.settings import Delivery, Settings, get_settings
from system.worker import periodic, results

# Longer than any attempt can take; it only catches a process that hangs outside all our time-outs.
TASK_LIMIT_S = 900
# RabbitMQ only: after two of these without a sign of life, either side ends the connection.
HEARTBEAT_S = 2
NORMAL_PRIORITY = 6
HELD_ACKNOWLEDGEMENT = frozenset({Delivery.CLAIM_FIRST, Delivery.MARK_AFTER})


class _Dispatcher(EventDispatcher):  # type: ignore[misc]
    """Sends a worker's events without a retry.

    Celery's own heartbeat event is retried for ever in the worker's main loop, so that a worker of a silent
    RabbitMQ would neither notice nor end.
    """

    def _publish(self, event: Any, producer: Any, routing_key: str, **_: Any) -> None:
        super()._publish(event, producer, routing_key, retry=False)


class _Events(Events):  # type: ignore[misc]
    dispatcher_cls = _Dispatcher


def make_app(settings: Settings, socket_timeout_s: float = 5) -> Celery:
    """An app for these settings; `socket_timeout_s` bounds one step of talking to the broker."""
    url = clients.secured(settings.broker_url, settings.tls_ca_file)
    tasks = ["system.worker.tasks", "system.worker.periodic"]
    app = Celery("mail", broker=url, include=tasks, events=_Events if settings.on_rabbitmq else None)
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
        task_queues=broker.queues(settings),
        task_default_queue=broker.CELERY,
        task_default_priority=_priority(settings),
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_timeout=broker.CONNECT_TIMEOUT_S,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,
        broker_pool_limit=16,
        broker_heartbeat=HEARTBEAT_S,
        broker_use_ssl=broker.tls_options(settings) or False,
        broker_transport_options=broker.transport_options(settings, socket_timeout_s),
        enable_utc=True,
        **periodic.app_options(settings),
        **results.app_options(settings),
    )
    return app


def _priority(settings: Settings) -> int:
    """For messages that say nothing: the middle, on the scale of the broker."""
    return broker.rabbit_priority(NORMAL_PRIORITY) if settings.on_rabbitmq else NORMAL_PRIORITY


def __getattr__(name: str) -> Celery:
    """Makes `app` when Celery asks for it, so that importing `make_app` reads no settings."""
    if name not in {"app", "celery"}:
        raise AttributeError(name)
    app = make_app(get_settings())
    globals()["app"] = globals()["celery"] = app
    from system.worker import lifecycle  # noqa: F401, PLC0415 - connects its signals

    return app
