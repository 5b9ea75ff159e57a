"""The real sink as a process, smtplib and HTTP to talk to it, and a check of its evidence afterwards."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest

from fake_smtp.options import CA_FILE
from fake_smtp.plan import Plan, Rule
from reports.evidence import DELIVERIES, content_digest, read

USER, PASSWORD = "user", "secret"
LIMIT_S = 15
SUBJECT, BODY = "Your order", "It has shipped.\n.hidden dot\n\nBye\n"
DIGEST = content_digest(SUBJECT, BODY)


class Sink:
    """One sink process and its folder."""

    def __init__(self, out: Path, *options: str, run: str = "run-1", **popen: Any) -> None:
        self.out = out
        self.tls = "--tls" in options
        self._ended: tuple[int, str] | None = None
        argv = [
            sys.executable,
            "-m",
            "fake_smtp",
            "--out",
            str(out),
            "--run",
            run,
            "--username",
            USER,
            *options,
        ]
        environment = {**os.environ, "FAKE_SMTP_PASSWORD": PASSWORD}
        self.process = subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **popen
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        ready = json.loads(line)
        self.smtp_port, self.control_port = ready["smtp_port"], ready["control_port"]
        assert ready["pid"] == self.process.pid

    # --- SMTP

    @contextmanager
    def client(self, login: bool = True, patience_s: float = LIMIT_S) -> Iterator[smtplib.SMTP]:
        client = smtplib.SMTP("127.0.0.1", self.smtp_port, local_hostname="client.test", timeout=patience_s)
        try:
            client.ehlo_or_helo_if_needed()
            if self.tls:
                client.starttls(context=ssl.create_default_context(cafile=self.out / CA_FILE))
            if login:
                client.login(USER, PASSWORD)
            yield client
        finally:
            client.close()

    def send(self, key: str = "run-1-000001", attempt: int = 1, patience_s: float = LIMIT_S) -> None:
        """Connect, log in, send one mail and say goodbye, as a plain client would."""
        with self.client(patience_s=patience_s) as client:
            client.sendmail("from@client.test", f"{key}@sink.test", mail(key, attempt))
            client.quit()

    @contextmanager
    def wire(self, upto_data: bool = False) -> Iterator[Wire]:
        with socket.create_connection(("127.0.0.1", self.smtp_port), timeout=LIMIT_S) as sock:
            wire = Wire(sock)
            try:
                wire.expect(b"220")
                wire.say(b"EHLO client.test\r\n", b"250")
                wire.say(b"AUTH PLAIN AHVzZXIAc2VjcmV0\r\n", b"235")
                if upto_data:
                    wire.say(b"MAIL FROM:<a@b.test>\r\n", b"250")
                    wire.say(b"RCPT TO:<c@d.test>\r\n", b"250")
                    wire.say(b"DATA\r\n", b"354")
                yield wire
            finally:
                wire.file.close()

    # --- control

    def http(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.control_port}{path}", data, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=LIMIT_S) as response:
                status, content = response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                status, content = error.code, error.read()
        try:
            return status, json.loads(content)
        except ValueError:
            return status, content.decode()

    def plan(self, *rules: Rule, seed: int = 1) -> None:
        plan = Plan(seed, rules).to_json()
        assert self.http("PUT", "/plan", plan) == (200, plan)

    def counters(self) -> dict[str, Any]:
        return self.http("GET", "/counters")[1]

    # --- evidence

    def records(self, *events: str) -> list[dict[str, Any]]:
        found = read(self.out / DELIVERIES)
        return [record for record in found.records if not events or record["event"] in events]

    def until(self, event: str, count: int = 1, **fields: Any) -> dict[str, Any]:
        """Wait for the count-th record of that kind and return it."""
        deadline = time.monotonic() + LIMIT_S
        while True:
            found = [one for one in self.records(event) if fields.items() <= one.items()]
            if len(found) >= count:
                return found[count - 1]
            assert time.monotonic() < deadline, f"no {event} {fields} in {self.records()}"
            time.sleep(0.01)

    def raw(self, stored: dict[str, Any]) -> bytes:
        content = (self.out / "mails.raw").read_bytes()
        return content[stored["raw_at"] : stored["raw_at"] + stored["size"]]

    # --- process

    def send_signal(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """End the process; return its exit code and what it said on stderr. Once more: the same."""
        if self._ended is not None:
            return self._ended
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            errors = self.process.communicate(timeout=LIMIT_S)[1]
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        self._ended = (self.process.returncode, errors)
        return self._ended


class Wire:
    """A bare socket, for what smtplib would not do."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.file = sock.makefile("rb")

    def expect(self, code: bytes) -> bytes:
        while True:
            line = self.file.readline()
            assert line.startswith(code), line
            if line[3:4] == b" ":
                return line

    def say(self, data: bytes, code: bytes) -> bytes:
        self.sock.sendall(data)
        return self.expect(code)

    def ended(self) -> bool:
        """Wait for the end of the connection; False when the sink says something first."""
        try:
            return self.file.readline() == b""
        except ConnectionResetError:
            return True


def mail(key: str, attempt: int = 1, subject: str = SUBJECT, body: str = BODY) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"] = "from@client.test"
    message["To"] = f"{key}@sink.test"
    message["Subject"] = subject
    message["Message-ID"] = f"<job-{key}@client.test>"
    message["X-Job-Key"] = key
    message["X-Job-Id"] = f"job-{key}"
    message["X-Attempt"] = str(attempt)
    message["X-Worker"] = "host:7"
    message["X-Hint"] = "task-1 redelivered"
    message.set_content(body)
    return bytes(message)


def check_evidence(out: Path) -> None:
    """Hold what is true of every run that was stopped in order."""
    found = read(out / DELIVERIES)
    assert not found.problems
    count = Counter(record["event"] for record in found.records)
    mails = {
        event: [one["mail"] for one in found.records if one["event"] == event]
        for event in ("stored", "reply")
    }
    assert sorted(mails["stored"]) == sorted(mails["reply"]), "one reply for each stored"
    assert len(set(mails["stored"])) == len(mails["stored"])
    begun = [one["session"] for one in found.records if one["event"] == "session_begin"]
    ended = [one["session"] for one in found.records if one["event"] == "session_end"]
    assert sorted(begun) == sorted(ended), "one end for each session"
    assert len(set(begun)) == len(begun)
    own: dict[int, list[str]] = defaultdict(list)
    for one in found.records:
        own[one.get("session", 0)].append(one["event"])
    for session in begun:
        assert own[session][0] == "session_begin"
        assert own[session][-1] == "session_end"
    # Every 354 ends in a mail, a refusal or an abort, or in a lie.
    data = Counter(
        one["event"] for one in found.records if one.get("stage") in ("data", "dot") or "mail" in one
    )
    lost = sum(one["event"] == "fault" and one["fault"] == "lose" for one in found.records)
    assert count["data_begin"] <= count["stored"] + data["refused"] + count["aborted"] + lost
    assert found.records[-1]["event"] == "sink_stop"


@pytest.fixture
def start_sink(tmp_path: Path) -> Iterator[Callable[..., Sink]]:
    """Start sinks; each is stopped after the test, and its evidence checked unless the test killed it."""
    started: list[Sink] = []

    def start(*options: str, out: Path | None = None, **more: Any) -> Sink:
        sink = Sink(out or tmp_path / f"out-{len(started)}", *options, **more)
        started.append(sink)
        return sink

    yield start
    # Stop them all before judging any, so that a failed check leaves no process behind.
    by_test = [sink.process.returncode is not None for sink in started]
    ends = [sink.stop() for sink in started]
    for sink, (code, errors), killed in zip(started, ends, by_test, strict=True):
        assert killed or (code, errors) == (0, "")
        if code == 0:
            check_evidence(sink.out)


@pytest.fixture(scope="module")
def shared_sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sink]:
    """One sink for all tests of a file that store nothing."""
    sink = Sink(tmp_path_factory.mktemp("shared"))
    yield sink
    assert sink.stop() == (0, "")
    check_evidence(sink.out)


@pytest.fixture
def sink(start_sink: Callable[..., Sink]) -> Sink:
    """A sink with the usual options."""
    return start_sink()
