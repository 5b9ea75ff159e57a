"""A submission asks again only for what is unknown, and writes every try with its outcome."""

import json

import pytest

from loadtests.jobs import make
from loadtests.outcomes import Answer
from loadtests.submit import Settings, Submitter

JOB = make("r", 1, 0)
OK = Answer(202, b'{"id": "j1"}')
NOT_ACCEPTED = Answer(503, json.dumps({"type": "https://x.test/not-accepted"}).encode())
RESET = ConnectionResetError("reset")
REFUSED = ConnectionRefusedError("refused")


class Killed(BaseException):
    pass


class World:
    """A clock that only sleeping and asking move, and a system that answers from a list."""

    def __init__(self, *results, settings=None, takes_s=0.1):
        self.now_ns, self.results, self.takes_s = 5_000_000_000, list(results), takes_s
        self.records, self.rows, self.slept, self.written = [], [], [], 0
        self.submitter = Submitter(
            self.post, self, self.row, self.sleep, settings or Settings(), clock_ns=lambda: self.now_ns
        )

    def append(self, event, **fields):
        self.records.append({"event": event, **fields})
        self.written = len(self.records)

    def append_later(self, event, fields):
        self.records.append({"event": event, **fields})

    def row(self, *row):
        self.rows.append(row)

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now_ns += int(seconds * 1e9)

    def post(self, job):
        assert job is JOB
        # Nothing leaves before its invoke, and all before it, is on disk.
        assert self.records[-1]["event"] == "invoke"
        assert self.written == len(self.records)
        self.now_ns += int(self.takes_s * 1e9)
        result = self.results.pop(0) if len(self.results) > 1 else self.results[0]
        if isinstance(result, BaseException):
            raise result
        return result

    def run(self, late_s=0.25):
        return self.submitter.submit(JOB, self.now_ns - int(late_s * 1e9))

    @property
    def events(self):
        return [record["event"] for record in self.records]


def test_accepted_at_once():
    world = World(OK)
    assert world.run().id == "j1"
    assert world.records == [
        {"event": "invoke", "key": "r-000000", "try": 1, "late_s": 0.25},
        {"event": "ok", "key": "r-000000", "try": 1, "status": 202, "id": "j1", "latency_s": 0.35},
    ]
    assert world.rows == [("POST", "/jobs", 0.35, len(OK.body), None)]
    assert (world.submitter.sent, world.submitter.max_late_s) == (1, 0.25)


def test_unreadable_202_is_ok_without_id():
    world = World(Answer(202, None))
    world.run()
    assert world.records[-1]["id"] is None
    assert world.events == ["invoke", "ok"]


@pytest.mark.parametrize("result", [NOT_ACCEPTED, REFUSED, Answer(422, b""), Answer(429, b"")])
def test_rejected_is_not_submitted_again(result):
    world = World(result)
    assert world.run().verdict == "fail"
    assert world.events == ["invoke", "fail"]
    assert world.rows[0][4].startswith("fail: ")


def test_rejected_is_submitted_again_when_asked_to():
    world = World(NOT_ACCEPTED, REFUSED, OK, settings=Settings(resubmit_rejected=True))
    assert world.run().verdict == "ok"
    assert world.events == ["invoke", "fail", "invoke", "fail", "invoke", "ok"]


def test_unknown_is_asked_again_with_growing_pauses():
    world = World(RESET, Answer(500, b""), Answer(302, b""), TimeoutError("slow"), OK)
    world.run()
    assert world.events == ["invoke", "info"] * 4 + ["invoke", "ok"]
    assert world.slept == [0.5, 1.0, 2.0, 2.0]
    assert [record["try"] for record in world.records] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert [row[1] for row in world.rows] == ["/jobs"] + ["/jobs (again)"] * 4
    again = world.records[-1]
    assert again["latency_s"] == 0.1  # from its own invoke
    assert "late_s" not in world.records[2]
    assert world.submitter.sent == 1


@pytest.mark.parametrize("between", [REFUSED, NOT_ACCEPTED, Answer(429, b"")])
def test_a_rejected_second_try_does_not_settle_the_first(between):
    world = World(RESET, between, OK)
    assert world.run().verdict == "ok"
    assert world.events == ["invoke", "info", "invoke", "fail", "invoke", "ok"]


def test_a_client_error_settles():
    world = World(RESET, Answer(422, b""))
    assert world.run().verdict == "fail"
    assert len(world.slept) == 1


def test_asking_ends_at_the_limit():
    world = World(RESET, settings=Settings(resubmit_limit_s=10.0))
    assert world.run().verdict == "info"
    assert world.now_ns / 1e9 - 5 <= 10.0 + 0.1
    assert world.events == ["invoke", "info"] * 6


def test_limit_zero_means_one_try():
    world = World(RESET, settings=Settings(resubmit_limit_s=0.0))
    world.run()
    assert world.events == ["invoke", "info"]


def test_a_killed_try_still_has_its_outcome():
    world = World(Killed("stop"))
    with pytest.raises(Killed):
        world.run()
    assert world.events == ["invoke", "info"]
    assert world.records[-1]["why"] == "Killed: stop"


def test_a_shortage_here_is_counted():
    world = World(OSError(24, "Too many open files"), OK)
    world.run()
    assert world.submitter.shortages == 1
    assert world.events == ["invoke", "info", "invoke", "ok"]
