"""Holes in evidence: how they are made, and that nobody reads through them."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from fake_smtp import holes
from fake_smtp.capture import Capture
from fake_smtp.entries import Query
from fake_smtp.follower import Follower
from fake_smtp.front import Front
from fake_smtp.options import parse
from fake_smtp.sessions import Sessions
from fake_smtp.sink import Sink
from reports.evidence import DELIVERIES

BLOCK = 4096
HUGE = 2**36
"""Bytes: whoever reads them does not finish within the test."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    try:
        holes.probe(tmp_path)
    except OSError as error:
        pytest.skip(str(error))
    return tmp_path


def test_a_prefix_gives_back_whole_blocks_and_no_byte_behind(folder: Path) -> None:
    path, content = folder / "file", os.urandom(20 * BLOCK)
    path.write_bytes(content)
    block = path.stat().st_blksize
    prefix = holes.Prefix(path)
    assert not prefix.give_back(block - 1)
    assert path.read_bytes() == content
    assert not prefix.give_back(3 * block + 100)
    assert path.read_bytes() == bytes(3 * block) + content[3 * block :]
    assert holes.begin(path) == 3 * block
    assert holes.allocated(path) <= len(content) - 3 * block
    assert not prefix.give_back(block), "less than before is nothing to do"
    assert prefix.size() == len(content)
    prefix.close()


def test_much_is_given_back_in_steps(folder: Path) -> None:
    path = folder / "file"
    with path.open("wb") as file:
        file.truncate(2**24 + 2 * BLOCK)
        file.seek(0)
        file.write(bytes(2**24 + BLOCK))
    before = holes.allocated(path)
    prefix = holes.Prefix(path)
    assert prefix.give_back(2**24)
    assert 0 < holes.allocated(path) < before
    assert not prefix.give_back(2**24)
    assert holes.allocated(path) <= 2 * BLOCK
    prefix.close()


def test_where_the_data_begins(folder: Path) -> None:
    path = folder / "file"
    path.write_bytes(b"")
    assert holes.begin(path) == 0
    os.truncate(path, HUGE)
    assert holes.begin(path) == HUGE
    with path.open("ab") as file:
        file.write(b"data")
    assert holes.begin(path) == HUGE


def test_without_holes_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(OSError, match="cannot be given back there") as told:
        holes.probe(tmp_path / "new")
    assert told.value.errno == errno.EOPNOTSUPP
    assert list((tmp_path / "new").iterdir()) == []


def test_a_sink_with_limits_refuses_a_folder_without_holes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(fd: int, at: int, size: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(holes, "punch", refuse)
    with pytest.raises(OSError, match="disk space of old mails cannot be given back there"):
        Sink(parse(["--out", str(tmp_path / "limited"), "--keep-mails", "5"]))
    asyncio.run(Sink(parse(["--out", str(tmp_path / "free")])).stop())


def test_limits_refuse_a_folder_with_the_evidence_of_a_run(folder: Path) -> None:
    run = Capture(folder, "run-1")
    run.record("session_begin", session=1, peer="p")
    run.close()
    with pytest.raises(OSError, match="it holds the evidence of run-1"):
        Sink(parse(["--out", str(folder), "--keep-mails", "5"]))


def test_limits_refuse_a_folder_with_mails_of_several_processes(folder: Path) -> None:
    (folder / "mails-2.raw").touch()
    with pytest.raises(OSError, match="mails of several processes"):
        Sink(parse(["--out", str(folder), "--keep-mails", "5"]))


# --- readers


def line(event: str, **fields: Any) -> bytes:
    always = {"run": "adhoc", "writer": "w", "seq": 0, "wall_ns": 1, "mono_ns": 1, "event": event}
    return orjson.dumps({**always, **fields}) + b"\n"


def fields(mail: int) -> dict[str, Any]:
    nothing = dict.fromkeys(("key", "id", "attempt", "worker", "hint"))
    where = {"mail": mail, "message_id": f"{mail}@t", "size": 0, "raw_at": 0}
    return {**nothing, **where, "sender": "s", "to": ["t"], "digest": "d"}


KEPT = [line("session_begin", session=7, peer="p"), line("session_end", session=7, how="quit")]


@pytest.fixture
def holed(folder: Path) -> Path:
    """A folder whose evidence begins with a huge hole, then has the end of a line, then whole lines."""
    with (folder / DELIVERIES).open("wb") as file:
        file.truncate(HUGE)
        file.seek(HUGE)
        stored = [line("stored", session=7, **fields(number)) for number in (12, 13)]
        file.write(b'ession":3,"how":"quit"}\n' + b"".join(KEPT + stored) + line("trimmed", mail=12))
    return folder


def test_a_follower_skips_the_hole(holed: Path) -> None:
    taken = []
    asyncio.run(Follower(holed / DELIVERIES, lambda at, record: taken.append((at, record))).catch_up())
    events = [record["event"] for _, record in taken]
    assert events == ["session_begin", "session_end", "stored", "stored", "trimmed"]
    with (holed / DELIVERIES).open("rb") as file:
        file.seek(taken[0][0])
        assert file.readline() == KEPT[0]


def test_a_sink_takes_over_behind_the_hole(holed: Path) -> None:
    capture = Capture(holed, "adhoc")
    assert (capture.next_session(), capture.newest, capture.trimmed) == (8, 13, 12)
    assert [entry.mail for entry in capture.index.search(Query(), 10)] == [13]
    assert [capture.copies(f"{number}@t") for number in (12, 13)] == [0, 1]
    capture.close()


def test_sessions_behind_the_hole_are_shown_and_the_others_forgotten(folder: Path) -> None:
    path = folder / DELIVERIES
    gone = line("session_begin", session=6, peer="x" * BLOCK) + line("session_end", session=6, how="quit")
    path.write_bytes(gone + b"".join(KEPT))
    sessions = Sessions(path, lambda: None)

    def shown() -> list[int]:
        return [one["session"] for one in asyncio.run(sessions.newest(None, 10))]

    assert shown() == [7, 6]
    prefix = holes.Prefix(path)
    prefix.give_back(len(gone))
    prefix.close()
    assert shown() == [7]
    assert asyncio.run(sessions.show(6)) is None
    assert asyncio.run(sessions.show(7)) is not None
    sessions.close()


def test_the_front_keeps_sessions_that_straddle_it_until_a_restart(tmp_path: Path) -> None:
    path, far = tmp_path / DELIVERIES, float("inf")
    stored = {"wall_ns": 5_000_000_000, "raw_at": 0, "message_id": None}
    lines = [
        line("session_begin", session=1),
        line("session_end", session=1),
        line("session_begin", session=2),
        line("session_begin", session=3),
        line("stored", session=3, mail=1, **stored),
        line("session_end", session=3),
        b"{damaged\n",
        line("session_begin", session=4),
        line("stored", session=4, mail=2, **stored),
        line("sink_start"),
        line("session_begin", session=5),
        line("stored", session=5, mail=3, **stored),
    ]
    path.write_bytes(b"".join(lines))
    front, needed = Front(path, trimmed=0), []
    while oldest := front.look(far):
        needed.append((oldest.mail, front.needed()))
        front.drop()
    front.close()
    starts = [sum(map(len, lines[:number])) for number in range(len(lines))]
    # Session 2 goes on beside mails 1 and 2; after a restart nobody is left of before.
    assert needed == [(1, starts[2]), (2, starts[2]), (3, starts[10])]
