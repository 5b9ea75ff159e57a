"""Flower beside a real worker, on either broker: it shows the worker, and the task that it carried out."""

import json
import os
import subprocess
import urllib.error
import urllib.request

import pytest

from system.delivery.hints import DELIVER, Hints
from tests.integration.system.conftest import free_port
from tests.integration.system.rabbit import PASSWORD
from tests.integration.system.sink import Sink
from tests.integration.system.stack import BIN
from tests.integration.system.world import accept, state

APP = f"{BIN}/celery --quiet -A system.worker.app"


@pytest.fixture(params=["redis", "rabbitmq"])
def broker_url(request, redis_server):
    if request.param == "redis":
        return redis_server.url[:-1] + "1"
    return request.getfixturevalue("rabbit_server").emptied().url


@pytest.fixture
def flower(broker_url, redis_server, tmp_path):
    """Asks Flower; a worker with events runs beside it."""
    sink, port = Sink(data_limit_s=1), free_port()
    env = {
        **{name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"},
        "LEDGER_URL": redis_server.url,
        "BROKER_URL": broker_url,
        "SMTP_PORT": str(sink.smtp_port),
        "FLOWER_UNAUTHENTICATED_API": "true",
    }
    lines = {
        "worker": f"{APP} worker -E --pool=solo --without-gossip --without-mingle -n one@here -l INFO",
        "flower": f"{APP} flower --address=127.0.0.1 --port={port}",
    }
    processes = []
    for name, line in lines.items():
        with (tmp_path / f"{name}.log").open("wb") as log:
            processes.append(
                subprocess.Popen(line.split(), cwd=tmp_path, env=env, stdout=log, stderr=subprocess.STDOUT)
            )

    def ask(path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return json.loads(answer.read())
        except (urllib.error.URLError, TimeoutError):
            return {}

    yield ask
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(20)
    sink.stop()
    assert PASSWORD not in "".join((tmp_path / f"{name}.log").read_text() for name in lines)


def test_the_worker_and_its_task_are_shown(flower, broker_url, redis_server, settings, until):
    client = redis_server.client

    def heard():
        workers = flower("/workers?json=1").get("data", [])
        return [worker["hostname"] for worker in workers if worker["status"]]

    # Its heartbeat has been heard, so the events of its tasks will be.
    until(heard, 40, "the worker")
    assert heard() == ["one@here"]
    until(lambda: set(flower("/api/workers?refresh=1")) == {"one@here"}, 40, "the worker's answer")
    job_id = accept(client, settings()).job_id
    hints = Hints(settings(broker_url=broker_url), 2)
    assert hints.offer(job_id)
    hints.close()
    until(lambda: state(client, job_id) == "sent", 20, "the mail")

    def shown():
        tasks = flower("/api/tasks?taskname=" + DELIVER).values()
        return [task for task in tasks if job_id in task["args"] and task["state"] == "SUCCESS"]

    until(shown, 20, "the task")
    assert shown()[0]["worker"] == "one@here"
