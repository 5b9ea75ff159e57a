"""The stock aiosmtpd server beside our sink: the same bytes to both, what each answers and keeps.

Used by `test_stock`. Looks at nothing but sockets, the stock handler's envelopes and our evidence files.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from aiosmtpd.smtp import SMTP, AuthResult

from reports.evidence import DELIVERIES
from tests.integration.fake_smtp.conftest import LIMIT_S, PASSWORD, USER, Sink

MAX_SIZE = 100_000
HOSTNAME, IDENT = "sink.mailstorm.test", "mailstorm"
# Ends every conversation, whatever state it is in: a command, a login or a mail.
TAIL = b"\r\n.\r\nQUIT\r\n"


@dataclass(frozen=True)
class Kept:
    """One mail as a server keeps it."""

    sender: str
    to: tuple[str, ...]
    content: bytes


@dataclass(frozen=True)
class Heard:
    """One conversation: all replies until the server closed, and the mails that it kept."""

    replies: tuple[bytes, ...]
    """Lines; the last is empty when it ended with a whole one."""
    reset: bool
    """Whether the server closed before it had read everything."""
    mails: tuple[Kept, ...] = ()


def talk(port: int, pieces: Iterable[bytes], pause_s: float = 0.0) -> tuple[int, Heard]:
    """Send the pieces, each as a segment, and hear everything up to the end; return our port and what came.

    `pause_s` lies between two pieces, so that the server reads them one by one.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        own_port: int = sock.getsockname()[1]
        reset = not _say(sock, pieces, pause_s)
        heard = bytearray()
        try:
            while data := sock.recv(65536):
                heard += data
        except ConnectionError:
            reset = True
        return own_port, Heard(tuple(bytes(heard).split(b"\r\n")), reset)


def _say(sock: socket.socket, pieces: Iterable[bytes], pause_s: float) -> bool:
    try:
        for piece in pieces:
            sock.sendall(piece)
            if pause_s:
                time.sleep(pause_s)
    except ConnectionError:
        return False  # it has closed: what it said before is still there to read
    return True


class Stock:
    """aiosmtpd as it comes, with the sink's options and a handler that keeps every mail."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._kept: dict[int, list[Kept]] = defaultdict(list)
        self._server = self._loop.run_until_complete(self._loop.create_server(self._session, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def _session(self) -> SMTP:
        session = SMTP(
            self,
            data_size_limit=MAX_SIZE,
            enable_SMTPUTF8=True,
            hostname=HOSTNAME,
            ident=IDENT,
            auth_require_tls=False,
            authenticator=_check,
            loop=self._loop,
        )
        # Asked for as an option, it warns about logins without TLS at each connection.
        session._auth_required = True
        # It is the class that keeps these, where each EHLO of any connection adds to them for all.
        session.command_size_limits = defaultdict(lambda: SMTP.command_size_limit)
        return session

    async def handle_DATA(self, _server: SMTP, session: Any, envelope: Any) -> str:
        kept = Kept(envelope.mail_from, tuple(envelope.rcpt_tos), envelope.content)
        self._kept[session.peer[1]].append(kept)
        return "250 OK"

    def converse(self, pieces: Iterable[bytes], pause_s: float = 0.0) -> Heard:
        own_port, heard = talk(self.port, pieces, pause_s)
        return replace(heard, mails=tuple(self._kept.pop(own_port, ())))

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        asyncio.run_coroutine_threadsafe(self._drained(), self._loop).result(LIMIT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LIMIT_S)
        self._loop.close()

    async def _drained(self) -> None:
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)


def _check(_server: SMTP, _session: Any, _envelope: Any, _mechanism: str, login: Any) -> AuthResult:
    good = (login.login, login.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=good, handled=False, auth_data=login)


class Ours:
    """A running sink, its evidence read as it grows; for many threads."""

    def __init__(self, sink: Sink) -> None:
        self._port = sink.smtp_port
        self._lock = threading.Lock()
        self._records: BinaryIO = (sink.out / DELIVERIES).open("rb")
        self._raw: BinaryIO = (sink.out / "mails.raw").open("rb")
        self._sessions: dict[int, int] = {}
        self._stored: dict[int, list[Kept]] = defaultdict(list)
        self._ended: set[int] = set()

    def converse(self, pieces: Iterable[bytes], pause_s: float = 0.0) -> Heard:
        own_port, heard = talk(self._port, pieces, pause_s)
        return replace(heard, mails=self._mails_of(own_port))

    def stop(self) -> None:
        self._records.close()
        self._raw.close()

    def _mails_of(self, own_port: int) -> tuple[Kept, ...]:
        """Wait for the last record of the session: only then is it sure that nothing more is stored."""
        deadline = time.monotonic() + LIMIT_S
        while True:
            with self._lock:
                self._learn()
                session = self._sessions.get(own_port)
                if session in self._ended:
                    del self._sessions[own_port]  # the port may come again
                    return tuple(self._stored.pop(session, ()))
            assert time.monotonic() < deadline, f"the session of port {own_port} does not end"
            time.sleep(0.0005)

    def _learn(self) -> None:
        while (line := self._records.readline()).endswith(b"\n"):
            self._take(json.loads(line))
        self._records.seek(-len(line), 1)  # half a record: later

    def _take(self, record: dict[str, Any]) -> None:
        match record["event"]:
            case "session_begin":
                self._sessions[int(record["peer"].rpartition(":")[2])] = record["session"]
            case "session_end":
                self._ended.add(record["session"])
            case "stored":
                self._raw.seek(record["raw_at"])
                content = self._raw.read(record["size"])
                self._stored[record["session"]].append(Kept(record["sender"], tuple(record["to"]), content))


@contextmanager
def side_by_side(sink: Sink) -> Iterator[tuple[Stock, Ours]]:
    stock, ours = Stock(), Ours(sink)
    try:
        yield stock, ours
    finally:
        stock.stop()
        ours.stop()


# Where the sink speaks differently on purpose, as (what stock says, what the sink says).
DELIBERATE = [
    # Refusals of a mail carry an enhanced status code, as senders that read them expect.
    (re.compile(rb"552 Error: Too much mail data"), b"552 5.3.4 Error: Too much mail data"),
    (re.compile(rb"500 (Line too long .*)"), rb"500 5.5.2 \1"),
    # An address that the grammar chokes on: stock shows its Python exception, we do not.
    (re.compile(rb"500 Error: \(\w+\) .*"), b"500 5.5.2 Error: cannot understand this command"),
]


def as_the_sink_says(heard: Heard) -> Heard:
    """Return what stock said in the words of the sink, where these differ on purpose."""
    return replace(heard, replies=tuple(map(_translated, heard.replies)))


def _translated(line: bytes) -> bytes:
    for stock, ours in DELIBERATE:
        if stock.fullmatch(line):
            return stock.sub(ours, line)
    return line
