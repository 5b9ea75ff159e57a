"""Retention limits of a sink that stands for days: what they forget, what they keep, what it costs."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fake_smtp import holes
from fake_smtp.capture import Capture
from fake_smtp.entries import Query
from fake_smtp.message import parse as parse_mail
from fake_smtp.metrics import Counters
from fake_smtp.options import parse
from fake_smtp.retention import Retention
from fake_smtp.session import SessionState
from tests.integration.fake_smtp.conftest import LIMIT_S, Sink, mail

Start = Callable[..., Sink]
BLOCK = 4096
SESSION = 10
"""Mails of one session."""


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[Start]:
    """Start sinks that are no run. Their evidence is not whole, so that nobody checks it."""
    try:
        holes.probe(tmp_path)
    except OSError as error:
        pytest.skip(str(error))
    with ExitStack() as stack:

        def start(*options: str, out: Path = tmp_path / "out") -> Sink:
            sink = Sink(out, *options, run="adhoc")
            stack.callback(lambda: check_end(sink))
            return sink

        yield start


def check_end(sink: Sink) -> None:
    killed = sink.process.returncode is not None
    end = sink.stop()
    assert killed or end == (0, "")


def key(number: int) -> str:
    return f"k{number:06}"


def named(template: bytes, number: int) -> bytes:
    return template.replace(b"KEY", key(number).encode())


def send(sink: Sink, first: int, last: int, size: int = 0) -> dict[int, bytes]:
    """Deliver mails with these numbers, some in each session; return them as they were sent."""
    template = mail("KEY", body=f"{'x' * 70}\n" * (size // 71))
    sent = {number: named(template, number) for number in range(first, last + 1)}
    for begin in range(first, last + 1, SESSION):
        with sink.client() as client:
            for number in range(begin, min(begin + SESSION, last + 1)):
                client.sendmail("from@client.test", "t@s.test", sent[number])
            client.quit()
    return sent


def kept(sink: Sink) -> list[int]:
    return [one["mail"] for one in sink.http("GET", "/mails?limit=1000")[1]["mails"]][::-1]


def until(done: Callable[[], bool], what: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not done():
        assert time.monotonic() < deadline, what()
        time.sleep(0.01)


def until_kept(sink: Sink, first: int, last: int) -> None:
    until(lambda: kept(sink) == list(range(first, last + 1)), lambda: kept(sink))


def stored(sink: Sink, number: int) -> bool:
    return sink.http("GET", f"/receipts/job-{key(number)}@client.test")[1]["stored"]


def on_disk(sink: Sink) -> int:
    return sum(holes.allocated(sink.out / name) for name in ("mails.raw", "deliveries.jsonl"))


def figure(sink: Sink, name: str) -> float:
    lines = sink.http("GET", "/metrics")[1].splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def raw(sink: Sink, number: int) -> bytes:
    return sink.http("GET", f"/mails/{number}/raw")[1].encode()


def test_the_oldest_mails_above_the_number_are_forgotten(keeping: Start) -> None:
    sink = keeping("--keep-mails", "50")
    sent = send(sink, 1, 300, size=10_000)
    until_kept(sink, 251, 300)
    assert [stored(sink, number) for number in (1, 250, 251, 300)] == [False, False, True, True]
    assert all(raw(sink, number) == sent[number] for number in range(251, 301))
    assert sink.http("GET", "/mails/250")[0] == 404
    assert figure(sink, "sink_mails_trimmed_total") == 250
    assert figure(sink, "sink_duplicates_total") == 0
    until(lambda: on_disk(sink) < 1_000_000, lambda: on_disk(sink))
    assert figure(sink, "sink_evidence_bytes") == on_disk(sink)
    assert (sink.out / "mails.raw").stat().st_size > 3_000_000
    session = sink.http("GET", "/mails/251")[1]["session"]
    lines = sink.http("GET", f"/sessions/{session}")[1]["lines"]
    assert [line["mail"] for line in lines if "mail" in line] == list(range(251, 261))
    # What lies in the block where the hole ends is still there.
    assert sink.http("GET", "/sessions?limit=100")[1]["sessions"][-1]["session"] >= session - 3
    assert sink.http("GET", "/api/v1/messages")[1]["total"] == 50


def test_mails_go_when_they_are_too_old_but_for_the_newest(keeping: Start) -> None:
    sink = keeping("--keep-s", "0.2")
    send(sink, 1, 25)
    until_kept(sink, 25, 25)
    assert (stored(sink, 24), stored(sink, 25)) == (False, True)


def test_the_evidence_stays_below_its_size_in_a_flood(keeping: Start) -> None:
    most = 5_000_000
    sink = keeping("--keep-bytes", str(most))
    sent = send(sink, 1, 300, size=100_000)
    until(lambda: on_disk(sink) <= most + 8 * BLOCK, lambda: on_disk(sink))
    assert (sink.out / "mails.raw").stat().st_size > 30_000_000
    left = kept(sink)
    assert left == list(range(left[0], 301))
    # As many as there is room for, and not one less.
    assert 45 <= len(left) <= 50
    assert raw(sink, left[0]) == sent[left[0]]


def test_an_open_session_holds_its_mails_and_those_behind_them(keeping: Start, tmp_path: Path) -> None:
    capture, open_sessions = store(tmp_path / "out", 20), {1, 6}
    options = parse(["--out", str(tmp_path / "out"), "--keep-mails", "3", "--keep-bytes", "1"])
    retention = Retention(options, capture, Counters(), lambda: open_sessions)
    for ended, first in [(0, 1), (1, 6), (6, 20)]:
        open_sessions.discard(ended)
        while retention.work():
            pass
        mails = [entry.mail for entry in capture.index.search(Query(), 100)]
        assert mails == list(range(20, first - 1, -1))
    retention.close()
    capture.close()


def test_a_connection_that_lasts_is_an_open_session(keeping: Start) -> None:
    sink = keeping("--keep-mails", "3", "--idle-limit-s", "60")
    send(sink, 1, 5)
    with sink.client() as client:
        for number in (6, 7, 8):
            client.sendmail("from@client.test", "t@s.test", mail(key(number)))
        send(sink, 9, 20)
        until(lambda: (kept(sink) or [0])[0] >= 6, lambda: kept(sink))
        assert kept(sink) == list(range(6, 21))
        assert stored(sink, 6)
        client.quit()
    until_kept(sink, 18, 20)


def test_the_sink_answers_while_much_is_forgotten_and_forgets_it_for_good(
    keeping: Start, tmp_path: Path
) -> None:
    store(tmp_path / "out", 4_000).close()
    sink = keeping("--keep-mails", "5")
    slowest_s = 0.0
    while sink.http("GET", "/mails?limit=1")[1]["total"] > 5:
        begun = time.monotonic()
        assert sink.http("GET", "/health")[0] == 200
        slowest_s = max(slowest_s, time.monotonic() - begun)
    assert slowest_s < 1
    until(lambda: on_disk(sink) < 20 * BLOCK, lambda: on_disk(sink))
    sink.stop(signal.SIGKILL)
    again = keeping("--keep-mails", "5")
    assert kept(again) == [3996, 3997, 3998, 3999, 4000]
    assert [stored(again, number) for number in (3995, 3996)] == [False, True]
    assert all(raw(again, number) == mail(key(number)) for number in range(3996, 4001))
    send(again, 4001, 4003)
    until_kept(again, 3999, 4003)
    assert again.http("GET", "/mails/4003")[1]["session"] == 4001


def test_a_slice_of_forgetting_is_short(keeping: Start, tmp_path: Path) -> None:
    out = tmp_path / "out"
    capture = store(out, 10_000)
    retention = Retention(parse(["--out", str(out), "--keep-mails", "1"]), capture, Counters(), set)
    took_s, more = [], True
    while more:
        begun = time.thread_time()
        more = retention.work()
        took_s.append(time.thread_time() - begun)
    assert capture.index.count() == 1
    assert len(took_s) >= 100
    assert max(took_s) < 0.02, sorted(took_s)[-5:]
    retention.close()
    capture.close()


def test_the_loop_turns_between_two_slices(keeping: Start, tmp_path: Path) -> None:
    capture = store(tmp_path / "out", 1000)
    options = parse(["--out", str(tmp_path / "out"), "--keep-mails", "1"])
    retention, steps = Retention(options, capture, Counters(), set), []

    async def watch() -> None:
        task = asyncio.create_task(retention.run())
        while capture.trimmed < 999:
            before = capture.trimmed
            await asyncio.sleep(0)
            steps.append(capture.trimmed - before)
        task.cancel()

    asyncio.run(asyncio.wait_for(watch(), LIMIT_S))
    assert max(steps) <= 100
    retention.close()
    capture.close()


def store(out: Path, count: int) -> Capture:
    """Leave a folder as a sink with so many mails would."""
    capture, template = Capture(out, "adhoc"), mail("KEY")
    for number in range(1, count + 1):
        session = SessionState(capture.next_session(), "peer")
        content = named(template, number)
        capture.record_later("session_begin", {"session": session.number, "peer": "peer"})
        capture.store(session, "from@client.test", ["t@s.test"], content, parse_mail(content))
        capture.record("session_end", session=session.number, how="quit")
    return capture


@pytest.mark.parametrize("limit", ["--keep-mails=5", "--keep-s=5", "--keep-bytes=5"])
def test_a_named_run_is_kept_whole(limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--out", "x", "--run", "run-1", limit])
    assert ended.value.code == 64
    assert "a run with a name (--run run-1) is kept whole" in capsys.readouterr().err
    assert parse(["--out", "x", limit]).forgets


def test_several_processes_keep_everything(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--out", "x", "--processes", "2", "--keep-mails=5"])
    assert ended.value.code == 64
    assert "do not go with --processes above 1" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["--keep-mails=0", "--keep-s=0", "--keep-s=nan", "--keep-bytes=-1"])
def test_a_limit_that_is_none_gets_words(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--out", "x", value])
    assert ended.value.code == 64
    assert value.partition("=")[0] in capsys.readouterr().err


def test_limits_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in [("MAILS", "7"), ("S", "8.5"), ("BYTES", "9")]:
        monkeypatch.setenv(f"FAKE_SMTP_KEEP_{name}", value)
    options = parse(["--out", "x"])
    assert (options.keep_mails, options.keep_s, options.keep_bytes) == (7, 8.5, 9)
