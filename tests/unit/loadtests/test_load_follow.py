"""Status readers write what they are told until it is terminal."""

import json

import pytest

from loadtests.follow import Follower, chosen
from loadtests.outcomes import Answer


def state(name):
    return Answer(200, json.dumps({"state": name}).encode())


def follow(*results, limit_s=100.0):
    now, left, records, rows = [0], list(results), [], []

    def sleep(seconds):
        now[0] += int(seconds * 1e9)

    def read(_):
        result = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(result, Exception):
            raise result
        return result

    class Evidence:
        def append(self, event, **fields):
            records.append({"event": event, **fields})

    row = lambda *values: rows.append(values)  # noqa: E731
    Follower(read, Evidence(), row, sleep, limit_s, clock_ns=lambda: now[0]).follow("r-000000", "j1")
    return records, rows


def test_reads_until_terminal():
    records, rows = follow(state("PENDING"), state("STARTED"), state("SUCCESS"))
    assert [record["state"] for record in records] == ["PENDING", "STARTED", "SUCCESS"]
    assert records[0] == {
        "event": "status",
        "key": "r-000000",
        "id": "j1",
        "state": "PENDING",
        "asked_mono_ns": 500_000_000,
    }
    assert [row[:2] for row in rows] == [("GET", "/jobs/[id]")] * 3


@pytest.mark.parametrize(
    "bad",
    [
        Answer(404, b"{}"),
        Answer(200, b"<html>"),
        Answer(200, None),
        Answer(200, b'{"state": 1}'),
        OSError("x"),
    ],
)
def test_trouble_is_a_failed_row_and_no_record(bad):
    records, rows = follow(bad, state("FAILURE"))
    assert [record["state"] for record in records] == ["FAILURE"]
    assert rows[0][4]
    assert rows[1][4] is None


def test_gives_up_at_its_limit():
    records, _ = follow(state("RETRY"), limit_s=20.0)
    assert len(records) == 6  # at 0.5, 1.5, 3.5, 7.5, 15.5 and 23.5 s


def test_share_is_seeded():
    picks = [chosen(1, number, 0.2) for number in range(5000)]
    assert picks == [chosen(1, number, 0.2) for number in range(5000)]
    assert sum(picks) / 5000 == pytest.approx(0.2, abs=0.03)
    assert not any(chosen(1, number, 0.0) for number in range(100))
    assert all(chosen(1, number, 1.0) for number in range(100))
