"""Settings without an environment, and a scripted SMTP server that gives every shape of reply."""

import contextlib
import socket
import ssl
import threading
from pathlib import Path

import pytest

from system.settings import Settings


@pytest.fixture
def settings():
    def make(**changes):
        return Settings(_env_file=None, **changes)

    return make


class ScriptedServer:
    """Speaks from a script, one list per connection: bytes answer the next line, and words act.

    `"close"` ends the connection, `"silence"` stops answering, `("data", reply)` reads up to the
    final dot first, and `(certificate, reply)` encrypts after its reply.
    Everything received is kept in `heard`, one bytes object per connection.
    """

    def __init__(self, *scripts):
        self._scripts = list(scripts)
        self.heard = []
        self._secure = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(10)
        self.port = self._listener.getsockname()[1]
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        try:
            for number, script in enumerate(self._scripts):
                connection, _ = self._listener.accept()
                connection.settimeout(10)
                self.heard.append(b"")
                with connection:
                    self._speak(connection, script, number)
        except OSError:
            pass

    def _speak(self, connection, script, number):
        banner, *rest = script
        if not self._say(connection, banner):
            return
        buffer = b""
        for step in rest:
            end = b"\r\n.\r\n" if isinstance(step, tuple) and step[0] == "data" else b"\r\n"
            reply = step[1] if isinstance(step, tuple) else step
            while end not in buffer:
                try:
                    data = connection.recv(65536)
                except OSError:
                    return
                if not data:
                    return
                buffer += data
                self.heard[number] += data
            buffer = buffer.partition(end)[2]
            if not self._say(connection, reply):
                return
            if isinstance(step, tuple) and isinstance(step[0], Path):
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(step[0])
                connection = context.wrap_socket(connection, server_side=True)
                self._secure.append(connection)
        try:
            while data := connection.recv(65536):
                self.heard[number] += data
        except OSError:
            pass

    def _say(self, connection, step):
        if step == "close":
            return False
        if step == "silence":
            self._done.wait(10)
            return False
        try:
            connection.sendall(step[0] if isinstance(step, list) else step)
        except OSError:
            # The client has gone, as it may between two replies to commands that came in one write.
            return False
        return not isinstance(step, list)

    def stop(self):
        self._done.set()
        with contextlib.suppress(OSError):
            # Closing alone would not wake a thread that waits in accept().
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)
        for connection in self._secure:
            connection.close()
        assert not self._thread.is_alive()


def offering(extension, script):
    """The same script, with one more line in each answer to EHLO (those that begin with `250 me`)."""
    return [_with(extension, step) if _is_hello(step) else step for step in script]


def _is_hello(step):
    return isinstance(step, bytes) and step.startswith((b"250 me\r\n", b"250-me\r\n"))


def _with(extension, answer):
    _, _, rest = answer.partition(b"\r\n")
    return b"250-me\r\n" + (b"250-" + extension + b"\r\n" + rest if rest else b"250 " + extension + b"\r\n")


@pytest.fixture
def server():
    started = []

    def make(*scripts):
        started.append(ScriptedServer(*scripts))
        return started[-1]

    yield make
    for one in started:
        one.stop()
