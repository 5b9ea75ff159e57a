"""A real RabbitMQ of its own: its own folder, node name, ports and epmd, so that nothing is left behind."""

import os
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import amqp

from system.delivery.broker import LANES
from tests.conftest import need
from tests.integration.system.ports import free_port

BINARY = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
USER, PASSWORD = "mail", "p@ss/w:rd"
START_S = 60


class RabbitServer:
    """One node; `tls` is a server certificate of trustme's. Takes about seven seconds to start."""

    def __init__(self, folder, tls=None):
        need(BINARY.exists(), "rabbitmq-server")
        self._folder, self.port, self.tls_port = folder, free_port(), free_port() if tls else None
        self._epmd_port = free_port()
        self.url = f"amqp://{USER}:{quote(PASSWORD, '')}@127.0.0.1:{self.port}//"
        lines = [f"default_user = {USER}", f"default_pass = {PASSWORD}"]
        lines += [f"listeners.tcp.1 = 127.0.0.1:{self.port}"]
        if tls:
            self.tls_url = f"amqps://{USER}:{quote(PASSWORD, '')}@localhost:{self.tls_port}//"
            tls.private_key_pem.write_to_path(folder / "key.pem")
            tls.cert_chain_pems[0].write_to_path(folder / "cert.pem")
            lines += [f"listeners.ssl.1 = 127.0.0.1:{self.tls_port}", "ssl_options.verify = verify_none"]
            lines += [f"ssl_options.{name}file = {folder}/{name}.pem" for name in ("cert", "key")]
        (folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
        self.start()

    def start(self):
        here = str(self._folder)
        env = {
            "PATH": os.environ["PATH"],
            "HOME": here,
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": f"{here}/mnesia",
            "RABBITMQ_LOG_BASE": f"{here}/log",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{here}/plugins",
            "RABBITMQ_CONFIG_FILE": f"{here}/rabbitmq.conf",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        quiet = {"env": env, "cwd": here, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        # Started here, because the one that the node would start for itself outlives it.
        self._epmd = subprocess.Popen(["epmd", "-port", str(self._epmd_port)], **quiet)
        self._process = subprocess.Popen([BINARY], start_new_session=True, **quiet)
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert self._process.poll() is None, "rabbitmq-server ended"
            assert time.monotonic() < deadline, f"RabbitMQ did not answer within {START_S} s"

    def _answers(self):
        try:
            self.connect().close()
        except (OSError, amqp.AMQPError):
            time.sleep(0.1)
            return False
        return True

    def connect(self):
        """An open connection of py-amqp, for the test to look around with."""
        connection = amqp.Connection(f"127.0.0.1:{self.port}", USER, PASSWORD, connect_timeout=5)
        connection.connect()
        return connection

    def emptied(self):
        """Itself, without the lanes that an earlier test has declared."""
        with self.connect() as connection:
            for lane in LANES:
                connection.channel().queue_delete(lane)
        return self

    def kill(self):
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._epmd.kill()
        self._epmd.wait()

    close = kill
