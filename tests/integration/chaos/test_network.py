"""Severing connections through a real toxiproxy-server: each mode's effect, read-back, the forced path."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from chaos.errors import HarnessError
from chaos.faults.network import MODES, Network, undo_toxiproxy
from chaos.servers import toxiproxy_server
from chaos.stack.ports import HOST, Ports
from tests.conftest import need


class Echo(threading.Thread):
    """The upstream: sends every byte back."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.server = socket.create_server((HOST, 0))
        self.port = self.server.getsockname()[1]

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    @staticmethod
    def _echo(connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(100):
                    connection.sendall(data)
            except OSError:
                return


class Lab:
    def __init__(self, ports: Ports, upstream: int, binary: Path) -> None:
        self.api, self.listen = ports.take(), ports.take()
        self.binary = binary
        self.start()
        proxies = {"echo": (f"{HOST}:{self.listen}", f"{HOST}:{upstream}")}
        self.network = Network(self.api, proxies, self.restart)

    def start(self) -> None:
        argv = [str(self.binary), "-host", HOST, "-port", str(self.api)]
        self.process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def restart(self) -> None:
        self.stop()
        self.start()
        while not self.answers():
            assert self.process.poll() is None

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def answers(self) -> bool:
        try:
            return requests.get(f"http://{HOST}:{self.api}/version", timeout=1).ok
        except requests.ConnectionError:
            return False

    def connect(self) -> socket.socket:
        return socket.create_connection((HOST, self.listen), timeout=0.5)

    def speak(self, connection: socket.socket) -> bytes:
        connection.sendall(b"hello")
        return connection.recv(100)

    def works(self) -> bool:
        try:
            with self.connect() as connection:
                return self.speak(connection) == b"hello"
        except OSError:
            return False


@pytest.fixture
def lab(until: Callable[..., None]) -> Iterator[Lab]:
    found = toxiproxy_server()
    need(found.path, "toxiproxy-server")
    assert found.path
    echo, ports = Echo(), Ports()
    echo.start()
    lab = Lab(ports, echo.port, found.path)
    try:
        until(lab.answers, what="toxiproxy-server")
        lab.network.create()
        yield lab
    finally:
        lab.stop()
        ports.release()
        echo.server.close()


def test_down_refuses_new_connections_and_closes_open_ones(lab: Lab) -> None:
    with lab.connect() as open_:
        assert lab.speak(open_) == b"hello"
        lab.network.sever(["echo"], "down")
        assert open_.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        lab.connect()


def test_silent_keeps_connections_open_and_swallows_every_byte(lab: Lab) -> None:
    with lab.connect() as open_:
        assert lab.speak(open_) == b"hello"
        lab.network.sever(["echo"], "silent")
        with pytest.raises(TimeoutError):
            lab.speak(open_)
    with lab.connect() as new, pytest.raises(TimeoutError):
        lab.speak(new)


def test_reset_ends_a_new_connection_with_rst(lab: Lab) -> None:
    lab.network.sever(["echo"], "reset")
    with lab.connect() as new, pytest.raises(ConnectionResetError):
        lab.speak(new)


@pytest.mark.parametrize("mode", list(MODES))
def test_every_mode_is_healed_and_read_back(lab: Lab, mode: str) -> None:
    lab.network.sever(["echo"], mode)
    assert not lab.network.restored(["echo"])
    assert not lab.works()
    lab.network.restore(["echo"])
    assert lab.network.restored(["echo"])
    assert lab.works()


def test_the_forced_path_brings_the_same_addresses_back(lab: Lab) -> None:
    lab.network.sever(["echo"], "silent")
    lab.network.rebuild()
    assert lab.network.restored(["echo"])
    assert lab.works()


def test_the_journal_can_undo_it_from_another_process(lab: Lab) -> None:
    lab.network.sever(["echo"], "down")
    assert undo_toxiproxy({"api_port": lab.api}) is None
    assert lab.works()
    lab.stop()
    assert undo_toxiproxy({"api_port": lab.api}) is None  # gone: nothing severed any more


def test_a_server_that_does_not_answer_is_an_error_within_the_time_limit(lab: Lab) -> None:
    lab.stop()
    with pytest.raises((HarnessError, requests.RequestException)):
        lab.network.sever(["echo"], "down")


def test_an_unknown_proxy_is_an_error(lab: Lab) -> None:
    with pytest.raises(HarnessError, match="no proxy nobody"):
        lab.network.sever(["nobody"], "down")
