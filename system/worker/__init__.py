"""The Celery side: the app, its tasks, and what a pool process keeps between two tasks."""

from system import metrics  # noqa: F401 - before anything imports prometheus_client
