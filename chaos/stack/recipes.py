"""How each server of the stack is started: its command line and its environment. Pure, starts nothing."""

from __future__ import annotations

import sys
from pathlib import Path

from chaos.stack.addresses import Addresses
from chaos.stack.options import StackOptions
from chaos.stack.ports import HOST

SMTP_USER = "mailstorm"


def redis(binary: Path, addresses: Addresses, data: Path) -> list[str]:
    """redis-server with an append-only file in `data`."""
    return [
        str(binary),
        *("--port", str(addresses.port("redis"))),
        *("--bind", HOST),
        *("--dir", str(data)),
        *("--appendonly", "yes"),
        # A reply means that the write is on disk, so that even a power cut loses nothing accepted.
        *("--appendfsync", "always"),
        *("--save", ""),
        *("--maxmemory-policy", "noeviction"),
    ]


def toxiproxy(binary: Path, addresses: Addresses) -> list[str]:
    """toxiproxy-server, empty, counting bytes."""
    return [str(binary), "-host", HOST, "-port", str(addresses.port("toxiproxy")), "-proxy-metrics"]


def sink(options: StackOptions, addresses: Addresses, run: str, out: Path) -> list[str]:
    """The sink; its password comes from the environment."""
    flags = {
        "--out": str(out),
        "--run": run,
        "--host": HOST,
        "--smtp-port": str(addresses.port("smtp")),
        "--control-port": str(addresses.port("control")),
        "--username": SMTP_USER,
        "--idle-limit-s": str(options.data_limit_s),
        "--data-limit-s": str(options.data_limit_s),
        "--latency-s": str(options.sink_latency_s),
    }
    return [sys.executable, "-m", "fake_smtp", *(word for pair in flags.items() for word in pair)]


def api(addresses: Addresses) -> list[str]:
    """The API under gunicorn."""
    return [
        *(sys.executable, "-m", "gunicorn"),
        *("-c", "python:system.api.gunicorn_conf"),
        *("--bind", addresses.direct("api")),
        *("--workers", "2", "--threads", "8", "--worker-class", "gthread"),
        "system.api.app:create_app()",
    ]


def relay() -> list[str]:
    """The relay."""
    return [sys.executable, "-m", "system.delivery.relay"]


def worker(options: StackOptions, name: str) -> list[str]:
    """One Celery worker with its pool."""
    return [
        *(sys.executable, "-m", "celery", "-A", "system.worker.app", "worker"),
        *("--concurrency", str(options.concurrency)),
        *("-n", f"{name}@%h"),
        *("--without-gossip", "--without-mingle", "--loglevel", "INFO"),
    ]


def system_env(
    options: StackOptions, addresses: Addresses, name: str, password: str, metrics: Path
) -> dict[str, str]:
    """The settings of one process of the system; see system/settings.py for what they mean."""
    role = name.partition("-")[0]
    smtp_host, smtp_port = addresses.via("smtp-worker").split(":")
    return {
        "DELIVERY": options.delivery,
        "LEDGER_URL": f"redis://{addresses.via(f'redis-{role}')}/0",
        "BROKER_URL": f"redis://{addresses.via(f'broker-{role}')}/0",
        "SMTP_HOST": smtp_host,
        "SMTP_PORT": smtp_port,
        "SMTP_USERNAME": SMTP_USER,
        "SMTP_PASSWORD": password,
        "SMTP_STARTTLS": "false",
        "SMTP_TIMEOUT_S": str(options.smtp_timeout_s),
        "SMTP_DATA_LIMIT_S": str(options.data_limit_s),
        "RECEIPTS_URL": f"http://{addresses.via('receipts-worker')}/receipts" if options.receipts else "",
        "DOUBT_POLICY": options.doubt_policy,
        "LEASE_S": str(options.lease_s),
        "VISIBILITY_TIMEOUT_S": str(options.visibility_timeout_s),
        # Short steps, so that a run of half a minute sees what a production system does in minutes.
        "REPUBLISH_FIRST_S": "2",
        "REPUBLISH_MAX_S": "8",
        "RETRY_BASE_S": "0.5",
        "RETRY_CAP_S": "4",
        "LOGIN_PROBE_S": "1",
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        "WORKER_METRICS_PORT": str(addresses.port(name)) if role == "worker" else "0",
        "RELAY_METRICS_PORT": str(addresses.port("relay")) if role == "relay" else "0",
    }
