"""An answer is whole when its bytes are, however they arrive."""

import pytest
from geventhttpclient.response import HTTPParseError

from loadtests.wire import Reply

PLAIN = b"HTTP/1.1 202 Accepted\r\nContent-Type: x\r\nContent-Length: 5\r\n\r\nhello"
KEPT = b"HTTP/1.1 200 OK\r\nServer: gunicorn\r\nConnection: keep-alive\r\ncontent-length:  2\r\n\r\nok"
EMPTY = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
CLOSED = b"HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno"
OLD = b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"
NOTHING = b"HTTP/1.1 204 No Content\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN
ANSWERS = [
    (PLAIN, 202, b"hello", True),
    (KEPT, 200, b"ok", True),
    (EMPTY, 202, b"", True),
    (CHUNKED, 200, b"abcde", True),
    (CLOSED, 503, b"no", False),
    (OLD, 200, b"ok", False),
    (NOTHING, 204, b"", True),
    (INTERIM, 202, b"hello", True),
]


def whole(*parts):
    reply = Reply()
    done = [reply.take(part) for part in parts]
    assert not any(done[:-1])
    assert done[-1]
    return reply.status, reply.body, reply.keep


@pytest.mark.parametrize(("data", "status", "body", "keep"), ANSWERS)
def test_in_one_piece_and_cut_anywhere(data, status, body, keep):
    assert whole(data) == (status, body, keep)
    for at in range(1, len(data)):
        assert whole(data[:at], data[at:]) == (status, body, keep), at


def test_byte_by_byte():
    assert whole(*(PLAIN[at : at + 1] for at in range(len(PLAIN)))) == (202, b"hello", True)


def test_without_a_length_the_end_is_the_end_of_the_connection():
    assert whole(b"HTTP/1.1 200 OK\r\n\r\nhel", b"lo", b"") == (200, b"hello", False)


def test_more_than_was_asked_for_makes_the_connection_unfit():
    assert whole(PLAIN + b"x") == (202, b"hello", False)


@pytest.mark.parametrize("data", [PLAIN, CHUNKED, CLOSED])
def test_a_cut_answer_keeps_its_status(data):
    reply = Reply()
    assert not reply.take(data[:-3] if data is not CLOSED else data[:-1])
    with pytest.raises((ConnectionError, HTTPParseError)):
        reply.take(b"")
    assert reply.status in (200, 202, 503)


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 20"])
def test_before_the_status_nothing_is_known(data):
    reply = Reply()
    with pytest.raises((ConnectionError, HTTPParseError)):
        reply.take(data)
        reply.take(b"")
    assert reply.status is None


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
    ],
)
def test_what_is_no_http_is_refused(data):
    with pytest.raises(HTTPParseError):
        Reply().take(data)
