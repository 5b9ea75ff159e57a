"""How each server of the stack is started: its command line and its environment. Pure, starts nothing."""

from __future__ import annotations

import sys
from pathlib import Path

from chaos.stack import rabbitmq
from chaos.stack.addresses import Addresses
from chaos.stack.options import StackOptions
from chaos.stack.ports import HOST

USER = rabbitmq.USER
"""Who logs in at the sink, at RabbitMQ and at Flower."""

# Apart, so that whoever looks for queues need not look through every job.
LEDGER_DB, BROKER_DB = 0, 1
_CELERY = ("-m", "celery", "-A", "system.worker.app")


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
        "--username": USER,
        "--idle-limit-s": str(options.data_limit_s),
        "--data-limit-s": str(options.data_limit_s),
        "--latency-s": str(options.sink_latency_s),
    }
    return [sys.executable, "-m", "fake_smtp", *(word for pair in flags.items() for word in pair)]


def api(options: StackOptions, addresses: Addresses) -> list[str]:
    """The API under gunicorn."""
    return [
        *(options.python, "-m", "gunicorn"),
        *("-c", "python:system.api.gunicorn_conf"),
        *("--bind", addresses.direct("api")),
        *("--workers", "2", "--threads", "8", "--worker-class", "gthread"),
        "system.api.app:create_app()",
    ]


def relay(options: StackOptions) -> list[str]:
    """The relay."""
    return [options.python, "-m", "system.delivery.relay"]


def worker(options: StackOptions, name: str) -> list[str]:
    """One Celery worker with its pool."""
    return [
        *(options.python, *_CELERY, "worker"),
        *("--concurrency", str(options.concurrency)),
        *("-n", f"{name}@%h"),
        *("--without-gossip", "--without-mingle", "--loglevel", "INFO"),
        *(("-E",) if options.monitoring else ()),
    ]


def beat(schedule: Path) -> list[str]:
    """Celery beat, which remembers in `schedule` what ran when."""
    return [sys.executable, *_CELERY, "beat", "--schedule", str(schedule), "--loglevel", "INFO"]


def flower(addresses: Addresses) -> list[str]:
    """Flower; its login comes from the environment."""
    return [sys.executable, *_CELERY, "flower", f"--address={HOST}", f"--port={addresses.port('flower')}"]


def flower_env(options: StackOptions, addresses: Addresses, login: str) -> dict[str, str]:
    """Flower's own settings, besides those of the system."""
    env = {"FLOWER_BASIC_AUTH": login}
    if options.on_rabbitmq:
        env["FLOWER_BROKER_API"] = addresses.http("management", "/api/", login)
    return env


def system_env(
    options: StackOptions, addresses: Addresses, name: str, password: str, folder: Path
) -> dict[str, str]:
    """The settings of one process of the system; see system/settings.py for what they mean."""
    role = name.partition("-")[0]
    smtp_host, smtp_port = addresses.reach("smtp", "worker").split(":")
    receipts = f"http://{addresses.reach('receipts', 'worker')}/receipts"
    return source_env(options) | {
        "DELIVERY": options.delivery,
        "LEDGER_URL": f"redis://{addresses.reach('redis', role)}/{LEDGER_DB}",
        "BROKER_URL": broker_url(options, addresses.reach("broker", role), password),
        "SMTP_HOST": smtp_host,
        "SMTP_PORT": smtp_port,
        "SMTP_USERNAME": USER,
        "SMTP_PASSWORD": password,
        "SMTP_STARTTLS": "false",
        "SMTP_TIMEOUT_S": str(options.smtp_timeout_s),
        "SMTP_DATA_LIMIT_S": str(options.data_limit_s),
        "RECEIPTS_URL": receipts if options.receipts else "",
        "DOUBT_POLICY": options.doubt_policy,
        "LEASE_S": str(options.lease_s),
        "VISIBILITY_TIMEOUT_S": str(options.visibility_timeout_s),
        # Short steps, so that a run of half a minute sees what a production system does in minutes.
        "REPUBLISH_FIRST_S": "2",
        "REPUBLISH_MAX_S": "8",
        "RETRY_BASE_S": "0.5",
        "RETRY_CAP_S": "4",
        "LOGIN_PROBE_S": "1",
        "GREET_DIR": str(folder / "greetings"),
        "SIMULATE_FAILURES": str(options.simulate_failures).lower(),
        "PROMETHEUS_MULTIPROC_DIR": str(metrics_dir(folder, name)),
        "WORKER_METRICS_PORT": str(addresses.port(name)) if role == "worker" else "0",
        "RELAY_METRICS_PORT": str(addresses.port("relay")) if role == "relay" else "0",
    }


def source_env(options: StackOptions) -> dict[str, str]:
    """What makes Python take `system` from another folder than the installed one."""
    if options.system_root is None:
        return {}
    # One seed for the hashes: their luck alone can make one of two equal sides a little faster.
    return {"PYTHONPATH": str(options.system_root), "PYTHONHASHSEED": "0"}


def metrics_dir(folder: Path, name: str) -> Path:
    """Where the processes of one service add up their counters; must be there before the start."""
    return folder / "work" / f"prometheus-{name}"


def broker_url(options: StackOptions, address: str, password: str) -> str:
    """The broker at this HOST:PORT."""
    return rabbitmq.url(address, password) if options.on_rabbitmq else f"redis://{address}/{BROKER_DB}"
