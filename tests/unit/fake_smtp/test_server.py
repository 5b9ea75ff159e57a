"""What only shows from inside: the clock without its timer, and the fast address path against the grammar."""

from __future__ import annotations

import asyncio
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP
from hypothesis import given
from hypothesis import strategies as st

from fake_smtp.capture import Capture
from fake_smtp.context import Context
from fake_smtp.decider import Subject
from fake_smtp.folder import FolderInUseError
from fake_smtp.options import parse
from fake_smtp.server import Connection
from fake_smtp.session import SessionState
from reports.evidence import DELIVERIES, read


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    options = parse(["--out", str(tmp_path), "--data-limit-s", "0.3", "--idle-limit-s", "30"])
    context = Context(options, Capture(tmp_path, "run-1"), broken=lambda error: pytest.fail(str(error)))
    yield context
    context.capture.close()


class _LoopWithoutTimers:
    """The loop, whose timers never fire: what is left is the look at the clock."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def call_later(self, _delay: float, callback: Any, *args: Any) -> asyncio.TimerHandle:
        return self._loop.call_later(3600, callback, *args)


@pytest.mark.parametrize(("wait_s", "stored"), [(0.0, True), (0.4, False)])
def test_a_late_dot_is_not_stored_even_when_the_timer_never_came(
    context, wait_s: float, stored: bool
) -> None:
    async def run() -> bytes:
        loop = asyncio.get_running_loop()
        sessions: set[Any] = set()

        def connection() -> Connection:
            made = Connection(context, sessions)
            made.loop = _LoopWithoutTimers(loop)
            return made

        server = await loop.create_server(connection, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n")
        await reader.readuntil(b"354 End data with <CR><LF>.<CR><LF>\r\n")
        await asyncio.sleep(wait_s)
        writer.write(b"late?\r\n.\r\nQUIT\r\n")
        answer = await reader.read()
        writer.close()
        server.close()
        while sessions:
            await asyncio.sleep(0.01)
        return answer

    answer = asyncio.run(run())
    context.flush()
    records = read(context.options.out / DELIVERIES).records
    assert (answer[:3] == b"250") == stored
    assert [one["event"] for one in records if one["event"] == "stored"] == ["stored"] * stored
    assert records[-1]["how"] == ("quit" if stored else "data_limit")
    assert [one["why"] for one in records if one["event"] == "aborted"] == ["data phase over its limit"] * (
        not stored
    )


def test_a_reply_that_the_kernel_did_not_take_whole_is_not_flushed(context, monkeypatch) -> None:
    """The reply record repeats what `_send` found, and counts accordingly."""

    async def half_sent(_self: Connection, _data: bytes) -> bool:
        return False

    async def run() -> None:
        connection = Connection(context, set())
        connection.state = SessionState(1, "peer")
        monkeypatch.setattr(Connection, "_send", half_sent)
        await connection._reply(1, lambda: Subject("key"))

    asyncio.run(run())
    context.flush()
    reply = read(context.options.out / DELIVERIES).records[-1]
    assert (reply["event"], reply["flushed"]) == ("reply", False)
    assert (context.counters.replied, context.counters.aborted_after_store) == (0, 1)


class _Transport(asyncio.Transport):
    """A transport that keeps `left` bytes to itself, or dies on the write."""

    def __init__(self, left: int, dies: bool) -> None:
        super().__init__()
        self._left, self._dies, self._closing = left, dies, False

    def write(self, _data: object) -> None:
        self._closing = self._dies

    def is_closing(self) -> bool:
        return self._closing

    def get_write_buffer_size(self) -> int:
        return self._left


@pytest.mark.parametrize(("left", "dies", "whole"), [(0, False, True), (3, False, False), (0, True, False)])
def test_sent_means_that_nothing_is_left_in_our_buffer(context, left: int, dies: bool, whole: bool) -> None:
    class Writer:
        async def drain(self) -> None:
            """Come back without having written, as after the end of a connection."""

    async def run() -> bool:
        connection = Connection(context, set())
        connection.state = SessionState(1, "peer")
        connection.transport, connection._writer = _Transport(left, dies), Writer()
        return await connection._send(b"250 OK\r\n")

    assert asyncio.run(run()) is whole


ADDRESS = st.text(
    string.ascii_letters + string.digits + "!#$%&'*+/=?^_`{|}~-.@<>()\" ,:;\\[]é\t", max_size=25
)
REST = st.sampled_from(
    ["", " ", " SIZE=10", "  BODY=8BITMIME SMTPUTF8", "SIZE=1", " (c)", " <x>", " SIZE=1 "]
)


@given(ADDRESS.map("<{}>".format) | ADDRESS | st.emails().map("<{}>".format), REST)
def test_the_fast_address_path_agrees_with_the_grammar(address: str, rest: str) -> None:
    def outcome(method: Any) -> object:
        try:
            return method(connection, address + rest)
        except Exception as error:
            return type(error)

    connection = Connection.__new__(Connection)
    assert outcome(Connection._getaddr) == outcome(SMTP._getaddr)


def test_the_fast_address_path_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SMTP, "_getaddr", lambda *_: pytest.fail("took the slow path"))
    connection = Connection.__new__(Connection)
    assert connection._getaddr("<run-1-000001@sink.test> SIZE=10") == ("run-1-000001@sink.test", "SIZE=10")


def test_one_folder_one_sink(context: Context) -> None:
    with pytest.raises(FolderInUseError):
        Capture(context.options.out, "run-1")


def test_a_damaged_record_is_passed_over_at_the_start(tmp_path: Path) -> None:
    lines = (
        b'{"event":"session_begin","session":4}',
        b'{"event":"stored","session":4,"mail":9,"message_id":"a@b"}',
        b'{"event":"stored","session":',
    )
    (tmp_path / DELIVERIES).write_bytes(b"\n".join(lines))
    capture = Capture(tmp_path, "run-1")
    assert (capture.copies("a@b"), capture.next_session()) == (1, 5)
    capture.close()
    assert (tmp_path / DELIVERIES).read_bytes().endswith(b":\n")
