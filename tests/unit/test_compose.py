"""docker-compose.yml is held to its rules: loopback only, every breakable connection severable.

The rules are read from what a real compose tool makes of the file; without one they are skipped on a laptop
and fail in CI.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROXIES = {
    "redis-api", "redis-worker", "redis-relay", "broker-api", "broker-worker", "broker-relay",
    "rabbitmq-api", "rabbitmq-worker", "rabbitmq-relay", "smtp-worker", "receipts-worker",
}  # fmt: skip
OURS = {"api", "worker-1", "worker-2", "relay", "beat", "flower", "fake-smtp", "locust"}
SYSTEM = {
    "api": "api", "worker-1": "worker", "worker-2": "worker", "relay": "relay",
    "beat": "worker", "flower": "worker",
}  # fmt: skip
THEIRS = {"redis", "toxiproxy", "rabbitmq", "prometheus", "grafana"}
PROFILES = {
    "locust": ["load"],
    "rabbitmq": ["rabbitmq"],
    "prometheus": ["observability"],
    "grafana": ["observability"],
}


def _without_tool(words):
    if os.environ.get("CI") == "true":
        pytest.fail(words)
    pytest.skip(words)


def _compose(*words, variables=None):
    """Run `docker compose`, or `docker-compose` where there is none; return what it prints."""
    clean = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("SMTP_", "API_", "BROKER_", "RABBITMQ_"))
    }
    for tool in (["docker", "compose"], ["docker-compose"]):
        if not shutil.which(tool[0]):
            continue
        version = subprocess.run([*tool, "version"], capture_output=True, check=False)
        if version.returncode == 0:
            command = [
                *tool,
                "--env-file",
                str(ROOT / ".env.example"),
                "-f",
                str(ROOT / "docker-compose.yml"),
                *words,
            ]
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, cwd=ROOT, env=clean | (variables or {})
            )
            assert done.returncode == 0, done.stderr
            return tool, done.stdout
    return _without_tool("neither docker compose nor docker-compose is installed")


def _rendered(**variables):
    profiles = [word for names in PROFILES.values() for name in names for word in ("--profile", name)]
    tool, text = _compose(*profiles, "config", variables=variables)
    if tool == ["docker", "compose"]:
        _, text = _compose(*profiles, "config", "--format", "json", variables=variables)
        return json.loads(text)
    # docker-compose 1.29 prints YAML only; the Python that runs it can read that, ours need not.
    first = Path(shutil.which("docker-compose")).read_bytes().splitlines()[0]
    if not (first.startswith(b"#!") and b"python" in first):
        return _without_tool("this docker-compose prints no JSON and is no Python script")
    script = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)"
    reader = [*first[2:].decode().split(), "-c", script]
    return json.loads(subprocess.run(reader, input=text, capture_output=True, text=True, check=True).stdout)


@pytest.fixture(scope="module")
def services():
    return _rendered()["services"]


@pytest.fixture(scope="module")
def proxies():
    entries = json.loads((ROOT / "docker" / "toxiproxy.json").read_text())
    return {entry["name"]: entry for entry in entries}


def _published(service):
    """Yield (host address, host port, container port) of each published port, in either tool's notation."""
    for port in service.get("ports", []):
        if isinstance(port, dict):
            yield port.get("host_ip", ""), str(port.get("published", "")), str(port["target"])
        else:
            address, _, rest = port.removesuffix("/tcp").rpartition("127.0.0.1:")
            host, _, target = rest.partition(":")
            yield ("127.0.0.1" if not address and "127.0.0.1:" in port else port), host, target


def test_nothing_is_published_beyond_loopback(services):
    addresses = {address for service in services.values() for address, _, _ in _published(service)}
    assert addresses == {"127.0.0.1"}
    assert all(service.get("network_mode") != "host" for service in services.values())


def test_the_text_alone_shows_no_open_port():
    """Runs everywhere, without a compose tool."""
    text = (ROOT / "docker-compose.yml").read_text()
    found = re.findall(r"^ +ports: \[(.*)\]$", text, re.MULTILINE)
    assert len(found) == text.count("ports:") > 5
    assert all(entry.strip().startswith('"127.0.0.1:') for line in found for entry in line.split(","))


def test_no_host_port_is_used_twice(services):
    ports = [host for service in services.values() for _, host, _ in _published(service)]
    assert sorted(set(ports)) == sorted(ports)


def test_every_proxy_is_there_and_leads_to_a_service(proxies, services):
    assert set(proxies) == PROXIES
    listens = [proxy["listen"] for proxy in proxies.values()]
    assert len(set(listens)) == len(listens)
    for name, proxy in proxies.items():
        assert proxy["upstream"].split(":")[0] in services, name
        assert proxy["enabled"] is True
    mounted = json.dumps(services["toxiproxy"]["volumes"])
    assert "docker/toxiproxy.json" in mounted


@pytest.mark.parametrize(("service", "role"), SYSTEM.items())
def test_each_part_connects_through_its_own_proxy(services, proxies, service, role):
    environment = services[service]["environment"]
    port = {name: proxy["listen"].split(":")[1] for name, proxy in proxies.items()}
    assert environment["LEDGER_URL"].split("/")[2] == f"toxiproxy:{port[f'redis-{role}']}"
    assert environment["BROKER_URL"].split("/")[2] == f"toxiproxy:{port[f'broker-{role}']}"
    assert environment["SMTP_HOST"] == "toxiproxy"
    assert str(environment["SMTP_PORT"]) == port["smtp-worker"]
    assert environment["RECEIPTS_URL"] == f"http://toxiproxy:{port['receipts-worker']}/receipts"


def test_the_example_tells_how_to_switch_to_rabbitmq(proxies):
    """The addresses in its comment are those of the proxies, and reach RabbitMQ as its login says."""
    text = (ROOT / ".env.example").read_text()
    found = re.search(
        r"# BROKER_URL_API=(amqp://(.*?):(.*?)@toxiproxy:(\d+)//), for the worker (\d+), .* (\d+)\.", text
    )
    assert found
    for role, port in zip(("api", "worker", "relay"), found.groups()[3:], strict=True):
        proxy = proxies[f"rabbitmq-{role}"]
        assert (proxy["listen"], proxy["upstream"]) == (f"0.0.0.0:{port}", "rabbitmq:5672")
    services = _rendered(BROKER_URL_API=found[1], RABBITMQ_USER=found[2], RABBITMQ_PASSWORD=found[3])[
        "services"
    ]
    assert services["api"]["environment"]["BROKER_URL"] == found[1]
    assert services["rabbitmq"]["environment"] == {
        "RABBITMQ_DEFAULT_USER": found[2],
        "RABBITMQ_DEFAULT_PASS": found[3],
    }


def test_the_networks_leave_no_way_around_the_proxies(services):
    networks = {name: set(service["networks"]) for name, service in services.items()}
    for service in SYSTEM:
        assert networks[service] == {"front"}
    # It asks the sink what was stored, which must not go through what it breaks.
    assert networks["locust"] == {"front", "behind"}
    assert networks["redis"] == networks["fake-smtp"] == networks["rabbitmq"] == {"behind"}
    assert networks["toxiproxy"] == networks["prometheus"] == {"front", "behind"}
    assert networks["grafana"] == {"behind"}


@pytest.mark.parametrize("service", SYSTEM)
def test_the_lease_outlives_every_conversation(services, service):
    environment = services[service]["environment"]
    limit = float(environment["SMTP_DATA_LIMIT_S"])
    assert limit < float(environment["LEASE_S"])
    assert float(environment["SMTP_TIMEOUT_S"]) < float(environment["LEASE_S"])
    assert f"--data-limit-s={limit:g}" in services["fake-smtp"]["command"]


@pytest.mark.parametrize("service", SYSTEM)
def test_only_variables_that_the_system_knows(services, service):
    fields = re.findall(r"^    ([a-z_0-9]+): ", (ROOT / "system" / "settings.py").read_text(), re.MULTILINE)
    assert set(services[service]["environment"]) <= {name.upper() for name in fields}


def test_both_ends_of_the_login_agree():
    services = _rendered(SMTP_PASSWORD="changed", SMTP_USERNAME="somebody")["services"]
    assert services["fake-smtp"]["environment"] == {"FAKE_SMTP_PASSWORD": "changed"}
    assert "--username=somebody" in services["fake-smtp"]["command"]
    for service in SYSTEM:
        environment = services[service]["environment"]
        assert (environment["SMTP_USERNAME"], environment["SMTP_PASSWORD"]) == ("somebody", "changed")


def test_every_variable_of_the_file_is_in_the_example():
    used = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
    told = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert used == told


def test_everything_restarts_and_says_whether_it_is_well(services):
    assert set(services) == OURS | THEIRS
    for name, service in services.items():
        assert service["restart"] == "unless-stopped", name
        assert service["healthcheck"]["test"], name
    assert services["toxiproxy"]["healthcheck"]["test"] == ["CMD", "/toxiproxy-cli", "list"]
    for name in OURS:
        assert services[name]["cap_drop"] == ["ALL"]


def test_health_is_asked_where_something_listens(services):
    for name in OURS - {"beat"}:
        asked = re.search(r"127\.0\.0\.1:(\d+)/", services[name]["healthcheck"]["test"][-1])
        assert asked
        assert asked[1] in {target for _, _, target in _published(services[name])}, name
    for name in ("worker-1", "worker-2"):
        assert str(services[name]["environment"]["WORKER_METRICS_PORT"]) == "9100"
    assert str(services["relay"]["environment"]["RELAY_METRICS_PORT"]) == "9100"


def test_redis_keeps_what_it_is_told(services):
    words = services["redis"]["command"]
    assert words[words.index("--appendonly") + 1] == "yes"
    assert words[words.index("--maxmemory-policy") + 1] == "noeviction"


def test_beats_file_is_looked_for_where_it_is_written(services):
    [file] = [word for word in services["beat"]["command"] if word.startswith("--schedule=")]
    folder = file.removeprefix("--schedule=").rpartition("/")[0]
    assert f"'{folder}'" in services["beat"]["healthcheck"]["test"][-1]
    assert folder in json.dumps(services["beat"]["tmpfs"])


def test_flower_hears_of_every_worker(services):
    assert "-E" in services["worker-1"]["command"]
    assert "-E" in services["worker-2"]["command"]


def test_the_workers_share_the_folder_of_the_greetings(services):
    for name in ("worker-1", "worker-2"):
        assert services[name]["environment"]["GREET_DIR"] == "/app/greetings"
        assert "/app/greetings" in json.dumps(services[name]["volumes"])
    made = re.search(r"install -d -o mailstorm -g mailstorm (.*)$", (ROOT / "Dockerfile").read_text(), re.M)
    assert made
    assert {"reports/runs", "greetings"} == set(made[1].split())


def test_prometheus_asks_what_is_there(services):
    """Every target is a service, at a port that something of ours or theirs has for it."""
    text = (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text()
    targets = set(re.findall(r'"([a-z0-9.-]+):(\d+)"', text))
    harness = ("host.docker.internal", "9464")
    asked = {name for name, _ in targets - {harness}}
    assert asked == set(services) - {"redis", "beat", "prometheus", "grafana"}
    for name, port in targets - {harness, ("rabbitmq", "15692")}:
        assert port in {target for _, _, target in _published(services[name])}, name
    assert harness in targets
    assert harness[0] in json.dumps(services["prometheus"]["extra_hosts"])
    assert "deploy/prometheus" in json.dumps(services["prometheus"]["volumes"])


def test_grafana_is_open_to_look_at_and_to_nothing_else(services):
    environment = services["grafana"]["environment"]
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert environment["GF_AUTH_DISABLE_LOGIN_FORM"] == environment["GF_AUTH_ANONYMOUS_ENABLED"] == "true"
    assert environment["GF_AUTH_BASIC_ENABLED"] == "false"
    assert environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert not [name for name in environment if "PASSWORD" in name or "SECRET" in name]


def test_grafana_is_given_what_it_is_to_show(services):
    """Dashboards and the source lie where the provisioning says, and the source is the Prometheus here."""
    provisioning = ROOT / "deploy" / "grafana" / "provisioning"
    mounted = json.dumps(services["grafana"]["volumes"])
    [path] = re.findall(r"path: (\S+)", (provisioning / "dashboards" / "mailstorm.yml").read_text())
    assert "deploy/grafana/provisioning" in mounted
    assert "deploy/grafana/dashboards" in mounted
    assert path in mounted
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home.startswith(path)
    assert (ROOT / "deploy" / "grafana" / "dashboards" / Path(home).name).exists()
    [url] = re.findall(r"url: (\S+)", (provisioning / "datasources" / "prometheus.yml").read_text())
    assert url == "http://prometheus:9090"


def test_the_rest_starts_only_when_asked_for(services):
    assert {
        name: service["profiles"] for name, service in services.items() if "profiles" in service
    } == PROFILES


def test_the_image_holds_only_hashed_packages_and_no_root():
    text = (ROOT / "Dockerfile").read_text()
    assert "--require-hashes -r requirements.lock" in text
    assert re.findall(r"^FROM (.*)$", text, re.MULTILINE) == ["python:3.12-slim"]
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["mailstorm"]
    copied = set(re.findall(r"^COPY (\S+) ", text, re.MULTILINE))
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {f"!{name}" for name in copied} <= set(ignored)
    assert all((ROOT / name).exists() for name in copied)
