"""The ledger of a run: every job that a 202 named, and the mail that tells the end of a job."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import requests

from chaos import collect
from reports import evidence

JOBS = {
    "mail": {"state": "SUCCESS", "notify_job": None},
    "chore": {"state": "FAILURE", "notify_job": "note", "error": "no"},
    "note": {"state": "SUCCESS", "notify_job": None},
    "slow": {"state": "STARTED", "notify_job": "later"},
}


@pytest.fixture
def api(monkeypatch):
    """Answers for the jobs above; `gone` cannot be reached, others are unknown."""

    def get(url, limit_s):
        name = url.rpartition("/")[2]
        if name == "gone":
            raise requests.ConnectionError("refused")
        body = JOBS.get(name)
        return SimpleNamespace(status_code=200 if body else 404, json=lambda: body)

    monkeypatch.setattr(collect.http, "get", get)


def ledger_of(folder, *ids):
    load = evidence.Appender(folder / evidence.SUBMISSIONS, "r-1", "load")
    for number, job in enumerate(ids):
        load.append("ok", key=f"r-1-{number:06d}", id=job)
    load.close()
    answered = collect.collect_ledger(folder, "r-1", "http://api")
    *jobs, end = evidence.read(folder / evidence.LEDGER).records
    assert end["answered"] == answered
    return [(job["key"][-1], job["id"], job["http"], job.get("notify")) for job in jobs], end


def test_a_chore_that_ended_is_followed_by_the_mail_that_tells_it(tmp_path, api):
    jobs, end = ledger_of(tmp_path, "mail", "chore")
    assert jobs == [("0", "mail", 200, None), ("1", "chore", 200, None), ("1", "note", 200, True)]
    assert (end["asked"], end["answered"]) == (3, 3)


def test_a_chore_that_has_not_ended_has_no_mail_to_ask_for(tmp_path, api):
    jobs, end = ledger_of(tmp_path, "slow")
    assert jobs == [("0", "slow", 200, None)]
    assert (end["asked"], end["answered"]) == (1, 1)


def test_what_cannot_be_read_is_on_record_as_such(tmp_path, api):
    jobs, end = ledger_of(tmp_path, "gone", "unknown")
    assert jobs == [("0", "gone", None, None), ("1", "unknown", 404, None)]
    assert (end["asked"], end["answered"]) == (2, 0)
