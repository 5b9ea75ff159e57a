"""Sends mails to a server as fast as it takes them, and says how long that took; a process of sink_bench.

`python -m benchmarks.smtp_load PORT each|kept MAILS CONNECTIONS login|open`. Non-blocking sockets, one epoll
and fixed bytes, because this must never be what is measured. It waits for each reply, and never lets a wrong
one pass.
"""

from __future__ import annotations

import base64
import errno
import json
import select
import socket
import sys
import time
import uuid
from typing import NamedTuple

HOST = "127.0.0.1"
USERNAME, PASSWORD = "bench", "no-secret"
LIMIT_S = 60.0
CHUNK = 4096
BODY = b"This line of an ordinary mail has sixty characters in it..\r\n" * 6
MAIL = b"MAIL FROM:<shop@example.org>\r\n"
AUTH = b"AUTH PLAIN " + base64.b64encode(f"\0{USERNAME}\0{PASSWORD}".encode()) + b"\r\n"


class UnexpectedError(Exception):
    """The server did not do what it must, so nothing that was measured means anything."""


class Step(NamedTuple):
    """The code of the reply that is due, and what is said then; b"": the next mail, or nothing at the end."""

    code: bytes
    then: bytes


def conversation(login: bool) -> list[Step]:
    """The whole of it for one mail, the last three steps being those of the mail, of its dot and of QUIT."""
    greeted = [Step(b"250", AUTH), Step(b"235", MAIL)] if login else [Step(b"250", MAIL)]
    return [
        Step(b"220", b"EHLO bench.example.org\r\n"),
        *greeted,
        Step(b"250", b"RCPT TO:<somebody@example.org>\r\n"),
        Step(b"250", b"DATA\r\n"),
        Step(b"354", b""),
        Step(b"250", b"QUIT\r\n"),
        Step(b"221", b""),
    ]


def mail_bytes(tag: str, number: int) -> bytes:
    """One mail of about 700 bytes and its dot, with the headers of the system's; its key is like no other."""
    key = f"{tag}-{number:06}"
    head = (
        "From: shop@example.org\r\nTo: somebody@example.org\r\nSubject: Your order has been shipped\r\n"
        f"Message-ID: <{key}@bench.example.org>\r\n"
        f"X-Job-Key: {key}\r\nX-Job-Id: {key}\r\nX-Attempt: 1\r\n"
        'MIME-Version: 1.0\r\nContent-Type: text/plain; charset="utf-8"\r\n\r\n'
    )
    return head.encode() + BODY + b".\r\n"


def is_whole(reply: bytes, code: bytes) -> bool:
    """Whether all of the reply has come.

    Raises:
        UnexpectedError: it has another code, or something follows it.

    """
    *lines, rest = reply.split(b"\r\n")
    last = [line[3:4] == b" " for line in lines]
    wrong = any(line[:3] != code or line[3:4] not in (b" ", b"-") for line in lines)
    if wrong or True in last[:-1] or (rest and last and last[-1]):
        raise UnexpectedError(f"{code.decode()} was due, and {reply!r} came")
    return bool(last) and last[-1]


class Load:
    """What all connections share: the mails that are left, and how many the server has taken."""

    def __init__(self, port: int, mode: str, mails: int, login: bool) -> None:
        tag = uuid.uuid4().hex
        self.port, self.keeps = port, mode == "kept"
        self.steps = conversation(login)
        self.waiting = [mail_bytes(tag, number) for number in range(mails)]
        self.unclaimed = mails
        self.taken = 0
        self.open: dict[int, Dialogue] = {}
        self.poll = select.epoll()

    def claim(self) -> bool:
        """Takes one mail from those that nobody has begun with; False when there is none."""
        if not self.unclaimed:
            return False
        self.unclaimed -= 1
        return True

    def close(self) -> None:
        """Closes what is still open, after an error too."""
        for dialogue in list(self.open.values()):
            dialogue.close()
        self.poll.close()


class Dialogue:
    """One connection, and after its end the next one: which reply is due, and what of it has come."""

    __slots__ = ("_at", "_heard", "_load", "_sock")

    def __init__(self, load: Load) -> None:
        self._load = load
        self._connect()

    def _connect(self) -> None:
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        status = self._sock.connect_ex((HOST, self._load.port))
        if status not in (0, errno.EINPROGRESS):
            raise UnexpectedError(f"no connection: {errno.errorcode[status]}")
        self._at, self._heard = 0, b""
        self._load.open[self._sock.fileno()] = self
        self._load.poll.register(self._sock, select.EPOLLIN)

    def read(self) -> None:
        """Takes what has come, and says what is next when a reply is whole."""
        data = self._sock.recv(CHUNK)
        if not data:
            raise UnexpectedError("the server closed a connection")
        code, then = self._load.steps[self._at]
        # Nearly every reply is one line in one piece.
        if self._heard or data[:4] != code + b" " or data.find(b"\r\n") != len(data) - 2:
            self._heard += data
            if not is_whole(self._heard, code):
                return
            self._heard = b""
        self._go_on(then)

    def _go_on(self, then: bytes) -> None:
        load, left = self._load, len(self._load.steps) - self._at
        self._at += 1
        if left == 1:
            self._end()
        elif left == 2:
            load.taken += 1
            if load.keeps and load.claim():
                # The reply to MAIL is the one before those to RCPT, DATA, the mail and QUIT.
                self._at, then = len(load.steps) - 5, MAIL
            self._say(then)
        else:
            self._say(then or load.waiting.pop())

    def _say(self, words: bytes) -> None:
        if self._sock.send(words) != len(words):
            raise UnexpectedError("the server does not read what it is sent")

    def close(self) -> None:
        """Hangs up."""
        del self._load.open[self._sock.fileno()]
        self._sock.close()

    def _end(self) -> None:
        self.close()
        if not self._load.keeps and self._load.claim():
            self._connect()


def drive(load: Load, connections: int) -> None:
    """Sends all mails.

    Raises:
        UnexpectedError: a reply that is not the one due, or none in time.
        OSError: the server refuses or resets a connection.

    """
    until = time.monotonic() + LIMIT_S
    for _ in range(connections):
        if load.claim():
            Dialogue(load)
    still = load.open
    while still:
        if time.monotonic() > until:
            raise UnexpectedError(f"{load.taken} mails were taken in {LIMIT_S:g} s")
        for fileno, _ in load.poll.poll(1):
            still[fileno].read()


def main() -> None:
    """Sends, and prints what it took as JSON: mails, wall_s, cpu_s."""
    port, mode, mails, connections, login = sys.argv[1:]
    load = Load(int(port), mode, int(mails), login == "login")
    began, before_s = time.perf_counter(), time.process_time()
    try:
        drive(load, int(connections))
    except (UnexpectedError, OSError) as error:
        raise SystemExit(f"the load to port {port} failed: {error}") from None
    took = {"wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - before_s}
    if load.taken != int(mails) or load.waiting:
        raise SystemExit(f"the server took {load.taken} of {mails} mails")
    print(json.dumps({"mails": load.taken, **took}))  # noqa: T201


if __name__ == "__main__":
    main()
