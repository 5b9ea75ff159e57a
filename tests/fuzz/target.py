"""The sink under attack: a real process, and everything that must stay true of it.

Used by the runner. Every broken promise is a sentence; it never repairs and never forgives.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import smtplib
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random
from typing import Any

import psutil

from reports.evidence import DELIVERIES, read
from tests.integration.fake_smtp.conftest import PASSWORD, USER, check_evidence

HEALTH_LIMIT_S = 2.0  # of work; more for one answer means that the loop is held
IDLE_LIMIT_S = 1.5
_FDS_MORE, _RSS_MORE = 8, 48 * 2**20
_OPTIONS = (
    *("--idle-limit-s", str(IDLE_LIMIT_S), "--data-limit-s", "2", "--max-size", "200000"),
    *("--username", USER, "--run", "fuzz"),
)


class Target:
    """One sink process in `out`, watched from its start to its end."""

    def __init__(self, out: Path, *options: str) -> None:
        self.out, self._said = out, out.with_suffix(".stderr")
        argv = [sys.executable, "-m", "fake_smtp", "--out", str(out), *_OPTIONS, *options]
        environment = {**os.environ, "FAKE_SMTP_PASSWORD": PASSWORD}
        with self._said.open("wb") as stderr:
            self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=stderr, env=environment)
        assert self._process.stdout is not None
        ready = json.loads(self._process.stdout.readline())
        self.smtp_port, self.control_port = ready["smtp_port"], ready["control_port"]
        self._heard = 0
        self._honest = 0
        self._sizes: list[tuple[int, int]] = []
        self._health = _Health(self.control_port, self._process.pid)

    def problems(self) -> list[str]:
        """Say what is wrong since the last time, at any moment."""
        found = self._health.take()
        if self._process.poll() is not None:
            found.append(f"the process is dead: exit code {self._process.returncode}")
        text = self._said.read_bytes()[self._heard :].decode("utf-8", "replace")
        self._heard += len(text.encode())
        if text:
            found.append(f"it wrote on stderr: {text[-1500:]}")
        return found

    def alive(self) -> bool:
        """Tell whether it runs."""
        return self._process.poll() is None

    def put_plan(self, plan: dict[str, Any]) -> None:
        """Put a plan in force, if it can be obeyed (some faults need TLS)."""
        status, answer = self._http("PUT", "/plan", json.dumps(plan).encode())
        assert status in (200, 422), (status, answer)

    def calm(self, rng: Random) -> list[str]:
        """Take the faults away and say what has not gone back to normal; all attackers have left."""
        self._http("DELETE", "/plan")
        deadline = time.monotonic() + IDLE_LIMIT_S + 1
        while (sessions := self._counters()["open_sessions"]) and time.monotonic() < deadline:
            time.sleep(0.02)
        found = [f"{sessions} sessions are still open"] if sessions else []
        found += self._send_honest(rng)
        process = psutil.Process(self._process.pid)
        self._sizes.append((process.num_fds(), process.memory_info().rss))
        return found

    def growth(self) -> list[str]:
        """Compare open files and memory in the last third with the first, both at rest."""
        third = len(self._sizes) // 3
        if not third:
            return []
        early, late = self._sizes[:third], self._sizes[-third:]
        fds = max(fds for fds, _ in late) - max(fds for fds, _ in early)
        rss = max(rss for _, rss in late) - max(rss for _, rss in early)
        found = [f"{fds} more open files than at first"] if fds > _FDS_MORE else []
        return found + ([f"{rss >> 20} MiB more memory than at first"] if rss > _RSS_MORE else [])

    def stop(self) -> list[str]:
        """End it with SIGTERM; say what was wrong with its end and with its evidence."""
        self._health.stop()
        if self.alive():
            self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        found = [one for one in self.problems() if not one.startswith("the process is dead")]
        found += [f"exit code {code}"] if code else []
        found += read(self.out / DELIVERIES).problems
        try:
            check_evidence(self.out)
        except AssertionError as error:
            found.append(f"evidence: {str(error)[:1000] or repr(error)}")
        return found

    def state(self) -> str:
        """Tell the numbers."""
        fds, rss = self._sizes[-1] if self._sizes else (0, 0)
        return f"{fds} files, {rss >> 20} MiB, slowest health {self._health.slowest_s:.2f} s"

    def _send_honest(self, rng: Random) -> list[str]:
        """Send a mail as a plain client does; say how it differs from what is stored."""
        self._honest += 1
        key = f"honest-{self._honest}"
        body = bytes(rng.choice(b"ab.\xe4\0 \t") for _ in range(rng.choice((0, 10, 5000))))
        lines = b"\r\n".join(body[at : at + 60] for at in range(0, len(body), 60))
        raw = b"Subject: honest\r\nX-Job-Key: %b\r\n\r\n" % key.encode() + lines + b"\r\n"
        try:
            with smtplib.SMTP("127.0.0.1", self.smtp_port, "client.test", timeout=5) as client:
                client.login(USER, PASSWORD)
                client.sendmail("a@b.test", "c@d.test", raw)
        except (OSError, smtplib.SMTPException) as error:
            return [f"an honest mail did not get through: {error!r}"]
        mails = self._json("GET", f"/mails?key={key}")["mails"]
        stored = [self._http("GET", f"/mails/{mail['mail']}/raw")[1] for mail in mails]
        return [] if stored == [raw] else [f"an honest mail is stored as {stored!r}, not once as {raw!r}"]

    def _counters(self) -> Any:
        return self._json("GET", "/counters")

    def _json(self, method: str, path: str) -> Any:
        return json.loads(self._http(method, path)[1])

    def _http(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        return ask(self.control_port, method, path, body)


def ask(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Ask the control API over a connection of its own. Raises OSError and HTTPException."""
    connection: http.client.HTTPConnection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class _Health:
    """Asks for /health all the time, from a thread of its own."""

    def __init__(self, port: int, pid: int) -> None:
        self.slowest_s = 0.0
        self._port = port
        self._sink = psutil.Process(pid)
        self._problems: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def take(self) -> list[str]:
        found, self._problems = self._problems, []
        return found

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            begun, worked_s = time.monotonic(), self._worked_s()
            try:
                status = ask(self._port, "GET", "/health")[0]
            except (OSError, http.client.HTTPException) as error:
                self._problems.append(f"/health: {error!r}")
                continue
            took_s = time.monotonic() - begun
            self.slowest_s = max(took_s, self.slowest_s)
            # Not the time: a sink that a busy machine kept waiting is not held up by what it was sent.
            worked_s = self._worked_s() - worked_s
            if worked_s > HEALTH_LIMIT_S or status != 200:
                self._problems.append(f"/health: {status} after {took_s:.1f} s, {worked_s:.1f} s of work")

    def _worked_s(self) -> float:
        """CPU seconds that the sink has used, 0 when it is gone (which others notice)."""
        try:
            return sum(self._sink.cpu_times()[:2])
        except psutil.NoSuchProcess:
            return 0.0
