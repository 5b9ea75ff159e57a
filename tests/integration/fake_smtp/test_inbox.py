"""The inbox over HTTP, on real mails."""

from __future__ import annotations

import http.client
import json
import signal
import time
from email.message import EmailMessage
from email.policy import SMTP

import pytest

from reports.evidence import content_digest
from tests.integration.fake_smtp.conftest import BODY, SUBJECT, Sink, mail


def with_parts() -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = "from@client.test", "parts@sink.test"
    message["Subject"] = "Grüße"
    message["X-Job-Key"] = "parts"
    message.set_content("plain täxt")
    message.add_alternative("<p>html</p>", subtype="html")
    message.add_attachment(b"\0\1", maintype="image", subtype="png", filename='a "b"\n.png'.replace("\n", ""))
    return bytes(message)


def deliver(sink: Sink, *raws: bytes, to: str = "t@s.test") -> None:
    with sink.client() as client:
        for raw in raws:
            client.sendmail("from@client.test", to, raw)


def get(sink: Sink, path: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", sink.control_port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def test_search_and_pages(sink: Sink) -> None:
    deliver(sink, *(mail(f"run-1-00000{number}") for number in range(1, 6)))
    deliver(sink, with_parts(), to="Ann@other.test")
    status, found = sink.http("GET", "/mails?limit=4")
    assert status == 200
    assert [one["mail"] for one in found["mails"]] == [6, 5, 4, 3]
    status, rest = sink.http("GET", f"/mails?limit=4&before={found['next']}")
    assert ([one["mail"] for one in rest["mails"]], rest["next"]) == ([2, 1], None)
    for query, mails in [
        ("key=run-1-000003", [3]),
        ("recipient=ann@", [6]),
        ("subject=gr%C3%BC", [6]),
        ("text=T%C3%A4XT", [6]),
        ("text=t%C3%A4xt&key=run-1-000003", []),
        ("until_s=0", []),
    ]:
        found = sink.http("GET", f"/mails?{query}")[1]
        assert [one["mail"] for one in found["mails"]] == mails, query


def test_one_mail_whole_raw_and_in_parts(sink: Sink) -> None:
    deliver(sink, mail("run-1-000001"), with_parts(), mail("run-1-000001", attempt=2))
    _, shown = sink.http("GET", "/mails/1")
    assert (shown["key"], shown["recipients"]) == ("run-1-000001", ["t@s.test"])
    assert (shown["copy"], shown["copies"], shown["same"]) == (1, 2, [1, 3])
    listed = sink.http("GET", "/mails")[1]["mails"]
    assert [(one["mail"], one["copy"], one["copies"]) for one in listed] == [(3, 2, 2), (2, 1, 1), (1, 1, 2)]
    assert shown["text"].splitlines() == BODY.splitlines()
    assert shown["html"] is None
    assert ["X-Attempt", "1"] in shown["headers"]
    assert get(sink, "/mails/1/raw")[2] == mail("run-1-000001")
    _, shown = sink.http("GET", "/mails/2")
    assert (shown["subject"], shown["text"].strip(), shown["html"].strip()) == (
        "Grüße",
        "plain täxt",
        "<p>html</p>",
    )
    assert shown["attachments"] == [{"name": 'a "b".png', "type": "image/png", "size": 2}]
    status, headers, body = get(sink, "/mails/2/attachments/0")
    assert (status, body, headers["Content-Type"]) == (200, b"\0\1", "application/octet-stream")
    assert headers["Content-Disposition"] == "attachment; filename*=UTF-8''a%20%22b%22.png"
    for path in ("/mails/9", "/mails/9/raw", "/mails/2/attachments/1", "/mails/x"):
        assert get(sink, path)[0] == 404


def test_broken_mails_are_shown_as_well_as_can_be(sink: Sink) -> None:
    broken = [
        b"no header at all\r\n",
        b"Subject: =?x?q?=\r\nContent-Type: text/plain; charset=nonsense\r\n\r\n\xff\xfe\r\n",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: message/rfc822\r\n\r\n--x",
        b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!\r\n",
    ]
    deliver(sink, *broken)
    for number in range(1, len(broken) + 1):
        assert sink.http("GET", f"/mails/{number}")[0] == 200, broken[number - 1]
    assert sink.http("GET", "/health")[0] == 200


def test_verify(sink: Sink) -> None:
    deliver(sink, *(mail(key) for key in ("a", "b", "b", "c", "d")))
    expected = [
        {"key": "a", "digest": content_digest(SUBJECT, BODY)},
        "b",
        {"key": "c", "subject": SUBJECT, "text": "something else"},
        {"key": "e"},
    ]
    assert sink.http("POST", "/verify", {"expected": expected}) == (
        200,
        {
            "ok": False,
            "expected": 4,
            "missing": ["e"],
            "duplicated": {"b": 2},
            "unexpected": ["d"],
            "corrupted": ["c"],
        },
    )
    assert sink.http("DELETE", "/mails") == (200, {"forgotten": 5})
    deliver(sink, mail("a"))
    assert sink.http("POST", "/verify", {"expected": ["a"]})[1]["ok"] is True
    # The inbox was emptied, and nothing else.
    assert len(sink.records("stored")) == 6
    assert sink.http("GET", "/receipts/job-b@client.test")[1]["copies"] == 2


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"{", "JSON"),
        ({}, "expected"),
        ({"expected": []}, "no data proves nothing"),
        ({"expected": "a"}, "list"),
        ({"expected": ["a", 5]}, r"expected[1]"),
        ({"expected": [""]}, r"expected[0]"),
        ({"expected": [{"key": "a", "subject": "s"}]}, "'text'"),
        ({"expected": [{"key": "a", "digest": None}]}, r"expected[0]"),
        ({"expected": ["a", {"key": "a"}]}, "twice"),
    ],
)
def test_a_bad_list_to_verify_gets_words(shared_sink: Sink, body: object, word: str) -> None:
    status, answer = shared_sink.http("POST", "/verify", body)
    assert status == 422
    assert word in answer["error"]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "before=x", "since_s=nan", "until_s=", "kee=a"])
def test_a_bad_search_gets_words(shared_sink: Sink, query: str) -> None:
    status, answer = shared_sink.http("GET", f"/mails?{query}")
    assert status == 422
    assert query.partition("=")[0] in answer["error"]


def test_new_mails_are_told_as_they_come(sink: Sink) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", sink.control_port, timeout=10)
    connection.request("GET", "/events")
    answer = connection.getresponse()
    assert answer.getheader("Content-Type") == "text/event-stream"
    deliver(sink, mail("a"), mail("b"))
    told = []
    while len(told) < 2:
        line = answer.readline()
        if line.startswith(b"data: "):
            told.append(json.loads(line[6:])["key"])
    assert told == ["a", "b"]
    # A sink that stops does not wait for whoever follows.
    began = time.monotonic()
    assert sink.stop() == (0, "")
    assert time.monotonic() - began < 1
    connection.close()


def test_a_killed_sink_finds_its_mails_again(start_sink) -> None:
    first, raw = start_sink(), with_parts()
    deliver(first, mail("a"), raw)
    first.until("session_end")
    first.stop(signal.SIGKILL)
    again = start_sink(out=first.out)
    deliver(again, mail("c"))
    found = again.http("GET", "/mails")[1]["mails"]
    assert [(one["mail"], one["key"], one["subject"]) for one in found] == [
        (3, "c", SUBJECT),
        (2, "parts", "Grüße"),
        (1, "a", SUBJECT),
    ]
    assert again.http("GET", "/mails?text=t%C3%A4xt")[1]["mails"][0]["mail"] == 2
    assert get(again, "/mails/2/raw")[2] == raw
