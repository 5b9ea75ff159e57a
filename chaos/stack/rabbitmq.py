"""How RabbitMQ is started as a plain process of one run: its command line, environment and files.

Pure, starts nothing. Everything it writes is below the run's work folder, and it listens on loopback only.
The node starts an epmd that leaves its process group; it is known by the mark in its environment.
"""

from __future__ import annotations

from pathlib import Path

from chaos.stack.addresses import Addresses
from chaos.stack.ports import HOST

USER = "mailstorm"

CONFIG = """\
listeners.tcp.1 = {host}:{amqp}
default_user = {user}
default_pass = {password}
loopback_users = none
management.tcp.ip = {host}
management.tcp.port = {management}
prometheus.tcp.ip = {host}
prometheus.tcp.port = {metrics}
# The drain looks at these figures: with the default of 5 s it would look at the past.
collect_statistics_interval = 500
# A full disk or a small machine must not block the publishers: the run would be about that.
disk_free_limit.absolute = 1MB
vm_memory_high_watermark.relative = 0.9
"""


def argv(binary: Path) -> list[str]:
    """The server in the foreground."""
    return [str(binary)]


def files(addresses: Addresses, home: Path, password: str) -> dict[Path, str]:
    """What must be on disk before the start."""
    ports = {name: addresses.port(name) for name in ("amqp", "management")}
    ports["metrics"] = addresses.port("rabbitmq-metrics")
    return {
        home / "rabbitmq.conf": CONFIG.format(host=HOST, user=USER, password=password, **ports),
        home / "enabled_plugins": "[rabbitmq_management,rabbitmq_prometheus].\n",
    }


def env(addresses: Addresses, home: Path) -> dict[str, str]:
    """The environment, which also keeps the machine's own RabbitMQ settings out."""
    return {
        "HOME": str(home),  # the Erlang cookie is made here
        "RABBITMQ_NODENAME": "mailstorm@localhost",
        "RABBITMQ_DIST_PORT": str(addresses.port("dist")),
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_CONFIG_FILES": str(home / "none"),
        "RABBITMQ_CONF_ENV_FILE": str(home / "none"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_PORT": str(addresses.port("epmd")),
        "ERL_EPMD_ADDRESS": HOST,
    }


def url(address: str, password: str) -> str:
    """BROKER_URL for a client that reaches it at this HOST:PORT."""
    return f"amqp://{USER}:{password}@{address}/"


def ready(addresses: Addresses, password: str) -> str:
    """A page that answers 200 once clients can connect."""
    path = f"/api/health/checks/port-listener/{addresses.port('amqp')}"
    return addresses.http("management", path, f"{USER}:{password}")
