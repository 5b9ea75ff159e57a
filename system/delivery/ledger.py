"""The ledger: every transition of a job, as one atomic script each, and what can be read from it.

Used by the worker, the relay and the API. Never keeps state of its own, and never lets a negative outcome
of an old token count. Any method may raise redis.RedisError, which means that the answer is unknown.
"""

from __future__ import annotations

import json
import random
from typing import Any, Literal

import redis

from system.delivery import scripts
from system.delivery.states import Claimed, Due, Job, Lease, NoLease, Work, sent_result
from system.settings import Settings
from system.worker import results

PREFIX = "{mail}:"
Verdict = Literal["stored", "absent", "unknown", "hold", "resend"]
BACKOFF_CAP = 8
PAUSE_AFTER_BROKER_LOSS_MS = 1000


def ms(seconds: float) -> int:
    """Seconds as whole milliseconds, the unit of every script."""
    return int(seconds * 1000)


def lease_from(answer: list[Any], job_id: str) -> Lease:
    """The lease in a script's `granted` answer."""
    _, fence, kind, key, payload, domain = answer
    return Lease(Work(job_id, kind, key or job_id, json.loads(payload), domain), int(fence))


class Ledger:
    """The transitions of the protocol; `client` must belong to this process."""

    def __init__(self, client: redis.Redis, settings: Settings) -> None:
        self.client = client
        self._s = settings

    def _run(self, name: str, *args: str | int | float | bytes) -> list[Any]:
        return scripts.run(self.client, name, *args)

    def _meta(self, job_id: str, state: str, result: Any = None, error: str = "") -> tuple[bytes | str, int]:
        """What Celery's result backend is to show once the job has ended, and for how long (s)."""
        ttl = self._s.result_ttl_s
        return (results.meta(job_id, state, result, error) if ttl else "", ttl)

    def lease(self, job_id: str, owner: str, worker: str, hint: str) -> Lease | NoLease:
        """Takes the job for this execution (`owner`, new each time), or says why not."""
        answer = self._run("lease", job_id, owner, ms(self._s.lease_s), worker, hint)
        if answer[0] != "granted":
            return NoLease(answer[0], str(answer[1]))
        return lease_from(answer, job_id)

    def renew(self, job_id: str, fence: int) -> bool:
        """Prolongs a lease whose mail is not being handed over yet; False: it is lost."""
        return bool(self._run("renew", job_id, fence, ms(self._s.lease_s))[0] == "ok")

    def mark_sending(self, job_id: str, fence: int, worker: str) -> bool:
        """Announces the body and starts the lease anew; False: stale, nothing may be sent."""
        return bool(self._run("mark_sending", job_id, fence, ms(self._s.lease_s), worker)[0] == "ok")

    def sent(self, job_id: str, fence: int, reply: str, worker: str, result: str = "") -> str:
        """Records true evidence; answers `sent`, `duplicate` or `` (the job is gone)."""
        meta = self._meta(job_id, "SUCCESS", result)
        return str(self._run("sent", job_id, fence, reply, worker, *meta)[1])

    def done(self, job_id: str, fence: int, result: Any, worker: str) -> str:
        """Records that a job which is no mail was carried out; answers `done`, `stale` or `gone`."""
        meta = self._meta(job_id, "SUCCESS", result)
        return str(self._run("done", job_id, fence, json.dumps(result), worker, *meta)[0])

    def retry(
        self, job_id: str, fence: int, error: str, worker: str, *, strike: bool = True, most: int = 0
    ) -> str:
        """Records a definite, temporary no; answers the state it led to, or `stale`.

        Without a strike it is nobody's no (the lease was lost): the job neither backs off further nor ages.
        After `most` retries (0: any number) the next no is the last.
        """
        s = self._s
        times = (
            ms(s.retry_base_s),
            ms(s.retry_cap_s),
            random.random(),
            ms(s.max_age_s),
            ms(s.republish_first_s),
            int(strike),
            most,
        )
        meta = self._meta(job_id, "FAILURE", error=error)
        return str(self._run("retry", job_id, fence, error, worker, *times, *meta)[0])

    def fail(self, job_id: str, fence: int, error: str, worker: str) -> str:
        """Records a definite, lasting no; answers `failed`, `stale`, or `in_doubt` (if resent)."""
        meta = self._meta(job_id, "FAILURE", error=error)
        return str(self._run("fail", job_id, fence, error, worker, *meta)[0])

    def cancel(self, job_id: str) -> tuple[str, str]:
        """Cancels what has not begun; answers `cancelled`, `late` (with the reason) or `gone`."""
        how, words = self._run("cancel", job_id, *self._meta(job_id, "REVOKED"))
        return str(how), str(words)

    def login_refused(self, job_id: str, fence: int, error: str, worker: str) -> str:
        """Opens the login breaker and puts the job back, without a strike."""
        s = self._s
        times = (ms(s.login_probe_s), random.random(), ms(s.republish_first_s))
        return str(self._run("login_refused", job_id, fence, error, worker, *times)[0])

    def probed(self, ok: bool, reason: str) -> str:
        """Tells how a login probe went; answers `closed` or `open`."""
        first = ms(self._s.login_probe_s)
        args = ("ok" if ok else "refused", reason, first, BACKOFF_CAP * first, random.random())
        return str(self._run("probed", *args)[0])

    def login_is_refused(self) -> bool:
        """Whether the login breaker is open."""
        return bool(self.client.hget(PREFIX + "breaker", "open") == "1")

    def domain(self, job_id: str) -> str:
        """The right side of the job's Message-ID, as it was at its acceptance; empty if nobody wrote it."""
        return str(self.client.hget(f"{PREFIX}job:{job_id}", "domain") or "")

    def ask(self, job_id: str, owner: str, for_s: float) -> bool:
        """Takes the right to ask for this job's receipt for `for_s` seconds."""
        return bool(self._run("ask", job_id, owner, ms(for_s))[0] == "granted")

    def verdict(self, job_id: str, owner: str, answer: Verdict, words: str, worker: str) -> str:
        """Settles a doubt, or leaves it; answers the state it led to, or `stale` or `gone`."""
        s = self._s
        times = (ms(s.republish_first_s) // 5, ms(s.republish_max_s), ms(s.republish_first_s))
        meta: tuple[bytes | str, int] = ("", 0)
        if answer == "stored" and (job := self.read(job_id)) and job.kind == "email":
            meta = self._meta(job_id, "SUCCESS", sent_result(job.payload))
        return str(self._run("verdict", job_id, owner, answer, words, worker, *times, *meta)[0])

    def unguarded(
        self, job_id: str, event: str, worker: str, words: str = "", result: Any = None
    ) -> Lease | None:
        """Writes down what a policy without a ledger does; None: no such job."""
        meta: tuple[bytes | str, int] = ("", 0)
        if event in {"sent", "done", "failed"}:
            state = "FAILURE" if event == "failed" else "SUCCESS"
            meta = self._meta(job_id, state, result, words)
        if event == "done":
            words = json.dumps(result)
        answer = self._run("unguarded", job_id, event, worker, words, *meta)
        return None if answer[0] == "gone" else lease_from(answer, job_id)

    def claim_due(self, limit: int, most: int = 100, waiting: int = 0) -> Claimed:
        """Moves what is due on. `waiting`: hints that the broker counts; above `most` only the urgent."""
        s = self._s
        times = (ms(s.republish_first_s), ms(s.republish_max_s), ms(s.login_probe_s))
        probe, looked_at, *found = self._run("claim_due", limit, *times, most, waiting)
        due = [Due(*each) for each in zip(found[::3], found[1::3], map(bool, found[2::3]), strict=True)]
        return Claimed(bool(probe), due, int(looked_at))

    def unclaim(self, ids: list[str]) -> None:
        """Gives back what was claimed and could not be published."""
        self._run("unclaim", ms(self._s.republish_first_s), PAUSE_AFTER_BROKER_LOSS_MS, *ids)

    def release_held(self) -> int:
        """Makes held doubts due again, of at most 1000 at a time; answers how many."""
        return int(self._run("release_held", "ask" if self._s.receipts_url else "resend")[1])

    def cleanup(self, batch: int = 1000) -> int:
        """Drops jobs whose records have expired from the list of jobs; answers how many."""
        kept = dropped = 0
        while True:
            looked, gone = map(int, self._run("cleanup", kept, batch, ms(self._s.job_ttl_s)))
            dropped += gone
            kept += looked - gone
            if looked < batch:
                return dropped

    def beat(self) -> None:
        """Says that a relay lives although it claims nothing."""
        seconds, micros = self.client.time()
        self.client.set(PREFIX + "relay", seconds * 1000 + micros // 1000)

    def read(self, job_id: str) -> Job | None:
        """The job and its trail at one moment, or None."""
        with self.client.pipeline(transaction=True) as pipe:
            pipe.hgetall(f"{PREFIX}job:{job_id}")
            pipe.lrange(f"{PREFIX}trail:{job_id}", 0, -1)
            fields, trail = pipe.execute()
        return Job(job_id, fields, [json.loads(item) for item in trail]) if "state" in fields else None
