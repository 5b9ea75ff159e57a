"""The data reader against a slow and simple one that goes line by line."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_smtp.dotdata import DataRefusedError, read_mail
from fake_smtp.reader import Reader

PIECES = st.lists(
    st.sampled_from([b".", b"..", b"\r\n", b"\n", b"\r", b"a", b"\r\n.\r\n", b"\n.\n"]), max_size=30
)


def simple(data: bytes) -> tuple[bytes, bytes]:
    """RFC 5321 4.5.2, line by line: the mail, and what follows its dot."""
    lines, rest = [], data
    while True:
        line, end, rest = rest.partition(b"\r\n")
        assert end
        if line == b".":
            return b"".join(lines), rest
        lines.append(line.removeprefix(b".") + b"\r\n")


def read(data: bytes, cuts: int = 100000, max_size: int = 10000) -> tuple[bytes, bytes]:
    async def run() -> tuple[bytes, bytes]:
        reader = Reader(asyncio.get_running_loop())

        async def feed() -> None:
            for at in range(0, len(data), cuts):
                reader.feed(data[at : at + cuts])
                await asyncio.sleep(0)

        feeder = asyncio.create_task(feed())
        try:
            mail = await read_mail(reader, max_size, lambda _: 0.0)
        finally:
            await feeder
        reader.feed(b"|")
        return mail, bytes(await reader.some())[:-1]

    return asyncio.run(run())


@given(PIECES, st.integers(1, 9))
def test_the_same_as_line_by_line(pieces: list[bytes], cuts: int) -> None:
    data = b"".join(pieces) + b"\r\n.\r\nREST"
    assert read(data, cuts) == simple(data)


@pytest.mark.parametrize("cuts", [1, 3, 100000])
def test_size_limit_and_what_follows(cuts: int) -> None:
    assert read(b"x" * 98 + b"\r\n.\r\nQ", cuts, max_size=100) == (b"x" * 98 + b"\r\n", b"Q")
    for size in (99, 103, 104, 105, 500):
        with pytest.raises(DataRefusedError, match=r"^552"):
            read(b"x" * size + b"\r\n.\r\nQ", cuts, max_size=100)


@pytest.mark.parametrize(("size", "fits"), [(999, True), (1000, False)])
def test_line_limit(size: int, fits: bool) -> None:
    data = b"a\r\n" + b"x" * size + b"\r\n.\r\n"
    if fits:
        assert read(data)[0] == data[:-3]
    else:
        with pytest.raises(DataRefusedError, match=r"^500"):
            read(data)
