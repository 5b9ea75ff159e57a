"""Ask the system for its own word on every job, over its HTTP API, and write it down as ledger.jsonl.

Called once the system is quiet. Asks for every id that a 202 named, and for the mail that tells the end of a
job; a job that cannot be read is recorded as such, never skipped.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import requests

from chaos import http
from reports import evidence
from reports.records import TERMINAL

THREADS = 4
LIMIT_S = 10.0
FIELDS = ("state", "detail", "error", "attempts", "trail")


def collect_ledger(folder: Path, run: str, api: str) -> int:
    """Write what the system says of every accepted job; returns how many answered."""
    jobs = accepted_jobs(evidence.read(folder / evidence.SUBMISSIONS).records)
    ledger = evidence.Appender(folder / evidence.LEDGER, run, "chaos")
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            answers = list(chain.from_iterable(pool.map(lambda job: _ask(api, *job), jobs)))
        for answer in answers:
            ledger.append("job", **answer)
        answered = sum(1 for answer in answers if answer["http"] == 200)
        ledger.append("ledger_end", asked=len(answers), answered=answered)
        return answered
    finally:
        ledger.close()


def accepted_jobs(submissions: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
    """Every (key, job id) that a 202 named, once, in order."""
    named = {
        (record["key"], record["id"]): None
        for record in submissions
        if record["event"] == "ok" and record["id"]
    }
    return list(named)


def _ask(api: str, key: str, job_id: str) -> list[dict[str, Any]]:
    """What the system says of a job, and of the mail that tells its end once there is one."""
    answer, mail_id = _read(api, key, job_id)
    if not mail_id or answer["state"] not in TERMINAL:
        return [answer]
    return [answer, {**_read(api, key, mail_id)[0], "notify": True}]


def _read(api: str, key: str, job_id: str) -> tuple[dict[str, Any], str | None]:
    answer: dict[str, Any] = {"key": key, "id": job_id, "http": None, **dict.fromkeys(FIELDS)}
    mail_id = None
    try:
        response = http.get(f"{api}/jobs/{job_id}", LIMIT_S)
        answer["http"] = response.status_code
        if response.status_code == 200:
            body = response.json()
            answer |= {name: body.get(name) for name in FIELDS}
            mail_id = body.get("notify_job")
    except (requests.RequestException, ValueError) as error:
        answer["error"] = f"not readable: {error}"[:300]
    return answer, mail_id
