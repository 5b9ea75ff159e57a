"""Several processes on one port: whatever is asked is about all of them, and none outlives the sink."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import smtplib
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from fake_smtp.capture import Capture
from fake_smtp.crew import Crew
from fake_smtp.folder import FolderInUseError
from fake_smtp.options import parse
from fake_smtp.plan import Rule
from reports.evidence import DELIVERIES, read
from tests.integration.fake_smtp.conftest import LIMIT_S, PASSWORD, USER, Sink, Wire, check_evidence, mail
from tests.integration.fake_smtp.test_openapi import ask
from tests.integration.fake_smtp.test_process import _refused
from tests.integration.system.documented import Document

PROCESSES = 3
CREW = ("--processes", str(PROCESSES))


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sink]:
    """One sink for all tests that do not mind what others did before."""
    sink = Sink(tmp_path_factory.mktemp("crew"), *CREW)
    yield sink
    assert sink.stop() == (0, "")
    assert not read(sink.out / DELIVERIES).problems


def workers(sink: Sink) -> list[int]:
    pids: list[int] = sink.http("GET", "/health")[1]["workers"]
    return pids


@contextmanager
def on_each(sink: Sink, processes: int = PROCESSES) -> Iterator[list[Wire]]:
    """Connect until every worker has a connection; in MAIL, so that RCPT can be said."""
    found: dict[int, Wire] = {}
    with ExitStack() as stack:
        for _ in range(100):
            wire = stack.enter_context(sink.wire())
            host, port = wire.sock.getsockname()
            pid = sink.until("session_begin", peer=f"{host}:{port}")["pid"]
            if found.setdefault(pid, wire) is wire:
                wire.say(b"MAIL FROM:<a@b.test>\r\n", b"250")
            if len(found) == processes:
                break
        assert len(found) == processes
        yield list(found.values())


def refused(wire: Wire, to: str) -> bool:
    wire.sock.sendall(f"RCPT TO:<{to}>\r\n".encode())
    line = wire.file.readline()
    assert line[:3] in (b"250", b"451"), line
    return line.startswith(b"451")


def until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + LIMIT_S
    for pid in pids:
        # A zombie is gone too; who buries it is the machine's affair.
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline, f"{pid} lives"
            time.sleep(0.01)


def test_receipts_search_sessions_and_figures_are_about_all(start_sink) -> None:
    sink, connections = start_sink(*CREW), 40

    def deliver(number: int) -> None:
        with sink.client() as client:
            for key in (f"run-1-{number:06}", f"run-1-{number + connections:06}"):
                client.sendmail("f@c.test", "t@s.test", mail(key))
                # The point of it all: the 250 came from one process, and another one knows at once.
                assert sink.http("GET", f"/receipts/job-{key}@client.test")[1]["copies"] == 1, key
            client.quit()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(deliver, range(connections)))
    mails = 2 * connections
    keys = [f"run-1-{number:06}" for number in range(mails)]
    assert sink.http("POST", "/verify", {"expected": keys})[1]["ok"] is True
    listed = sink.http("GET", "/mails?limit=1000")[1]
    assert (listed["total"], len({one["mail"] for one in listed["mails"]})) == (mails, mails)
    assert len(sink.http("GET", "/mails?text=hidden%20dot&limit=1000")[1]["mails"]) == mails
    for one in listed["mails"]:
        assert sink.http("GET", f"/mails/{one['mail']}/raw")[1] == mail(one["key"]).decode()
    sink.until("session_end", connections)
    shown = sink.http("GET", "/sessions?limit=1000")[1]["sessions"]
    assert sorted(one["mails"] for one in shown) == [2] * connections
    counters = sink.counters()
    assert [counters[name] for name in ("sessions", "open_sessions", "stored", "replied", "auth_ok")] == [
        connections,
        0,
        mails,
        mails,
        connections,
    ]
    metrics = sink.http("GET", "/metrics")[1]
    for line in (
        f"sink_messages_stored_total {mails}.0",
        f"sink_reply_seconds_count {mails}.0",
        f'sink_sessions_ended_total{{outcome="quit",stage="stored"}} {connections}.0',
        "sink_duplicates_total 0.0",
    ):
        assert f"{line}\n" in metrics
    assert {one["pid"] for one in sink.records("stored")} == set(workers(sink))
    assert sink.http("GET", "/api/v1/info")[1]["RuntimeStats"]["SMTPAccepted"] == mails
    assert sink.stop() == (0, "")
    stopped = {one["writer"] for one in sink.records("sink_stop")}
    assert {one["writer"] for one in sink.records()} == stopped
    assert len(stopped) == PROCESSES + 1


def test_health_is_as_the_api_tells(crew: Sink) -> None:
    judge = Document(json.loads(ask(crew, "GET", "/openapi.json")[2]))
    status, headers, content = ask(crew, "GET", "/health")
    judge.check_parts("get", "/health", status, headers, json.loads(content))
    assert len(set(json.loads(content)["workers"])) == PROCESSES


def test_a_greylist_counts_a_mail_wherever_it_comes(crew: Sink) -> None:
    crew.plan(Rule("greylist", params={"tries": 2}))
    with on_each(crew) as wires:
        # The third try of one mail is the first that this process sees.
        assert [refused(wire, "one@s.test") for wire in wires] == [True, True, False]
        assert [refused(wire, "two@s.test") for wire in wires[::-1]] == [True, True, False]
        # A plan that is set again counts anew.
        crew.plan(Rule("greylist"))
        assert [refused(wire, "one@s.test") for wire in wires] == [True, False, False]


def test_a_count_is_used_up_by_all_together(crew: Sink) -> None:
    crew.plan(Rule("tempfail", count=5))
    with on_each(crew) as wires, ThreadPoolExecutor(PROCESSES) as pool:

        def try_all(wire: Wire) -> int:
            return sum(refused(wire, f"{number}@s.test") for number in range(20))

        assert sum(pool.map(try_all, wires)) == 5


def test_a_plan_and_a_phase_are_in_force_everywhere_when_they_are_answered(crew: Sink) -> None:
    always, in_storm = Rule("tempfail"), Rule("tempfail", phase="storm")
    with on_each(crew) as wires:
        for number in range(10):
            to = f"{number}@s.test"
            crew.plan(always)
            assert all(refused(wire, to) for wire in wires)
            assert crew.http("DELETE", "/plan")[0] == 200
            assert not any(refused(wire, to) for wire in wires)
        crew.plan(in_storm)
        assert not any(refused(wire, "x@s.test") for wire in wires)
        assert crew.http("PUT", "/phase", {"phase": "storm"}) == (200, {"phase": "storm"})
        assert all(refused(wire, "x@s.test") for wire in wires)
        assert crew.http("PUT", "/plan", {"rules": [{"fault": "no_such"}]})[0] == 422
        assert all(refused(wire, "x@s.test") for wire in wires)
    faults = crew.counters()["faults"]
    assert faults["tempfail"] == sum(one["fault"] == "tempfail" for one in crew.records("fault"))


def test_events_tell_of_mails_of_all(crew: Sink) -> None:
    assert crew.http("DELETE", "/plan")[0] == 200
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{crew.control_port}/events", timeout=LIMIT_S) as events:
        for number in range(5):
            crew.send(f"run-1-{number:06}")
        told = []
        while len(told) < 5:
            line = events.readline()
            if line.startswith(b"data: "):
                told.append(json.loads(line[6:])["key"])
    assert sorted(told) == [f"run-1-{number:06}" for number in range(5)]


def test_a_worker_that_dies_ends_the_sink_and_no_mail_is_lost(start_sink) -> None:
    sink = start_sink(*CREW)
    victim, *others = workers(sink)
    acknowledged: list[str] = []

    def flood(thread: int) -> None:
        for number in range(10_000):
            key = f"run-1-{thread}{number:05}"
            try:
                sink.send(key)
            except (smtplib.SMTPException, OSError):
                return
            acknowledged.append(key)
            if len(acknowledged) == 60:
                os.kill(victim, signal.SIGKILL)

    threads = [threading.Thread(target=flood, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    assert sink.process.wait(LIMIT_S) == 3
    for thread in threads:
        thread.join()
    code, errors = sink.stop()
    assert code == 3
    assert re.fullmatch(rf"fake_smtp: stopped, worker 1 \(pid {victim}\) was ended by SIGKILL.*\n", errors)
    until_gone(others)
    found = read(sink.out / DELIVERIES)
    assert not found.problems
    assert set(acknowledged) <= {one["key"] for one in found.records if one["event"] == "stored"}
    stopped = {one["pid"] for one in found.records if one["event"] == "sink_stop"}
    assert stopped == {sink.process.pid, *others}


def test_workers_do_not_outlive_the_sink_and_the_next_one_goes_on(start_sink, tmp_path: Path) -> None:
    out = tmp_path / "shared"
    first = start_sink(*CREW, out=out)
    pids = workers(first)
    for number in range(6):
        first.send(f"run-1-{number:06}")
    first.plan(Rule("greylist"))
    with on_each(first) as wires:
        assert refused(wires[0], "t@s.test")
        first.stop(signal.SIGKILL)
        # At once: it is for the next sink to see that nobody writes there any more.
        second = start_sink("--processes", "2", "--smtp-port", str(first.smtp_port), out=out)
        assert all(wire.ended() for wire in wires)
    until_gone(pids)
    ended = {one["pid"] for one in second.records("session_end") if one["how"] == "shutdown"}
    assert ended == set(pids), "each cut its open session, and wrote it down"
    for number in range(6, 16):
        second.send(f"run-1-{number:06}")
    for number in range(16):
        copies = second.http("GET", f"/receipts/job-run-1-{number:06}@client.test")[1]["copies"]
        assert copies == 1, number
    mails = [one["mail"] for one in second.records("stored")]
    assert (len(mails), len(set(mails))) == (16, 16)
    sessions = [one["session"] for one in second.records("session_begin")]
    assert len(set(sessions)) == len(sessions)
    assert second.stop() == (0, "")
    assert not read(out / DELIVERIES).problems
    # One process alone reads what many have written.
    alone = Capture(out, "run-1")
    assert alone.copies("job-run-1-000003@client.test") == 1
    for entry in alone.index.some(mails):
        assert alone.raw(entry) == mail(entry.key or "")
    assert alone.newest == max(mails)
    alone.close()


def test_a_signal_to_the_whole_group_is_an_orderly_stop(start_sink) -> None:
    sink = start_sink(*CREW, start_new_session=True)
    with on_each(sink) as wires:
        os.killpg(sink.process.pid, signal.SIGINT)
        assert all(wire.ended() for wire in wires)
        assert sink.process.wait(LIMIT_S) == 0
    assert sink.stop() == (0, "")
    check_evidence(sink.out)


def test_a_full_disk_stops_all_before_they_promise_anything(start_sink) -> None:
    """A limit on file size stands for the full disk."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    sink = start_sink(*CREW, preexec_fn=limit)
    acknowledged = []
    with suppress(smtplib.SMTPException, OSError):
        for number in range(1000):
            sink.send(f"run-1-{number:06}")
            acknowledged.append(f"run-1-{number:06}")
    assert sink.process.wait(LIMIT_S) == 3
    assert "evidence cannot be written" in sink.stop()[1]
    assert acknowledged
    assert set(acknowledged) <= {one["key"] for one in sink.records("stored")}


def test_tls_in_every_worker(start_sink) -> None:
    sink = start_sink(*CREW, "--tls", "--loop", "asyncio")
    for number in range(20):
        sink.send(f"run-1-{number:06}")
    assert {one["pid"] for one in sink.records("stored")} == set(workers(sink))


def test_both_copies_of_a_mail_get_their_reply_record(crew: Sink) -> None:
    crew.plan(Rule("store_twice"))
    crew.send("twice")
    stored = [one for one in crew.records("stored") if one["key"] == "twice"]
    session = stored[0]["session"]
    crew.until("session_end", session=session)
    replies = [one["mail"] for one in crew.records("reply") if one["session"] == session]
    assert sorted(replies) == sorted(one["mail"] for one in stored)
    assert crew.http("DELETE", "/plan")[0] == 200


def test_a_port_of_another_crew_is_taken(crew: Sink, tmp_path: Path) -> None:
    code, words = _refused("--out", str(tmp_path / "x"), *CREW, "--smtp-port", str(crew.smtp_port))
    assert code == 3
    assert "in use" in words
    assert "another port" in words


def test_a_folder_of_another_crew_is_in_use(crew: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    # Otherwise it waits, as for workers that have not yet noticed that their sink is dead.
    monkeypatch.setattr("fake_smtp.place._LOCK_LIMIT_S", 0.0)
    with pytest.raises(FolderInUseError, match="another sink"):
        Crew(parse(["--out", str(crew.out), *CREW]))


def test_a_control_port_that_is_taken_leaves_no_worker(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options = ("--control-port", str(taken.getsockname()[1]))
        code, words = _refused("--out", str(tmp_path / "x"), *CREW, *options)
    assert code == 3
    assert "in use" in words
    # Nobody holds the folder.
    Capture(tmp_path / "x", "run-1").close()


@pytest.mark.parametrize("processes", ["0", "-1", "two", "1000"])
def test_numbers_of_processes_that_cannot_be(processes: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="64"):
        parse(["--out", "x", "--processes", processes])
    assert "from 1 to" in capsys.readouterr().err


def test_a_platform_where_a_port_cannot_be_shared(monkeypatch, capsys) -> None:
    monkeypatch.delattr(socket, "SO_REUSEPORT")
    assert parse(["--out", "x", "--processes", "1"]).processes == 1
    with pytest.raises(SystemExit, match="64"):
        parse(["--out", "x", "--processes", "2"])
    assert "SO_REUSEPORT" in capsys.readouterr().err


def test_nothing_is_left_in_the_temporary_folder(tmp_path: Path, start_sink, monkeypatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    for number in (signal.SIGTERM, signal.SIGKILL):
        sink = start_sink("--processes", "2", "--plan", str(greylist(tmp_path)))
        pids = workers(sink)
        with sink.client() as client, pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail("f@c.test", "t@s.test", mail("k"))
        assert list((tmp_path / "tmp").glob("*/*"))
        sink.stop(number)
        until_gone(pids)
        assert not list((tmp_path / "tmp").iterdir())


def greylist(folder: Path) -> Path:
    path = folder / "plan.json"
    path.write_text(json.dumps({"rules": [{"fault": "greylist"}]}))
    return path


def test_the_login_is_the_same_everywhere(crew: Sink) -> None:
    for _ in range(6):
        with crew.client(login=False) as client:
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login(USER, PASSWORD + "x")
            client.login(USER, PASSWORD)


def test_nobody_hears_that_a_mail_is_not_stored_while_a_worker_stands_still(crew: Sink) -> None:
    """It may be just about to store it; no answer means "cannot say"."""
    url = f"http://127.0.0.1:{crew.control_port}/receipts/nobody@client.test"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    paused = workers(crew)[-1]
    os.kill(paused, signal.SIGSTOP)
    try:
        with pytest.raises(TimeoutError):
            opener.open(url, timeout=0.5)
    finally:
        os.kill(paused, signal.SIGCONT)
    with opener.open(url, timeout=LIMIT_S) as answer:
        assert json.loads(answer.read())["stored"] is False
