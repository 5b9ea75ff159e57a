"""How long a job waited for a worker, from a trail as the system tells it."""

import json

import pytest

from loadtests.follow import Follower
from loadtests.outcomes import Answer
from loadtests.trail import queue_wait_s


def trail(*steps):
    return [{"at_ms": at_ms, "event": event, "fence": 1} for event, at_ms in steps]


@pytest.mark.parametrize(
    ("told", "wait_s"),
    [
        (trail(("accepted", 1000), ("leased", 3500), ("retry", 4000), ("leased", 9000)), 2.5),
        (trail(("accepted", 1000)), None),
        (trail(("leased", 1000), ("sent", 2000)), None),
        (trail(("accepted", 1000), ("leased", 999)), 0.0),
        ([{"event": "accepted"}, 7, None, {"at_ms": "x", "event": "leased"}], None),
        ([], None),
        (None, None),
        ("words", None),
    ],
)
def test_queue_wait(told, wait_s):
    assert queue_wait_s(told) == wait_s


def test_a_follower_tells_the_wait_once_and_the_end_of_what_succeeds():
    end = {"state": "SUCCESS", "trail": trail(("accepted", 1000), ("leased", 1500))}
    answers = [{"state": "PENDING", "trail": trail(("accepted", 1000))}, {**end, "state": "STARTED"}, end]
    rows, done = [], []

    class Evidence:
        def append(self, event, **fields):
            assert event == "status"

    def row(method, name, seconds, size, error):
        rows.append((method, name, seconds, error))

    def read(_):
        return Answer(200, json.dumps(answers.pop(0)).encode())

    Follower(read, Evidence(), row, sleep=lambda _: None, done=done.append).follow("r-000000", "j1")
    assert [each for each in rows if each[0] == "E2E"] == [("E2E", "queue wait", 0.5, None)]
    assert done == ["r-000000"]
    answers.append({"state": "FAILURE"})
    Follower(read, Evidence(), row, sleep=lambda _: None, done=done.append).follow("r-000001", "j2")
    assert done == ["r-000000"]
