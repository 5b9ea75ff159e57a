"""The same system on RabbitMQ: acquitted under cut connections, watched in Flower, nothing left behind."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from chaos import http
from chaos.servers import rabbitmq_server
from tests.conftest import need
from tests.e2e.conftest import Harness, assert_nothing_left, events, lives
from tests.e2e.test_verdicts import assert_acquitted

pytestmark = pytest.mark.e2e


@pytest.fixture
def rabbit() -> None:
    need(rabbitmq_server().path, "rabbitmq-server")


def test_sever_broker_is_acquitted_on_rabbitmq(harness: Harness, rabbit: None) -> None:
    flags = ("--rate", "40", "--duration", "8", "--seed", "11")
    run = harness.run("run", "sever-broker", "--broker", "rabbitmq", *flags)
    assert_acquitted(run)
    assert run.verdict["broker"] == "rabbitmq"
    assert (run.folder / "logs" / "rabbitmq.log").stat().st_size > 0
    cut = {fault["kind"]: fault for fault in run.verdict["faults"]}
    assert set(cut) == {
        f"sever-{what}-{how}" for what in ("broker", "both") for how in ("down", "silent", "reset")
    }
    assert "redis-" not in cut["sever-broker-down"]["detail"]
    assert all(word in cut["sever-both-down"]["detail"] for word in ("redis-worker", "broker-worker"))
    depths = [e for e in metrics(run.folder) if e["event"] == "broker" and e["ok"]]
    assert {"email", "default", "maintenance", "celery_see"} <= set(depths[-1]["queues"])


@pytest.mark.sociable
def test_after_sigkill_of_the_harness_undo_ends_rabbitmq_and_its_daemon(
    harness: Harness, rabbit: None, until: Callable[..., None]
) -> None:
    process, folder = harness.start("run", "calm", "--broker", "rabbitmq", "--rate", "20", "--duration", "60")
    until(
        lambda: (folder / "events.jsonl").exists() and any(e.get("name") == "flood" for e in events(folder)),
        limit_s=60,
        what="the flood",
    )
    process.kill()
    process.communicate()
    left = list(erlang_of(folder))
    assert {"beam.smp", "epmd"} <= {server.name() for server in left}, "or this shows nothing"
    undone = harness.undo()
    assert undone.returncode == 0, undone.stderr
    assert_nothing_left(folder)
    assert not [server for server in left if lives(server)]


@pytest.mark.sociable
@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_up_shows_its_workers_and_tasks_in_flower(
    harness: Harness, broker: str, until: Callable[..., None]
) -> None:
    if broker == "rabbitmq":
        need(rabbitmq_server().path, "rabbitmq-server")
    process, folder = harness.start("up", "--broker", broker)
    at = addresses(process)
    flower = at["Flower"]
    until(lambda: workers(flower) == {"worker-1", "worker-2"}, limit_s=30, what="both workers in Flower")
    job = http.request("POST", f"{at['API']}/jobs", 5, {"kind": "greet", "name": "Ann"})
    assert job.status_code == 202, job.text
    until(lambda: http.get_json(f"{flower}/api/tasks", 5), limit_s=30, what="a task in Flower")
    until(lambda: list((folder / "greetings").glob("*")), what="a greeting")
    assert (
        http.get(flower.replace(flower.partition("//")[2].partition("@")[0] + "@", ""), 5).status_code == 401
    )
    if broker == "rabbitmq":
        assert http.get_json(f"{at['RabbitMQ']}/api/overview", 5)["node"] == "mailstorm@localhost"
        left = list(erlang_of(folder))
        assert left
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert not list(erlang_of(folder))
    assert not (folder / "work").exists()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_standard_suite_is_acquitted_on_rabbitmq(harness: Harness, rabbit: None) -> None:
    process, folder = harness.start("suite", "--broker", "rabbitmq")
    output, _ = process.communicate(timeout=1700)
    assert process.returncode == 0, output[-4000:]
    verdicts = {path.parent.name: json.loads(path.read_text()) for path in folder.glob("*/verdict.json")}
    assert set(verdicts) == {"calm", "kill-workers", "sever-broker", "break-smtp-login", "drop-after-dot"}
    assert {verdict["broker"] for verdict in verdicts.values()} == {"rabbitmq"}


def metrics(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def erlang_of(folder: Path) -> Iterator[psutil.Process]:
    """Live processes whose home is below the run's folder: only RabbitMQ's and its epmd have it there."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if lives(process) and process.environ().get("HOME", "").startswith(str(folder)):
                yield process


def addresses(process: subprocess.Popen[str]) -> dict[str, str]:
    """What `up` prints until it is there: name and address in columns."""
    found, said = {}, []
    assert process.stdout
    for line in process.stdout:
        said.append(line)
        if line.startswith("Ctrl-C"):
            return found
        name, _, address = line.strip().rpartition(" ")
        found[name.strip()] = address
    raise AssertionError("".join(said))


def workers(flower: str) -> set[str]:
    return {name.partition("@")[0] for name in http.get_json(f"{flower}/api/workers?refresh=1", 10)}
