"""How every process connects to the ledger's Redis: short time-outs, one immediate retry, one dialect.

redis-py's own ten retries would make a frozen Redis take a minute to notice. A command may therefore run
twice, and every script is replay-safe. Never shares a client over a fork.
"""

from __future__ import annotations

import os
import socket
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from system.settings import Settings

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


def secured(url: str, ca_file: str) -> str:
    """The URL with what kombu and redis-py need to check the certificate of a `rediss://` server."""
    parts = urlsplit(url)
    if parts.scheme != "rediss":
        return url
    query = {"ssl_cert_reqs": "required", "ssl_check_hostname": "true", **dict(parse_qsl(parts.query))}
    if ca_file:
        query.setdefault("ssl_ca_certs", ca_file)
    return urlunsplit(parts._replace(query=urlencode(query)))


def ledger(settings: Settings, timeout_s: float | None = None, retries: int = 1) -> redis.Redis:
    """A client of the ledger of these settings; `timeout_s` is theirs unless given."""
    url = secured(settings.ledger_url, settings.tls_ca_file)
    return connect(url, timeout_s or settings.redis_timeout_s, retries)


def worker_name() -> str:
    """`host:pid` of this process, as it stands in trails and in X-Worker."""
    host = "".join(c for c in socket.gethostname() if c.isascii() and (c.isalnum() or c in "-._"))
    return f"{host[:WORKER_NAME_MAX] or 'host'}:{os.getpid()}"
