"""The process: killed in a flood, started again, refused its port, folder or disk."""

from __future__ import annotations

import contextlib
import resource
import signal
import smtplib
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from reports.evidence import DELIVERIES, read
from tests.integration.fake_smtp.conftest import Sink, mail


def test_every_acknowledged_mail_survives_sigkill_in_a_flood(start_sink) -> None:
    sink = start_sink()
    acknowledged: list[str] = []
    enough = threading.Event()

    def flood(worker: int) -> None:
        number = 0
        with sink.client() as client:
            while True:
                number += 1
                key = f"run-1-{worker}{number:05}"
                try:
                    client.sendmail("f@c.test", "t@s.test", mail(key))
                except (smtplib.SMTPException, OSError):
                    return
                acknowledged.append(key)
                if len(acknowledged) >= 200:
                    enough.set()

    threads = [threading.Thread(target=flood, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    assert enough.wait(30)
    sink.stop(signal.SIGKILL)
    for thread in threads:
        thread.join()
    found = read(sink.out / DELIVERIES)
    assert not found.problems
    stored = {one["key"]: one for one in found.records if one["event"] == "stored"}
    assert set(acknowledged) <= set(stored)
    assert all(sink.raw(stored[key]) == mail(key) for key in acknowledged)


def test_a_sink_started_again_goes_on_where_the_killed_one_stopped(start_sink, tmp_path: Path) -> None:
    first = start_sink(out=tmp_path / "shared")
    first.send("run-1-000001")
    first.stop(signal.SIGKILL)
    second = start_sink(out=tmp_path / "shared")
    receipt = second.http("GET", "/receipts/job-run-1-000001@client.test")[1]
    assert (receipt["stored"], receipt["copies"]) == (True, 1)
    second.send("run-1-000002")
    one, two = second.records("stored")
    assert one["mail"] != two["mail"]
    assert one["session"] != two["session"]
    assert second.raw(two) == mail("run-1-000002")
    assert not read(second.out / DELIVERIES).problems
    # Killed too: the folder has open ends from the first one, and is not that of an orderly run.
    second.stop(signal.SIGKILL)


def test_a_torn_last_line_does_not_swallow_the_next_record(start_sink, tmp_path: Path) -> None:
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / DELIVERIES).write_bytes(b'{"event":"stored","session":3')
    sink = start_sink(out=tmp_path / "torn")
    assert sink.until("sink_start")["seq"] == 0
    sink.stop(signal.SIGKILL)


def _refused(*options: str) -> tuple[int, str]:
    argv = [sys.executable, "-m", "fake_smtp", *options]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize("which", ["--smtp-port", "--control-port"])
def test_a_taken_port(tmp_path: Path, which: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, words = _refused("--out", str(tmp_path / "x"), which, str(port))
    assert code == 3
    assert str(port) in words
    assert "in use" in words
    assert "another port" in words


def test_an_unusable_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, words = _refused("--out", str(tmp_path / "file" / "x"))
    assert code == 3
    assert str(tmp_path / "file" / "x") in words
    assert "another --out" in words


def test_a_folder_in_use(sink: Sink) -> None:
    code, words = _refused("--out", str(sink.out))
    assert code == 3
    assert "another sink" in words


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--out", "x", "--smtp-port", "70000"),
        ("--out", "x", "--latency-s", "-1"),
        ("--out", "x", "--data-limit-s", "0"),
        ("--out", "x", "--idle-limit-s", "nan"),
        ("--out", "x", "--max-size", "0"),
        ("--out", "x", "--run", "a b"),
        ("--out", "x", "--username", "u"),
        ("--out", "x", "--password", "p"),
        ("--out", "x", "--nonsense"),
    ],
)
def test_wrong_usage(options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FAKE_SMTP_PASSWORD", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.chdir(tmp_path)
    assert _refused(*options)[0] == 64
    assert not list(tmp_path.glob("x"))


def test_a_full_disk_stops_the_sink_before_it_promises_anything(start_sink) -> None:
    """A limit on file size stands for the full disk."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    sink = start_sink(preexec_fn=limit)
    acknowledged = []
    with sink.client() as client, contextlib.suppress(smtplib.SMTPException, OSError):
        for number in range(1000):
            client.sendmail("f@c.test", "t@s.test", mail(f"run-1-{number:06}"))
            acknowledged.append(f"run-1-{number:06}")
    assert sink.process.wait(15) == 3
    code, errors = sink.stop()
    assert code == 3
    assert "evidence cannot be written" in errors
    assert acknowledged
    stored = [record["key"] for record in sink.records("stored")]
    assert set(acknowledged) <= set(stored)
