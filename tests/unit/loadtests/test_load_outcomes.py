"""Every answer and error is classified, and nothing uncertain is ever called certain."""

import errno
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.outcomes import Answer, classify


def problem(kind):
    return json.dumps({"type": f"https://example.test/problems/{kind}"}).encode()


@pytest.mark.parametrize(
    ("result", "verdict", "status", "settles"),
    [
        (Answer(202, b'{"id": "j1"}'), "ok", 202, True),
        (Answer(202, b"<html>"), "ok", 202, True),
        (Answer(202, None), "ok", 202, True),
        (Answer(400, problem("invalid")), "fail", 400, True),
        (Answer(404, b""), "fail", 404, True),
        (Answer(413, None), "fail", 413, True),
        (Answer(422, problem("idempotency-conflict")), "fail", 422, True),
        (Answer(429, b""), "fail", 429, False),
        (Answer(503, problem("not-accepted")), "fail", 503, False),
        (Answer(503, problem("outcome-unknown")), "info", 503, False),
        (Answer(503, b"upstream"), "info", 503, False),
        (Answer(503, None), "info", 503, False),
        (Answer(500, problem("not-accepted")), "info", 500, False),
        (Answer(502, b""), "info", 502, False),
        (Answer(504, b""), "info", 504, False),
        (Answer(301, b""), "info", 301, False),
        (Answer(307, b""), "info", 307, False),
        (Answer(200, b'{"id": "j1"}'), "info", 200, False),
        (Answer(204, b""), "info", 204, False),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "fail", None, False),
        (ConnectionResetError(errno.ECONNRESET, "reset"), "info", None, False),
        (BrokenPipeError(errno.EPIPE, "pipe"), "info", None, False),
        (TimeoutError("no answer within 10 s"), "info", None, False),
        (OSError(errno.EHOSTUNREACH, "unreachable"), "info", None, False),
        (OSError(errno.EMFILE, "too many open files"), "info", None, False),
        (RuntimeError("a bug"), "info", None, False),
        (SystemExit(), "info", None, False),
    ],
)
def test_each_outcome(result, verdict, status, settles):
    outcome = classify(result)
    assert (outcome.verdict, outcome.status, outcome.settles) == (verdict, status, settles)
    assert (outcome.why == "") == (verdict == "ok")


@pytest.mark.parametrize(
    "body", [b"", None, b"[]", b"3", b"null", b'{"id": 7}', b'{"id": ""}', b"\xff", b"[" * 99999]
)
def test_202_without_a_readable_id(body):
    assert classify(Answer(202, body)).id is None


def test_202_with_id():
    assert classify(Answer(202, b'{"id": "j1", "state": "PENDING"}')).id == "j1"


def test_shortage_is_ours():
    assert classify(OSError(errno.EMFILE, "x")).shortage
    assert classify(OSError(errno.EADDRNOTAVAIL, "x")).shortage
    assert not classify(ConnectionResetError(errno.ECONNRESET, "x")).shortage


@given(st.integers(100, 599), st.one_of(st.none(), st.binary(max_size=60)))
def test_certainty_is_only_claimed_where_the_contract_gives_it(status, body):
    outcome = classify(Answer(status, body))
    if outcome.verdict == "ok":
        assert status == 202
    if outcome.verdict == "fail":
        assert 400 <= status < 500 or (status == 503 and b"/not-accepted" in (body or b""))
