"""Ask the system for its own word on every job, over its HTTP API, and write it down as ledger.jsonl.

Called once the system is quiet. Asks for every id that a 202 named; a job that cannot be read is recorded
as such, never skipped.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests

from chaos import http
from reports import evidence

THREADS = 4
LIMIT_S = 10.0
FIELDS = ("state", "detail", "error", "attempts", "trail")


def collect_ledger(folder: Path, run: str, api: str) -> int:
    """Write what the system says of every accepted job; returns how many answered."""
    jobs = accepted_jobs(evidence.read(folder / evidence.SUBMISSIONS).records)
    ledger = evidence.Appender(folder / evidence.LEDGER, run, "chaos")
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            answers = list(pool.map(lambda job: _ask(api, *job), jobs))
        for answer in answers:
            ledger.append("job", **answer)
        answered = sum(1 for answer in answers if answer["http"] == 200)
        ledger.append("ledger_end", asked=len(jobs), answered=answered)
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


def _ask(api: str, key: str, job_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = {"key": key, "id": job_id, "http": None, **dict.fromkeys(FIELDS)}
    try:
        response = http.get(f"{api}/jobs/{job_id}", LIMIT_S)
        answer["http"] = response.status_code
        if response.status_code == 200:
            answer |= {name: response.json().get(name) for name in FIELDS}
    except (requests.RequestException, ValueError) as error:
        answer["error"] = f"not readable: {error}"[:300]
    return answer
