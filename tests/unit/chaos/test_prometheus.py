"""Prometheus beside the stack: the deployed jobs and rules, with this stack's addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from chaos import servers
from chaos.errors import HarnessError, ServerMissing
from chaos.observe import Events
from chaos.stack import prometheus
from chaos.stack.addresses import Addresses
from chaos.stack.local import LocalStack
from chaos.stack.options import StackOptions
from chaos.stack.ports import Ports

DEPLOYED = (prometheus.DEPLOYED / "prometheus.yml").read_text()
Make = Callable[..., Addresses]


@pytest.fixture
def make() -> Iterator[Make]:
    ports = Ports()
    yield lambda options: Addresses(ports, options, severable=True)
    ports.release()


def pages(at: Addresses) -> dict[str, str]:
    names = {
        "api": "api",
        "worker-1": "worker-1",
        "worker-2": "worker-2",
        "relay": "relay",
        "sink": "control",
    }
    return {name: at.http(server, "/metrics") for name, server in names.items()}


def jobs(text: str) -> dict[str, list[str]]:
    found = yaml.safe_load(text)["scrape_configs"]
    return {job["job_name"]: job["static_configs"][0]["targets"] for job in found}


@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_every_job_with_a_target_here_is_asked_here(make: Make, broker: str) -> None:
    options = StackOptions(observe=True, monitoring=True, broker=broker)
    at = make(options)
    made = jobs(prometheus.config(DEPLOYED, prometheus.targets(options, at, pages(at))))
    deployed = set(jobs(DEPLOYED)) - {"toxiproxy"} - ({"rabbitmq"} if broker == "redis" else set())
    assert set(made) == deployed
    assert made["worker"] == [at.direct("worker-1"), at.direct("worker-2")]
    assert made["sink"] == [at.direct("control")]
    assert made["harness"] == [at.direct("harness")]
    assert all(target.startswith("127.0.0.1:") for targets in made.values() for target in targets)


def test_the_rules_are_those_that_are_deployed() -> None:
    made = yaml.safe_load(prometheus.config(DEPLOYED, {"api": ["127.0.0.1:1"]}))
    [pattern] = made["rule_files"]
    assert Path(pattern).parent == prometheus.DEPLOYED / "rules"
    assert list(Path(pattern).parent.glob(Path(pattern).name))
    assert made["global"] == {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}


def test_a_target_of_a_job_that_nobody_deployed_is_an_error() -> None:
    with pytest.raises(HarnessError, match=r"prometheus.yml has no job nobody"):
        prometheus.config(DEPLOYED, {"api": ["127.0.0.1:1"], "nobody": ["127.0.0.1:2"]})


def test_the_load_is_looked_for_at_the_port_that_was_chosen(make: Make) -> None:
    with_port = Ports()
    wanted = with_port.take()
    with_port.release()
    options = StackOptions(observe=True, web_port=wanted)
    assert prometheus.targets(options, make(options), {})["load"] == [f"127.0.0.1:{wanted}"]


def test_without_prometheus_nothing_starts_and_the_words_say_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = servers.prometheus_server()
    assert missing.path is None
    found = dict.fromkeys(("redis-server", "toxiproxy-server"), servers.Found("any", Path("/bin/true"))) | {
        "prometheus": missing
    }
    events = Events(tmp_path / "events.jsonl", "run", "chaos")
    with pytest.raises(ServerMissing, match="apt-get install prometheus"):
        LocalStack("run", tmp_path, found, StackOptions(observe=True), events)
    assert "prometheus" not in StackOptions().servers
    events.close()
