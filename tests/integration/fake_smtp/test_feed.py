"""The feed of stored mails: nothing missing, nothing twice, whoever stored it and whatever happened since."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fake_smtp.capture import Capture
from fake_smtp.feed import Feed
from fake_smtp.message import parse as parse_mail
from fake_smtp.session import SessionState
from tests.integration.fake_smtp.conftest import LIMIT_S, Sink, mail

Start = Callable[..., Sink]


def follow(sink: Sink, after: int = 0, limit: int = 1000) -> tuple[list[list[Any]], int]:
    """Read from a place to the end, page by page; return the mails and the place."""
    found: list[list[Any]] = []
    while True:
        where = f"after={after}&" if after else ""
        status, answer = sink.http("GET", f"/stored?{where}limit={limit}")
        assert status == 200, answer
        found += [[one["mail"], one["at_s"], one["key"]] for one in answer["mails"]]
        if after == answer["next"]:
            assert after == answer["last"]
            return found, after
        after = answer["next"]


def send(sink: Sink, *keys: str) -> None:
    with sink.client() as client:
        for key in keys:
            client.sendmail("from@client.test", "to@sink.test", mail(key))
        client.quit()


def test_it_goes_on_from_a_place_and_the_inbox_may_be_emptied(start_sink: Start) -> None:
    sink = start_sink()
    began_s = time.time()
    send(sink, "a", "b", "c")
    first, place = follow(sink, limit=2)
    assert [(number, key) for number, _, key in first] == [(1, "a"), (2, "b"), (3, "c")]
    assert began_s <= first[0][1] <= first[2][1] <= sink.http("GET", "/stored")[1]["now_s"] <= time.time()
    assert sink.http("DELETE", "/mails")[1] == {"forgotten": 3}
    assert follow(sink, place) == ([], place)
    send(sink, "d")
    assert [key for _, _, key in follow(sink, place)[0]] == ["d"]
    assert [key for _, _, key in follow(sink)[0]] == ["a", "b", "c", "d"]


def test_a_mail_without_a_key_has_its_place(start_sink: Start) -> None:
    sink = start_sink()
    with sink.client() as client:
        client.sendmail("from@client.test", "to@sink.test", b"Subject: x\r\n\r\nnothing\r\n")
        client.quit()
    assert [key for _, _, key in follow(sink)[0]] == [None]


@pytest.mark.parametrize("bad", ["after=0", "after=x", "limit=1001", "before=3"])
def test_bad_questions_are_refused_with_words(shared_sink: Sink, bad: str) -> None:
    status, answer = shared_sink.http("GET", f"/stored?{bad}")
    assert status == 422
    assert answer["error"]


@pytest.mark.parametrize("options", [(), ("--processes", "2")])
def test_after_a_kill_a_place_means_the_same(start_sink: Start, tmp_path: Path, options: Any) -> None:
    out = tmp_path / "out"
    sink = start_sink(*options, out=out)
    for key in "abcde":
        send(sink, key)
    before, place = follow(sink)
    folder = sink.http("GET", "/stored")[1]["folder"]
    sink.stop(signal.SIGKILL)
    again = start_sink(*options, out=out)
    assert follow(again, place) == ([], place)
    send(again, "f")
    assert [key for _, _, key in follow(again, place)[0]] == ["f"]
    assert [one[0] for one in follow(again)[0]][:5] == [one[0] for one in before]
    assert again.http("GET", "/stored")[1]["folder"] == folder


def test_of_several_processes_none_is_missing_and_none_comes_twice(start_sink: Start) -> None:
    sink = start_sink("--processes", "2")
    wanted = {f"k-{sender}-{number}" for sender in range(6) for number in range(40)}
    senders = [
        threading.Thread(target=send, args=(sink, *(f"k-{sender}-{number}" for number in range(40))))
        for sender in range(6)
    ]
    for sender in senders:
        sender.start()
    found: list[list[Any]] = []
    place, end = 0, time.monotonic() + LIMIT_S
    while len(found) < len(wanted) and time.monotonic() < end:
        more, place = follow(sink, place, limit=7)
        found += more
    for sender in senders:
        sender.join()
    assert sorted(key for _, _, key in found) == sorted(wanted)
    numbers = [number for number, _, _ in found]
    assert len(set(numbers)) == len(numbers)
    assert follow(sink, place) == ([], place)


def test_what_retention_forgets_leaves_the_places_of_the_rest(tmp_path: Path) -> None:
    def store(capture: Capture, *keys: str) -> None:
        for key in keys:
            raw = mail(key)
            capture.store(SessionState(1, "peer"), "a@b.test", ["c@d.test"], raw, parse_mail(raw))
        capture.flush()

    capture = Capture(tmp_path, "adhoc")
    store(capture, "a", "b", "c")
    capture.trim(2, [])
    assert [(one.at, one.key) for one in capture.feed.after(0, 9)] == [(3, "c")]
    capture.close()
    again = Capture(tmp_path, "adhoc")
    store(again, "d")
    assert [(one.at, one.key) for one in again.feed.after(0, 9)] == [(3, "c"), (4, "d")]
    assert [one.key for one in again.feed.after(3, 9)] == ["d"]
    again.close()


def test_a_key_that_is_no_text_costs_no_other_mail_its_place() -> None:
    feed = Feed()
    for number, key in enumerate(("a", "half a pair \ud800", None, "b"), start=1):
        feed.add(number, 0.0, key)
    assert [(one.at, one.key) for one in feed.after(0, 9)] == [
        (1, "a"),
        (2, "half a pair ?"),
        (3, None),
        (4, "b"),
    ]
    feed.close()
