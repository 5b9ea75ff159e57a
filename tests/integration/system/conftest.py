"""A real redis-server on a free port, and the system's own parts on top of it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from system import clients
from system.delivery.ledger import Ledger
from system.settings import Settings
from tests.conftest import need
from tests.integration.system.ports import free_port
from tests.integration.system.rabbit import RabbitServer


class RedisServer:
    """One redis-server with an append-only file; can be killed and started again on the same port."""

    def __init__(self, folder):
        beside = Path(sys.executable).parent / "redis-server"
        self._binary = shutil.which("redis-server") or (str(beside) if beside.exists() else None)
        need(self._binary, "redis-server")
        self._folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client = clients.connect(self.url, 2)
        self.start()

    def start(self):
        command = [self._binary, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        command += ["--appendonly", "yes", "--dir", str(self._folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while True:
            try:
                self.client.ping()
                return
            except redis.RedisError:
                assert self._process.poll() is None, "redis-server ended"

    def kill(self):
        self._process.kill()
        self._process.wait()

    def close(self):
        self.client.close()
        self.kill()


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory):
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.close()


@pytest.fixture
def own_redis(tmp_path):
    """For tests that kill it."""
    server = RedisServer(tmp_path)
    yield server
    server.close()


@pytest.fixture(scope="session")
def rabbit_server(tmp_path_factory):
    """Shared by all who do not kill it, because it takes long to start; take it `emptied()`."""
    server = RabbitServer(tmp_path_factory.mktemp("rabbitmq"))
    yield server
    server.close()


@pytest.fixture
def settings(redis_server):
    redis_server.client.flushall()

    def make(**changes):
        base = {
            "ledger_url": redis_server.url,
            "broker_url": redis_server.url[:-1] + "1",
            "redis_timeout_s": 1,
        }
        return Settings(_env_file=None, **{**base, **changes})

    return make


@pytest.fixture
def ledger(settings, redis_server):
    return Ledger(redis_server.client, settings())
