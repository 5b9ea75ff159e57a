"""How the stack is wired: which connection goes where, on each broker, with and without Toxiproxy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chaos.stack import rabbitmq, recipes
from chaos.stack.addresses import PROXIES, Addresses
from chaos.stack.options import StackOptions
from chaos.stack.ports import Ports

RABBIT = StackOptions(broker="rabbitmq")
REDIS = StackOptions()
FOLDER = Path("/runs/x")
Make = Callable[..., Addresses]


@pytest.fixture
def make() -> Iterator[Make]:
    ports = Ports()
    yield lambda options, severable=True: Addresses(ports, options, severable=severable)
    ports.release()


def env(at: Addresses, options: StackOptions, name: str) -> dict[str, str]:
    return recipes.system_env(options, at, name, "secret", FOLDER)


def test_hints_go_through_a_proxy_to_the_broker_in_use_and_the_ledger_stays_in_redis(make: Make) -> None:
    at = make(RABBIT)
    for name in ("api", "relay", "worker-1"):
        role = name.partition("-")[0]
        settings = env(at, RABBIT, name)
        assert settings["BROKER_URL"] == f"amqp://mailstorm:secret@{at.direct(f'broker-{role}')}/"
        assert settings["LEDGER_URL"] == f"redis://{at.direct(f'redis-{role}')}/0"
        assert at.proxies()[f"broker-{role}"][1] == at.direct("amqp")
        assert at.proxies()[f"redis-{role}"][1] == at.direct("redis")


def test_on_redis_the_same_proxies_lead_to_another_database_of_redis(make: Make) -> None:
    at = make(REDIS)
    assert env(at, REDIS, "api")["BROKER_URL"] == f"redis://{at.direct('broker-api')}/1"
    assert at.proxies()["broker-api"][1] == at.direct("redis")


@pytest.mark.parametrize(("options", "server"), [(REDIS, "redis"), (RABBIT, "amqp")])
def test_without_toxiproxy_everything_is_reached_directly(
    make: Make, options: StackOptions, server: str
) -> None:
    at = make(options, severable=False)
    assert at.direct(server) in env(at, options, "worker-1")["BROKER_URL"]
    assert env(at, options, "worker-1")["RECEIPTS_URL"] == f"http://{at.direct('control')}/receipts"


def test_what_leads_to_redis_depends_on_the_broker(make: Make) -> None:
    assert make(REDIS).proxies_to("redis") == [name for name in PROXIES if name.startswith(("redis", "bro"))]
    assert make(REDIS).proxies_to("redis", ["worker"]) == ["redis-worker", "broker-worker"]
    assert make(RABBIT).proxies_to("redis", ["worker"]) == ["redis-worker"]


def test_what_watches_the_system_has_no_proxy_and_only_up_starts_it(make: Make) -> None:
    options = StackOptions(broker="rabbitmq", monitoring=True)
    at = make(options)
    assert at.direct("amqp") in env(at, options, "flower")["BROKER_URL"]
    assert at.direct("redis") in env(at, options, "beat")["LEDGER_URL"]
    settings = recipes.flower_env(options, at, "me:secret")
    assert settings["FLOWER_BASIC_AUTH"] == "me:secret"
    assert settings["FLOWER_BROKER_API"] == f"http://me:secret@{at.direct('management')}/api/"
    assert f"--port={at.port('flower')}" in recipes.flower(at)
    assert "-E" in recipes.worker(options, "worker-1")
    assert "-E" not in recipes.worker(REDIS, "worker-1")
    flower_on_redis = StackOptions(monitoring=True)
    assert "FLOWER_BROKER_API" not in recipes.flower_env(flower_on_redis, make(flower_on_redis), "me:secret")


def test_a_run_simulates_nothing_and_keeps_what_its_jobs_wrote(make: Make) -> None:
    at = make(REDIS)
    settings = env(at, REDIS, "worker-1")
    assert settings["SIMULATE_FAILURES"] == "false"
    assert settings["GREET_DIR"] == "/runs/x/greetings"
    assert env(at, StackOptions(simulate_failures=True), "worker-1")["SIMULATE_FAILURES"] == "true"


def test_rabbitmq_listens_on_loopback_and_writes_only_below_its_folder(make: Make) -> None:
    at, home = make(RABBIT), FOLDER / "work" / "rabbitmq"
    files = rabbitmq.files(at, home, "secret")
    config = files[home / "rabbitmq.conf"]
    assert f"listeners.tcp.1 = {at.direct('amqp')}\n" in config
    assert "default_pass = secret\n" in config
    assert "guest" not in config
    settings = rabbitmq.env(at, home)
    assert settings["ERL_EPMD_ADDRESS"] == "127.0.0.1"
    assert settings["ERL_EPMD_PORT"] == str(at.port("epmd"))
    paths = [Path(value) for value in settings.values() if value.startswith("/")]
    assert len(paths) == 7
    assert all(path.is_relative_to(home) for path in [*paths, *files])
