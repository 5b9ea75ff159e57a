"""The Python client and the process that it starts, against a real sink."""

from __future__ import annotations

import os
import signal
import smtplib
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from fake_smtp import client
from fake_smtp import process as starting
from fake_smtp.client import MailSink, SinkClient, SinkError, SinkProcess
from fake_smtp.plan import Plan, Rule
from tests.integration.fake_smtp.conftest import BODY, SUBJECT, mail


@pytest.fixture(scope="module")
def process() -> Iterator[SinkProcess]:
    with SinkProcess() as process:
        yield process


@pytest.fixture
def sink(process: SinkProcess) -> MailSink:
    sink = MailSink(process)
    sink.reset()
    return sink


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made during this test."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def send(sink: MailSink | SinkProcess, *keys: str) -> None:
    with smtplib.SMTP(sink.smtp_host, sink.smtp_port, timeout=10) as smtp:
        for key in keys:
            smtp.sendmail("from@client.test", f"{key}@sink.test", mail(key))


# --- process


def test_a_login_is_required_and_not_in_argv_and_the_folder_given_stays(
    temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Meant for another sink; this one could not even start with them.
    monkeypatch.setenv("FAKE_SMTP_SMTP_PORT", "no port")
    monkeypatch.setenv("FAKE_SMTP_PASSWORD", "another")
    # A project with a package of the same name as one of ours.
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/__init__.py").write_text("raise ImportError")
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    with SinkProcess(out, username="-user", password="hush-hush") as started:
        assert "hush-hush" not in " ".join(psutil.Process(started.pid).cmdline())
        with smtplib.SMTP(started.smtp_host, started.smtp_port, timeout=10) as smtp:
            with pytest.raises(smtplib.SMTPSenderRefused):
                smtp.sendmail("f@c.test", "t@s.test", mail("a"))
            smtp.login("-user", "hush-hush")
            smtp.sendmail("f@c.test", "t@s.test", mail("a"))
    assert not psutil.pid_exists(started.pid)
    assert started.out == out
    assert b"sink_stop" in (out / "deliveries.jsonl").read_bytes()
    assert not list(temporary.iterdir())


def test_a_sink_that_cannot_start_says_why_and_leaves_nothing(temporary: Path) -> None:
    before = psutil.Process().children()
    with pytest.raises(SinkError, match=r"exit code 64.*'x' is not a port"):
        SinkProcess(options=["--smtp-port", "x"]).__enter__()
    assert set(psutil.Process().children()) <= set(before)
    assert not list(temporary.iterdir())


def test_a_sink_that_is_not_ready_in_time_is_ended(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "START_LIMIT_S", 0.01)
    before = psutil.Process().children()
    with pytest.raises(SinkError, match=r"not ready within 0\.01 s"):
        SinkProcess().__enter__()
    assert set(psutil.Process().children()) <= set(before)
    assert not list(temporary.iterdir())


def test_after_an_exception_a_process_is_gone_even_a_stuck_one_and_so_is_its_folder(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "STOP_LIMIT_S", 0.1)
    with pytest.raises(ZeroDivisionError), SinkProcess() as stuck:
        assert stuck.out.parent == temporary
        assert (stuck.out / "deliveries.jsonl").exists()
        os.kill(stuck.pid, signal.SIGSTOP)
        with pytest.raises(SinkError, match=r"no answer within 0\.1 s"):
            SinkClient(stuck.control_url, timeout_s=0.1).counters()
        raise ZeroDivisionError
    assert not psutil.pid_exists(stuck.pid)
    assert not list(temporary.iterdir())
    with pytest.raises(SinkError, match=f"{stuck.control_url}/counters: nobody answers"):
        SinkClient(stuck.control_url).counters()


def test_a_process_ends_with_a_parent_that_is_killed(tmp_path: Path, until) -> None:
    parent = f"""
import os, pathlib, signal
from fake_smtp.client import SinkProcess
with SinkProcess(pathlib.Path({str(tmp_path)!r})) as sink:
    print(sink.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    said = subprocess.run([sys.executable, "-c", parent], stdout=subprocess.PIPE, timeout=30, check=False)
    assert said.returncode == -signal.SIGKILL
    until(lambda: b"sink_stop" in (tmp_path / "deliveries.jsonl").read_bytes(), what="an orderly stop")
    sink = int(said.stdout)
    # Where nobody collects orphans it stays as a zombie.
    gone = lambda: not psutil.pid_exists(sink) or psutil.Process(sink).status() == psutil.STATUS_ZOMBIE  # noqa: E731
    until(gone, what="the end of the sink")


def test_half_a_login_is_refused() -> None:
    with pytest.raises(ValueError, match="go together"):
        SinkProcess(username="user")


# --- inbox


def test_mails_are_found_and_shown(sink: MailSink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setattr(client, "_PAGE", 2)
    send(sink, "a", "b", "c")
    numbers = [one["mail"] for one in sink.mails()]
    assert [one["key"] for one in sink.mails()] == ["c", "b", "a"]
    assert [one["key"] for one in sink.mails(limit=1)] == ["c"]
    assert [one["mail"] for one in sink.mails(recipient="B@", subject=None)] == [numbers[1]]
    assert sink.mail(numbers[0])["text"].splitlines() == BODY.splitlines()
    assert sink.raw(numbers[0]) == mail("c")
    assert sink.message(numbers[2])["To"].addresses[0].username == "a"
    assert sink.receipt("<job-a@client.test>")["stored"] is True
    assert sink.receipt("a/../b?c#d@client.test") == {
        "message_id": "a/../b?c#d@client.test",
        "stored": False,
        "copies": 0,
    }
    assert (sink.clear(), sink.mails()) == (3, [])


def test_wait_for_sees_a_late_mail_and_says_what_was_there_instead(sink: MailSink) -> None:
    sender = threading.Timer(0.1, send, (sink, "late"))
    sender.start()
    assert [one["key"] for one in sink.wait_for(key="late")] == ["late"]
    sender.join()
    sink.set_plan([Rule("greylist", params={"tries": 2})])
    with pytest.raises(TimeoutError) as caught:
        sink.wait_for(2, timeout_s=0.05, subject="order", sender="from@")
    words = str(caught.value)
    assert words.startswith("after 0.05 s 1 of 2 mails subject='order' sender='from@'\n1 mails in the inbox")
    assert f" key late, to late@sink.test: {SUBJECT!r}" in words
    assert '"fault": "greylist"' in words


def test_the_report_of_a_full_inbox_is_short(sink: MailSink) -> None:
    send(sink, *(f"k{number}" for number in range(23)))
    lines = sink.report().splitlines()
    assert lines[0] == "23 mails in the inbox, the last ones first:"
    assert " key k22, " in lines[1]
    assert lines[-2:] == ["  and 3 earlier ones", "no plan in force: an honest server"]
    assert len(lines) == 23


def test_verify_says_what_differs(sink: MailSink) -> None:
    send(sink, "a", "b", "b", "c", "d")
    right = {"key": "a", "subject": SUBJECT, "text": BODY}
    found = sink.verify([right, "b", {"key": "c", "subject": SUBJECT, "text": "other"}, "e"])
    assert str(found) == "1 missing: e; 1 duplicated: b (2 copies); 1 unexpected: d; 1 corrupted: c"
    assert (found.ok, bool(found)) == (False, False)
    many = sink.verify(f"x{number:02}" for number in range(23))
    assert "23 missing: x00, x01, " in str(many)
    assert ", x19 and 3 more; 4 unexpected: a, b, c, d" in str(many)
    sink.clear()
    send(sink, "a")
    found = sink.verify([right])
    assert found
    assert str(found) == "every expected mail is there exactly once, and no other"


# --- plan


def test_a_fault_holds_for_its_block_and_is_gone_also_after_an_exception(sink: MailSink) -> None:
    with pytest.raises(smtplib.SMTPDataError), sink.fault("tempfail", stage="dot", code=452):
        send(sink, "a")
    send(sink, "b")
    assert sink.verify(["b"]), sink.report()
    assert sink.counted["faults"]["tempfail"] == 1
    with pytest.raises(SinkError, match=r"422: .*no_such"), sink.fault("no_such"):
        pytest.fail("the block must not run")


@pytest.mark.parametrize(
    "plan",
    [
        Plan(3, (Rule("noop", count=2),)),
        {"seed": 3, "rules": [{"fault": "noop", "count": 2}]},
        [Rule("noop", count=2)],
        [{"fault": "noop", "count": 2}],
    ],
    ids=["plan", "dict", "rules", "dicts"],
)
def test_a_plan_may_come_in_many_shapes(sink: MailSink, plan: object) -> None:
    sink.set_plan(plan)
    in_force = requests.get(f"{sink.control_url}/plan", timeout=5).json()
    assert in_force["rules"] == [Rule("noop", count=2).to_json()]
    assert in_force["seed"] == (0 if isinstance(plan, list) else 3)


def test_reset_makes_the_sink_like_new(sink: MailSink) -> None:
    sink.set_phase("flood")
    sink.set_plan([Rule("noop", phase="flood")])
    send(sink, "a")
    assert (sink.counted["stored"], sink.counted["faults"]["noop"]) == (1, 1)
    sink.reset()
    sink.set_plan([Rule("noop", phase="flood")])
    send(sink, "b")
    assert (sink.counted["stored"], sink.counted["faults"]["noop"]) == (1, 0)
    assert sink.counters()["stored"] >= 2
    assert sink.verify(["b"])
    with smtplib.SMTP(sink.smtp_host, sink.smtp_port, timeout=10):
        sink.reset()
        assert (sink.counted["sessions"], sink.counted["open_sessions"]) == (0, 1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda sink: sink.mail(999_999), "404: there is no such mail"),
        (lambda sink: sink.mails(kee="a"), "422: unknown parameter 'kee'"),
        (lambda sink: sink.verify([]), "no data proves nothing"),
        (lambda sink: sink.verify("key"), "'expected', a list"),
        (lambda sink: sink.set_plan([Rule("noop", probability=2)]), "rule 0: 'probability'"),
        (lambda sink: sink.set_plan([Rule("noop", params={"x": float("nan")})]), "JSON"),
        (lambda sink: sink.set_phase(""), "must be a name"),
    ],
)
def test_a_refusal_has_the_words_of_the_sink(sink: MailSink, call, words: str) -> None:
    with pytest.raises(SinkError, match=words):
        call(sink)
