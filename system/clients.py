"""How every process connects to the ledger's Redis: short time-outs, one immediate retry, one dialect.

redis-py's own ten retries would make a frozen Redis take a minute to notice. A command may therefore run
twice, and every script is replay-safe. Never shares a client over a fork.
"""

from __future__ import annotations

import os
import socket

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

WORKER_NAME_MAX = 64


def connect(url: str, timeout_s: float, retries: int = 1) -> redis.Redis:
    """A client of the ledger; connects when first used. `timeout_s` bounds each connect and each reply."""
    client: redis.Redis = redis.Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), retries),
        decode_responses=True,
        encoding_errors="replace",
        protocol=2,
        driver_info=None,
    )
    return client


def worker_name() -> str:
    """`host:pid` of this process, as it stands in trails and in X-Worker."""
    host = "".join(c for c in socket.gethostname() if c.isascii() and (c.isalnum() or c in "-._"))
    return f"{host[:WORKER_NAME_MAX] or 'host'}:{os.getpid()}"
