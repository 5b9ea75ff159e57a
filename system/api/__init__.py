"""The HTTP side: accepts jobs, says how they stand, tells its own health. Never sends a mail."""

from system import metrics  # noqa: F401 - before anything imports prometheus_client
