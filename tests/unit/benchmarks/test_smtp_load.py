"""The sender of the sink's benchmark counts right, and lets no wrong reply pass."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile

import pytest

from benchmarks.smtp_load import Load, UnexpectedError, drive, is_whole

REPLIES = {
    "EHLO": b"250-server\r\n250-SIZE\r\n250 AUTH PLAIN\r\n",
    "AUTH": b"235 in\r\n",
    "DATA": b"354 go on\r\n",
    "QUIT": b"221 bye\r\n",
}


class Server(socketserver.ThreadingTCPServer):
    """Answers as told, a byte at a time where that is told, and remembers what it was sent."""

    daemon_threads = False  # so that closing it waits for its sessions

    def __init__(self, replies: dict[str, bytes], *, in_bytes: bool) -> None:
        super().__init__(("127.0.0.1", 0), Session)
        self.replies, self.in_bytes = REPLIES | replies, in_bytes
        self.mails: list[bytes] = []
        self.verbs: list[str] = []


class Session(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: Server

    def handle(self) -> None:
        self.say(b"220 server\r\n")
        for line in self.rfile:
            verb = line[:4].decode()
            self.server.verbs.append(verb)
            self.say(self.server.replies.get(verb, b"250 ok\r\n"))
            if verb == "DATA":
                # Ends at the end of the connection too.
                self.server.mails.append(b"".join(takewhile(lambda line: line != b".\r\n", self.rfile)))
                self.say(self.server.replies.get("dot", b"250 stored\r\n"))
            if verb == "QUIT":
                return

    def say(self, reply: bytes) -> None:
        pieces = [reply[at : at + 1] for at in range(len(reply))] if self.server.in_bytes else [reply]
        for piece in pieces:
            self.wfile.write(piece)


@contextmanager
def server(replies: dict[str, bytes] | None = None, *, in_bytes: bool = False) -> Iterator[Server]:
    with Server(replies or {}, in_bytes=in_bytes) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join()


def send(to: Server, mode: str, mails: int, *, login: bool = True) -> Load:
    load = Load(to.server_address[1], mode, mails, login)
    try:
        drive(load, connections=3)
    finally:
        load.close()
    return load


@pytest.mark.parametrize("in_bytes", [False, True])
@pytest.mark.parametrize(("mode", "connections"), [("each", 10), ("kept", 3)])
def test_every_mail_goes_once_on_as_many_connections_as_the_mode_says(
    mode: str, connections: int, in_bytes: bool
) -> None:
    with server(in_bytes=in_bytes) as to:
        load = send(to, mode, 10)
    assert load.taken == len(to.mails) == 10
    keys = {next(line for line in mail.split(b"\r\n") if line.startswith(b"X-Job-Key")) for mail in to.mails}
    assert len(keys) == 10
    assert to.verbs.count("EHLO") == to.verbs.count("AUTH") == to.verbs.count("QUIT") == connections
    assert to.verbs.count("MAIL") == to.verbs.count("RCPT") == 10


def test_two_loads_share_no_key() -> None:
    with server() as to:
        send(to, "kept", 4)
        send(to, "kept", 4)
    assert len(set(to.mails)) == 8


def test_without_a_login_none_is_tried() -> None:
    with server() as to:
        assert send(to, "each", 4, login=False).taken == 4
    assert "AUTH" not in to.verbs


@pytest.mark.parametrize("mode", ["each", "kept"])
@pytest.mark.parametrize(
    ("at", "reply"),
    [
        ("EHLO", b"250-a\r\n500 no\r\n"),
        ("AUTH", b"250 not what a login is answered with\r\n"),
        ("MAIL", b"451 later\r\n"),
        ("RCPT", b"550 nobody\r\n"),
        ("DATA", b"250 go on\r\n"),
        ("dot", b"451 not stored\r\n"),
        ("dot", b"250 stored\r\n250 twice\r\n"),
        ("QUIT", b"250 bye\r\n"),
    ],
)
def test_a_wrong_reply_ends_it(mode: str, at: str, reply: bytes) -> None:
    with server({at: reply}) as to, pytest.raises(UnexpectedError, match="was due"):
        send(to, mode, 6)


def test_a_connection_that_is_closed_ends_it() -> None:
    with server({"QUIT": b""}) as to, pytest.raises(UnexpectedError, match="closed"):
        send(to, "kept", 6)


@pytest.mark.parametrize(
    ("reply", "whole"),
    [
        (b"", False),
        (b"250", False),
        (b"250 o", False),
        (b"250 ok\r", False),
        (b"250 ok\r\n", True),
        (b"250-a\r\n", False),
        (b"250-a\r\n250", False),
        (b"250-a\r\n250 b\r\n", True),
    ],
)
def test_a_reply_is_whole_with_its_last_line(reply: bytes, whole: bool) -> None:
    assert is_whole(reply, b"250") is whole


@pytest.mark.parametrize("reply", [b"250 ok\r\n2", b"250 ok\r\n250 ok\r\n", b"250-a\r\n251 b\r\n", b"25\r\n"])
def test_what_is_not_one_reply_is_unexpected(reply: bytes) -> None:
    with pytest.raises(UnexpectedError):
        is_whole(reply, b"250")
