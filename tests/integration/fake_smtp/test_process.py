"""The process: killed in a flood, started again, refused its port, folder or disk."""

from __future__ import annotations

import contextlib
import itertools
import random
import resource
import signal
import smtplib
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fake_smtp.options import parse
from reports.evidence import DELIVERIES, read
from tests.integration.fake_smtp.conftest import Sink, mail

SENDERS = 4


def flood_until_killed(sink: Sink, first: int, enough: int) -> list[str]:
    """Send from several connections, SIGKILL the sink after `enough`; return the keys that got a 250."""
    acknowledged: list[str] = []
    numbers, reached = itertools.count(first), threading.Event()

    def flood() -> None:
        with sink.client() as client:
            while True:
                key = f"run-1-{next(numbers):06}"
                try:
                    client.sendmail("f@c.test", "t@s.test", mail(key))
                except (smtplib.SMTPException, OSError):
                    return
                acknowledged.append(key)
                if len(acknowledged) >= enough:
                    reached.set()

    threads = [threading.Thread(target=flood) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    assert reached.wait(60)
    sink.stop(signal.SIGKILL)
    for thread in threads:
        thread.join()
    return acknowledged


@pytest.mark.parametrize(
    ("kills", "mails"), [(2, 400), pytest.param(10, 20_000, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_every_acknowledged_mail_survives_sigkill_in_a_flood(
    start_sink, tmp_path: Path, kills: int, mails: int
) -> None:
    moments = random.Random(kills)
    acknowledged: list[str] = []
    while kills:
        enough = int((mails - len(acknowledged)) / kills * (1 if kills == 1 else moments.uniform(0.3, 1.7)))
        sink = start_sink(out=tmp_path / "shared")
        acknowledged += flood_until_killed(sink, first=kills * 100_000, enough=enough)
        kills -= 1
    found = read(sink.out / DELIVERIES)
    assert not found.problems
    stored = {one["key"]: one for one in found.records if one["event"] == "stored"}
    assert len(acknowledged) >= mails
    assert set(acknowledged) <= set(stored)
    raw = (sink.out / "mails.raw").read_bytes()
    for one in stored.values():
        assert raw[one["raw_at"] : one["raw_at"] + one["size"]] == mail(one["key"])
    assert len({one["mail"] for one in stored.values()}) == len(stored)


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


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (None, "No such file"),
        ("{", "not JSON"),
        ('{"rules": [{"fault": "nonsense"}]}', "rule 0: unknown fault"),
    ],
)
def test_a_plan_that_cannot_be_obeyed(text: str | None, word: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    if text is not None:
        file.write_text(text)
    code, words = _refused("--out", str(tmp_path / "x"), "--plan", str(file))
    assert code == 64
    assert str(file) in words
    assert word in words


def test_a_plan_from_a_file_is_in_force_from_the_first_mail(start_sink, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text('{"seed": 3, "rules": [{"fault": "greylist"}]}')
    sink = start_sink("--plan", str(tmp_path / "plan.json"))
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        sink.send()
    sink.send()
    assert sink.records("plan")[0]["plan"] == sink.http("GET", "/plan")[1]
    assert len(sink.records("stored")) == 1


def test_options_come_from_the_environment_and_argv_wins(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_SMTP_OUT", str(tmp_path))
    monkeypatch.setenv("FAKE_SMTP_DATA_LIMIT_S", "7")
    monkeypatch.setenv("FAKE_SMTP_LATENCY_S", "1")
    options = parse(["--latency-s", "2"])
    assert (options.out, options.data_limit_s, options.latency_s) == (tmp_path, 7.0, 2.0)
    monkeypatch.setenv("FAKE_SMTP_DATA_LIMIT_S", "soon")
    with pytest.raises(SystemExit, match="64"):
        parse([])


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
