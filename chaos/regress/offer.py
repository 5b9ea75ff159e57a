"""Offers mails in bursts and one by one, when it is told to, and writes it down as any load does.

Called by a side's slots. A closed load without Locust, because a slot begins when the one before it has
come to rest, which no schedule knows. Never asks again: an answer other than 202 stays an unknown outcome.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from reports import evidence

CONNECTIONS = 4
LIMIT_S = 10.0
# Mails of one size, the same on both sides: what differs from mail to mail would only be noise.
SUBJECT = "A mail to measure with"
BODY = "The quick brown fox jumps over the lazy dog, and nobody minds.\n" * 7
Between = Callable[["Sent"], None]


@dataclass(frozen=True)
class Sent:
    """One submission: its key, when it was sent (monotonic ns), and the answer's time in seconds if a 202."""

    key: str
    due_ns: int
    took_s: float | None


class Offer:
    """The load of one side; `address` is HOST:PORT of its API."""

    def __init__(self, folder: Path, run: str, seed: int, address: str) -> None:
        self._run = run
        self._address = address
        self._next = 0
        self._records = evidence.Appender(folder / evidence.SUBMISSIONS, run, "load")
        self._records.append(
            "load_start", rate_per_s=0.0, seed=seed, target=f"http://{address}", schedule="bursts on request"
        )

    def burst(self, mails: int) -> list[Sent]:
        """Send so many mails as fast as a few connections can."""
        numbers = self._numbers(mails)
        shares = [numbers[first::CONNECTIONS] for first in range(CONNECTIONS)]
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            return [sent for share in pool.map(self._series, shares) for sent in share]

    def one_by_one(self, mails: int, between: Between) -> list[Sent]:
        """Send so many mails over one connection; `between` waits for whatever must have happened."""
        return self._series(self._numbers(mails), between)

    def close(self) -> None:
        """Write how much was offered; nothing more can be."""
        self._records.append("load_stop", due=self._next, sent=self._next, max_late_s=0.0, reason="finished")
        self._records.close()

    def _numbers(self, mails: int) -> list[int]:
        first, self._next = self._next, self._next + mails
        return list(range(first, self._next))

    def _series(self, numbers: Sequence[int], between: Between = lambda _: None) -> list[Sent]:
        # A new one for every series: a server may close one that was idle, just when it is used again.
        connection = http.client.HTTPConnection(self._address, timeout=LIMIT_S)
        sent = []
        try:
            for number in numbers:
                sent.append(self._submit(connection, number))
                between(sent[-1])
        finally:
            connection.close()
        return sent

    def _submit(self, connection: http.client.HTTPConnection, number: int) -> Sent:
        key, to = f"{self._run}-{number:06d}", f"u{number:06d}@{self._run}.test"
        body = f"{BODY}{key}\n"
        request = json.dumps({"kind": "email", "to": to, "subject": SUBJECT, "body": body}).encode()
        digest = evidence.content_digest(SUBJECT, body)
        due_ns = time.monotonic_ns()
        self._records.append_later("due", {"key": key, "due_mono_ns": due_ns, "to": to, "digest": digest})
        self._records.append("invoke", **{"key": key, "try": 1, "late_s": 0.0})
        try:
            status, job = _post(connection, key, request)
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            self._unknown(key, None, f"{type(error).__name__}: {error}")
            return Sent(key, due_ns, None)
        took_s = (time.monotonic_ns() - due_ns) / 1e9
        if status != 202:
            self._unknown(key, status, f"HTTP {status}")
            return Sent(key, due_ns, None)
        self._records.append(
            "ok", **{"key": key, "try": 1, "status": status, "id": job, "latency_s": round(took_s, 6)}
        )
        return Sent(key, due_ns, took_s)

    def _unknown(self, key: str, status: int | None, why: str) -> None:
        self._records.append("info", **{"key": key, "try": 1, "status": status, "why": why[:300]})


def _post(connection: http.client.HTTPConnection, key: str, body: bytes) -> tuple[int, str | None]:
    """The answer's status, and the job's id of a 202 that names one."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    connection.request("POST", "/jobs", body, headers)
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != 202:
        return answer.status, None
    job = json.loads(said).get("id")
    return answer.status, job if isinstance(job, str) else None
