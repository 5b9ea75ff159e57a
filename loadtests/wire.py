"""One request on one kept connection, and its answer as soon as it is whole.

Used by the transport. Never repeats a request, never waits longer than its limit, and keeps no connection
that may be broken. It costs half of what a general client does: a load generator is made of little else.
"""

from __future__ import annotations

import select
import time
from urllib.parse import SplitResult

import gevent
import gevent.monkey
import gevent.socket
import gevent.ssl
from geventhttpclient.response import HTTPResponse

BLOCK = 65536
# Gevent's own would go through its loop; this asks the kernel once, without waiting.
_poll = gevent.monkey.get_original("select", "poll")


class Reply:
    """An answer as it comes in. `status`: None until known; `keep`: the connection can be used again."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.body = b""
        self.keep = False
        self._data = b""
        self._begin = self._end = 0
        self._parser: _Parser | None = None

    def take(self, data: bytes) -> bool:
        """Take what has arrived (nothing: the connection was closed), and say whether the answer is whole.

        Raises HTTPParseError for what is no HTTP, and ConnectionError when it can never be whole.
        """
        if not self._end and not self._parser and not self._take_simple_head(data):
            self._parser = _Parser()
        if self._parser:
            return self._parse(self._parser, data)
        if not data:
            raise ConnectionResetError("connection closed within the answer")
        self._data += data
        if len(self._data) < self._end:
            return False
        self.body, self.keep = self._data[self._begin : self._end], len(self._data) == self._end
        return True

    def _take_simple_head(self, data: bytes) -> bool:
        """Read a head that has come whole, and says plainly how long the body is; most are such."""
        end = data.find(b"\r\n\r\n")
        head = data[:end].lower()
        if end < 0 or not head.startswith(b"http/1.1 ") or b"\r\ntransfer-encoding:" in head:
            return False
        if b"\r\nconnection:" in head and b"\r\nconnection: keep-alive" not in head:
            return False
        status, (_, found, rest) = head[9:12], head.partition(b"\r\ncontent-length:")
        length = rest.partition(b"\r\n")[0].strip()
        if not found or not length.isdigit() or b"\r\ncontent-length:" in rest or not status.isdigit():
            return False
        if int(status) in (204, 304) or not 200 <= int(status) < 600:
            return False
        self.status, self._begin, self._end = int(status), end + 4, end + 4 + int(length)
        return True

    def _parse(self, parser: _Parser, data: bytes) -> bool:
        parser.feed(data)
        if parser.headers_complete and parser.get_code() >= 200:  # before it there may be interim answers
            self.status = parser.get_code()
            if parser.message_complete:
                self.body, self.keep = parser.body, bool(data) and not parser.should_close()
                return True
        if not data:
            raise ConnectionResetError("connection closed before the answer was whole")
        return False


class _Parser(HTTPResponse):
    @property
    def body(self) -> bytes:
        """What has come of the body."""
        return bytes(self._body_buffer)


class Wire:
    """Kept connections to one address. One request at a time on each, as many connections as it takes."""

    def __init__(self, parts: SplitResult) -> None:
        tls = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port or (443 if tls else 80)
        self._context = gevent.ssl.create_default_context() if tls else None
        self._idle: list[_Connection] = []

    def ask(self, request: bytes, reply: Reply, limit_s: float) -> None:
        """Send a request and fill `reply`. Raises whatever goes wrong; then `reply` has what came before."""
        until_s = time.monotonic() + limit_s
        connection = self._kept() or self._connect(limit_s)
        try:
            connection.send(request, until_s)
            while not reply.take(connection.receive(until_s)):
                pass
        except BaseException:
            connection.close()
            raise
        if reply.keep:
            self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close the kept connections."""
        while self._idle:
            self._idle.pop().close()

    def _connect(self, limit_s: float) -> _Connection:
        # Of the whole: a name may stand for several addresses, and TLS goes to and fro.
        with gevent.Timeout(limit_s, TimeoutError()):
            return _Connection(self._host, self._port, self._context)

    def _kept(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.quiet():
                return connection
            connection.close()
        return None


class _Connection:
    def __init__(self, host: str, port: int, context: gevent.ssl.SSLContext | None) -> None:
        sock = gevent.socket.create_connection((host, port))
        try:
            sock.setsockopt(gevent.socket.IPPROTO_TCP, gevent.socket.TCP_NODELAY, 1)
            self._sock = context.wrap_socket(sock, server_hostname=host) if context else sock
        except BaseException:
            sock.close()
            raise
        self._poll = _poll()
        self._poll.register(self._sock.fileno(), select.POLLIN)

    def quiet(self) -> bool:
        """Whether nothing has come unasked: the end of the connection, as a rule."""
        return not self._poll.poll(0)

    def send(self, data: bytes, until_s: float) -> None:
        self._sock.settimeout(_left_s(until_s))
        sent = self._sock.send(data)
        if sent < len(data):  # rare; sendall asks the kernel for the buffer's size each time
            self._sock.sendall(data[sent:])

    def receive(self, until_s: float) -> bytes:
        self._sock.settimeout(_left_s(until_s))
        return bytes(self._sock.recv(BLOCK))

    def close(self) -> None:
        self._sock.close()


def _left_s(until_s: float) -> float:
    left_s = until_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s
