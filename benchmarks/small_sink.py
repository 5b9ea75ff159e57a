"""An SMTP sink that keeps nothing, for machines without Postfix's smtp-sink; it writes the same counters.

Run as `python -m benchmarks.small_sink PORT`. One epoll loop over raw sockets: it must never be what the
benchmark measures. Offers PIPELINING, as Postfix and its smtp-sink do, and knows no fault.
"""

from __future__ import annotations

import os
import selectors
import socket
import sys

REPLIES = {
    b"EHLO": b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 bye\r\n",
}
DOT = b"\r\n.\r\n"


class Counters:
    """What has come so far, written to stdout as `smtp-sink -c` writes it."""

    def __init__(self) -> None:
        self.sessions = self.quits = self.mails = 0

    def write(self) -> None:
        """Appends the counters."""
        os.write(1, f"sess={self.sessions} quit={self.quits} mesg={self.mails}\r".encode())


class Session:
    """One connection: what is unread of it, and whether a mail's body is being read."""

    def __init__(self, sock: socket.socket, counters: Counters) -> None:
        self.sock, self._counters = sock, counters
        self._unread, self._in_body = b"", False
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.send(b"220 sink ESMTP\r\n")

    def read(self) -> bool:
        """Answers all that has come; False when the connection has ended."""
        try:
            data = self.sock.recv(65536)
        except OSError:
            return False
        if not data:
            return False
        self._unread += data
        replies = b""
        while (reply := self._next()) is not None:
            replies += reply
        if replies:
            self.sock.send(replies)
        return not replies.startswith(b"221")

    def _next(self) -> bytes | None:
        """The reply to the next complete command or body, or None."""
        end = DOT if self._in_body else b"\r\n"
        piece, found, rest = self._unread.partition(end)
        if not found:
            return None
        self._unread = rest
        return self._stored() if self._in_body else self._reply(piece[:4].upper())

    def _stored(self) -> bytes:
        self._in_body = False
        self._counters.mails += 1
        self._counters.write()
        return b"250 stored\r\n"

    def _reply(self, verb: bytes) -> bytes:
        self._in_body = verb == b"DATA"
        self._counters.quits += verb == b"QUIT"
        return REPLIES.get(verb, b"250 ok\r\n")


def serve(port: int) -> None:
    """Serves until the process is ended."""
    selector, counters = selectors.DefaultSelector(), Counters()
    listener = socket.create_server(("127.0.0.1", port), backlog=256)
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.data is None:
                sock = listener.accept()[0]
                counters.sessions += 1
                selector.register(sock, selectors.EVENT_READ, Session(sock, counters))
            elif not key.data.read():
                selector.unregister(key.data.sock)
                key.data.sock.close()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
