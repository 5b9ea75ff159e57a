"""The processes of the system on free ports, and what every test of them asks in the end."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

from tests.integration.system.conftest import free_port

BIN = Path(sys.executable).parent
API = "gunicorn --workers 2 --threads 8 --worker-class gthread -c python:system.api.gunicorn_conf"
WORKER = "celery -A system.worker.app worker --without-gossip --without-mingle -l INFO --concurrency"
RELAY = "python -m system.delivery.relay"


class Stack:
    """The processes of the system, each with its own environment, restarted when they end."""

    def __init__(self, folder, redis_url, sink, pool=4, relays=1, **env):
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
        lines = {"api": API + bind, "worker": f"{WORKER} {pool}", "relay": RELAY}
        lines |= {f"relay-{n}": RELAY for n in range(2, relays + 1)}
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
