"""The real processes together: killed and paused at every named point, each mail still arrives once."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from system.failpoints import NAMES
from tests.integration.system.conftest import free_port
from tests.integration.system.sink import Sink

BIN = Path(sys.executable).parent
API = "gunicorn --workers 2 --threads 8 --worker-class gthread -c python:system.api.gunicorn_conf"
WORKER = "celery -A system.worker.app worker --concurrency 4 --without-gossip --without-mingle -l INFO"


class Stack:
    """The processes of the system, each with its own environment, restarted when they end."""

    def __init__(self, folder, redis_url, sink, **env):
        self.folder, self.port = folder, free_port()
        self.metrics = {"worker": free_port(), "relay": free_port()}
        (folder / "points").mkdir()
        self._env = {
            **{name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"},
            "LEDGER_URL": redis_url,
            "BROKER_URL": redis_url[:-1] + "1",
            "SMTP_PORT": str(sink.smtp_port),
            "RECEIPTS_URL": f"http://127.0.0.1:{sink.http_port}/receipts",
            "LEASE_S": "2",
            "SMTP_TIMEOUT_S": "1.5",
            "SMTP_DATA_LIMIT_S": str(sink.data_limit_s),
            "REPUBLISH_FIRST_S": "1",
            "RETRY_BASE_S": "0.1",
            "FAILPOINTS_DIR": str(folder / "points"),
            **env,
        }
        bind = f" --bind 127.0.0.1:{self.port} system.api.app:create_app()"
        lines = {"api": API + bind, "worker": WORKER, "relay": "python -m system.delivery.relay"}
        self._commands = {name: f"{BIN}/{line}".split() for name, line in lines.items()}
        self.processes = {}
        self.keep_up()

    def start(self, name):
        env = {**self._env, "PROMETHEUS_MULTIPROC_DIR": str(self.folder / f"metrics-{name}")}
        if name in self.metrics:
            env[f"{name.upper()}_METRICS_PORT"] = str(self.metrics[name])
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                self._commands[name], cwd=self.folder, env=env, stdout=log, stderr=subprocess.STDOUT
            )

    def keep_up(self):
        for name in self._commands:
            if name not in self.processes or self.processes[name].poll() is not None:
                self.start(name)
        return True

    def call(self, path, data=None, key="", port=None):
        url = f"http://127.0.0.1:{port or self.port}{path}"
        headers = {"Content-Type": "application/json", "Idempotency-Key": key} if data else {}
        request = urllib.request.Request(url, json.dumps(data).encode() if data else None, headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def stop(self):
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def stack(own_redis, tmp_path):
    made = []

    def make(**env):
        sink = Sink(data_limit_s=1)
        made.append((Stack(tmp_path, own_redis.url, sink, **env), sink))
        return made[-1]

    yield make
    for system, sink in made:
        system.stop()
        sink.stop()


def submit(system, until, number):
    """Sends until every job has its 202, the way a client with keys does."""
    ids = {}

    def accepted(key):
        system.keep_up()
        status, text = system.call(
            "/jobs", {"kind": "email", "to": "a@b.c", "subject": key, "body": "."}, key
        )
        if status == 202:
            ids[key] = json.loads(text)["id"]
        return status == 202

    for n in range(number):
        until(lambda key=f"job-{n}": accepted(key), 30, f"job-{n}")
    return ids


def drained(system):
    system.keep_up()
    return "mail_jobs_due 0.0" in system.call("/metrics")[1]


def assert_once_each(system, sink, ids):
    copies = Counter(message["X-Job-Key"] for message in sink.mails)
    assert copies == Counter(ids.keys())
    states = Counter(json.loads(system.call(f"/jobs/{job}")[1])["state"] for job in ids.values())
    assert states == {"SUCCESS": len(ids)}


def fired(system):
    return {path.name for path in (system.folder / "points").iterdir()}


def test_killed_once_at_every_point(stack, until):
    system, sink = stack(FAILPOINTS=",".join(f"{name}=crash" for name in NAMES))
    ids = submit(system, until, 60)
    until(lambda: drained(system), 60, "an empty due set")
    assert_once_each(system, sink, ids)
    assert fired(system) == set(NAMES)


def test_paused_past_the_lease_at_every_point(stack, until):
    points = {name for name in NAMES if name.startswith(("worker.", "mail.", "doubt."))}
    system, sink = stack(FAILPOINTS=",".join(f"{name}=pause:4" for name in points))
    ids = submit(system, until, 40)
    until(lambda: drained(system), 60, "an empty due set")
    until(lambda: {"worker.after_record"} <= fired(system), 30, "the last point")
    assert_once_each(system, sink, ids)
    assert {name for name in points if name.startswith(("worker.", "mail."))} <= fired(system)


def test_metrics_survive_a_restart_on_the_same_port(stack, until):
    system, sink = stack()
    ids = submit(system, until, 5)
    until(lambda: drained(system), 30, "an empty due set")
    sent = 'mail_smtp_attempts_total{outcome="sent"} 5.0'
    port = system.metrics["worker"]
    until(lambda: sent in system.call("/metrics", port=port)[1], 10, "the count")
    system.processes["worker"].kill()
    system.processes["worker"].wait()
    system.keep_up()
    until(lambda: sent in system.call("/metrics", port=port)[1], 20, "the count after a restart")
    assert "mail_tasks_active 0.0" in system.call("/metrics", port=port)[1]
    assert_once_each(system, sink, ids)
    message = sink.mails[0]
    assert message["Message-ID"] == f"<{ids[message['X-Job-Key']]}@mailstorm.test>"
    assert message["X-Attempt"] == "1"
    assert system.call("/health", port=system.metrics["relay"]) == (200, "ok\n")
    assert "mail_relay_ticks_total" in system.call("/metrics", port=system.metrics["relay"])[1]
    assert system.call("/ready")[0] == 200


@pytest.mark.parametrize("name", ["api", "worker", "relay"])
def test_a_wrong_setting_ends_each_process_with_words(stack, name):
    system, _ = stack(LEASE_S="soon")
    assert system.processes[name].wait(30) != 0
    assert "LEASE_S='soon' is not allowed" in (system.folder / f"{name}.log").read_text()


def test_a_lease_within_the_receivers_limit_ends_the_worker(stack):
    system, sink = stack(LEASE_S="1.6", SMTP_DATA_LIMIT_S="0.5")
    system.processes["worker"].kill()
    system.processes["worker"].wait()
    sink.data_limit_s = 1.6
    system.start("worker")
    assert system.processes["worker"].wait(30) != 0
    assert "must be below LEASE_S (1.6 s)" in (system.folder / "worker.log").read_text()
