"""Posts one prepared request many times over kept connections, and says how fast it was answered.

Run as a process of its own: `python -m benchmarks.load PORT REQUESTS CONNECTIONS`. One loop over raw sockets,
because every microsecond here is taken from the servers. Ends with an error when any answer is not a 202.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time

WARM_UP = 0.1
LIMIT_S = 120.0

MAIL = {
    "kind": "email",
    "to": "somebody@example.org",
    "subject": "Your order has been shipped",
    "body": "This line of an ordinary mail has sixty characters in it..\r\n" * 16,
}


def request_bytes(port: int) -> bytes:
    """The whole request, head and body."""
    body = json.dumps(MAIL).encode()
    head = f"POST /jobs HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def answer_ends(buffer: bytes) -> bool:
    """Whether the buffer holds one whole answer.

    Raises:
        SystemExit: it is not a 202.

    """
    head, found, body = buffer.partition(b"\r\n\r\n")
    if not found:
        return False
    if not head.startswith(b"HTTP/1.1 202"):
        raise SystemExit(f"not accepted: {buffer[:500].decode(errors='replace')}")
    length = next(
        line.partition(b":")[2] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
    )
    return len(body) >= int(length)


class Connection:
    """One kept connection, on which the request is sent again once it is answered."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def answered(self) -> bool:
        """Reads what has come; whether that completes an answer."""
        data = self.sock.recv(65536)
        if not data:
            raise SystemExit("the server closed a connection")
        self._buffer += data
        if not answer_ends(self._buffer):
            return False
        self._buffer = b""
        return True


def drive(port: int, requests: int, connections: int) -> float:
    """Sends `requests`, one at a time on each connection; answers per second after the warm-up.

    Raises:
        SystemExit: an answer that is no 202, a closed connection, or none in time.

    """
    request, selector = request_bytes(port), selectors.DefaultSelector()
    for _ in range(connections):
        connection = Connection(port)
        selector.register(connection.sock, selectors.EVENT_READ, connection)
        connection.sock.sendall(request)
    answered, warm = 0, int(requests * WARM_UP)
    began, until = 0.0, time.monotonic() + LIMIT_S
    while answered < requests:
        if time.monotonic() > until:
            raise SystemExit(f"only {answered} of {requests} requests were answered in {LIMIT_S:g} s")
        ready = [key.data for key, _ in selector.select(1) if key.data.answered()]
        for connection in ready:
            answered += 1
            if answered == warm:
                began = time.perf_counter()
            if answered + connections <= requests:
                connection.sock.sendall(request)
    return (requests - warm) / (time.perf_counter() - began)


if __name__ == "__main__":
    print(drive(*(int(word) for word in sys.argv[1:4])))  # noqa: T201
