"""Mailpit's API over the inbox, asked as tests made for Mailpit ask it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache
from typing import Any
from urllib.parse import quote

import pytest

from tests.integration.fake_smtp.conftest import BODY, Sink, mail
from tests.integration.fake_smtp.test_inbox import deliver, get

PNG = b"\x89PNG\0"
ANN = {"Name": "Ann, the Great", "Address": "ann@x.test"}
API = "/api/v1"


@cache
def letter() -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"] = "Shöp <shop@x.test>"
    message["To"] = '"Ann, the Great" <ann@x.test>, bob@x.test'
    message["Cc"], message["Reply-To"] = "carl@x.test", "help@x.test"
    message["Subject"] = "Grüße an alle"
    message["Message-ID"] = "<letter@x.test>"
    message["Date"] = "Fri, 21 Nov 2025 16:46:40 +0100"
    message["List-Unsubscribe"] = "<mailto:stop@x.test>, <https://x.test/stop>"
    message.set_content("The code is 1234.\nSecond line.")
    message.add_alternative('<title>t</title><p>The <b>code</b></p><img src="cid:logo@x">', subtype="html")
    html = message.get_payload(1)
    html.add_related(PNG, "image", "png", cid="<logo@x>")
    message.add_attachment(b"PDF", maintype="application", subtype="pdf", filename="bíll.pdf")
    return bytes(message)


def searched(sink: Sink, query: str, more: str = "") -> list[str]:
    status, page = sink.http("GET", f"{API}/search?query={quote(query)}{more}")
    assert status == 200, page
    assert page["messages_count"] == len(page["messages"])
    return [one["ID"] for one in page["messages"]]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sink]:
    """A sink with three mails that no test deletes."""
    sink = Sink(tmp_path_factory.mktemp("mailpit"))
    deliver(sink, mail("a"), to="a@sink.test")
    with sink.client() as client:
        client.sendmail("bounce@x.test", ["ann@x.test", "bob@x.test", "hidden@x.test"], letter())
    deliver(sink, mail("b"), to="b@sink.test")
    yield sink
    assert sink.stop() == (0, "")


def test_a_list_in_pages(filled: Sink) -> None:
    status, page = filled.http("GET", f"{API}/messages?limit=2")
    assert status == 200
    assert [one["ID"] for one in page["messages"]] == ["3", "2"]
    figures = {"total": 3, "unread": 3, "count": 2, "messages_count": 3, "messages_unread": 3, "start": 0}
    assert {**figures, "tags": [], "messages": page["messages"]} == page
    page = filled.http("GET", f"{API}/messages?start=2")[1]
    assert ([one["ID"] for one in page["messages"]], page["start"], page["total"]) == (["1"], 2, 3)
    assert filled.http("GET", f"{API}/messages?limit=0")[1]["count"] == 3
    page = filled.http("GET", f"{API}/messages?before=2001-01-01")[1]
    assert (page["count"], page["total"]) == (0, 3)
    assert filled.http("GET", f"{API}/search?query=to:x&limit=1&start=1")[1]["messages_count"] == 1
    assert filled.http("GET", f"{API}/search?query=to:x&before=2001-01-01")[1]["messages_count"] == 0


def test_a_summary(filled: Sink) -> None:
    shown = filled.http("GET", f"{API}/messages?start=1&limit=1")[1]["messages"][0]
    assert shown.pop("Created").endswith("Z")
    assert shown == {
        "ID": "2",
        "MessageID": "letter@x.test",
        "From": {"Name": "Shöp", "Address": "shop@x.test"},
        "To": [ANN, {"Name": "", "Address": "bob@x.test"}],
        "Cc": [{"Name": "", "Address": "carl@x.test"}],
        "Bcc": [{"Name": "", "Address": "hidden@x.test"}],
        "ReplyTo": [{"Name": "", "Address": "help@x.test"}],
        "Subject": "Grüße an alle",
        "Tags": [],
        "Username": "",
        "Size": len(letter()),
        "Read": False,
        "Attachments": 1,
        "Snippet": "The code",
    }


def test_a_whole_message(filled: Sink) -> None:
    status, shown = filled.http("GET", f"{API}/message/2")
    assert (status, shown["ReturnPath"], shown["Date"]) == (200, "bounce@x.test", "2025-11-21T16:46:40+01:00")
    assert shown["Text"].splitlines() == ["The code is 1234.", "Second line."]
    assert shown["HTML"].startswith("<title>")
    assert shown["ListUnsubscribe"]["Links"] == ["mailto:stop@x.test", "https://x.test/stop"]
    [inline], [attached] = shown["Inline"], shown["Attachments"]
    assert (inline["PartID"], inline["ContentID"], inline["FileName"]) == ("1.2.2", "logo@x", "logo@x")
    assert attached == {
        "PartID": "2",
        "FileName": "bíll.pdf",
        "ContentType": "application/pdf",
        "ContentID": "",
        "Size": 3,
        "Checksums": {name: hashlib.new(name, b"PDF").hexdigest() for name in ("MD5", "SHA1", "SHA256")},
    }


def test_latest(filled: Sink) -> None:
    shown = filled.http("GET", f"{API}/message/latest")[1]
    assert (shown["ID"], shown["Text"].splitlines()) == ("3", BODY.splitlines())
    assert filled.http("GET", f"{API}/message/latest?query=to:ann@x.test")[1]["ID"] == "2"
    assert filled.http("GET", f"{API}/message/latest?query=to:nobody")[0] == 404


def test_headers_and_raw(filled: Sink) -> None:
    headers = filled.http("GET", f"{API}/message/2/headers")[1]
    assert headers["Message-Id"] == ["<letter@x.test>"]
    assert headers["Subject"][0].startswith("=?utf-8?")
    assert list(headers) == sorted(headers)
    status, told, raw = get(filled, f"{API}/message/2/raw?dl=1")
    assert (status, raw, told["Content-Type"]) == (200, letter(), "text/plain; charset=utf-8")
    assert told["Content-Disposition"] == 'attachment; filename="2.eml"'


def test_parts_and_views_neither_run_nor_load(filled: Sink) -> None:
    status, told, content = get(filled, f"{API}/message/2/part/1.2.2")
    assert (status, content, told["Content-Type"]) == (200, PNG, "image/png")
    views = [told]
    status, told, content = get(filled, "/view/2.html")
    assert (status, told["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b'src="/api/v1/message/2/part/1.2.2"' in content
    views.append(told)
    status, told, content = get(filled, "/view/latest.txt")
    assert (status, content.decode().splitlines()) == (200, BODY.splitlines())
    for headers in [*views, told]:
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("sandbox; default-src 'none';")
        assert "script" not in policy
        assert "http" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/view/1.html",
        "/view/9.txt",
        *(f"{API}/message/{path}" for path in ("9", "x", "0", "9/raw", "9/headers", "2/part/7", "9" * 30)),
    ],
)
def test_what_is_not_there(filled: Sink, path: str) -> None:
    assert get(filled, path)[0] == 404


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("to:ANN@x.test", ["2"]),
        ("to:@sink.test", ["3", "1"]),
        ("from:bounce", ["2"]),
        ("subject:order", ["3", "1"]),
        ('subject:"Your order" to:b@s', ["3"]),
        ("subject:your subject:order -to:b@s", ["1"]),
        ("message-id:letter@", ["2"]),
        ("1234", ["2"]),
        ('"code is"', ["2"]),
        ('"is code"', []),
        ("shipped order", ["3", "1"]),
        ("shipped !to:a@", ["3"]),
        ("alle", ["2"]),
        ("hidden@x.test", ["2"]),
        ("before:2001-01-01", []),
        ("after:2001-01-01T00:00:00Z from:bounce", ["2"]),
        ("after:1000000000 before:99999999999", ["3", "2", "1"]),
        ("12:30", []),
    ],
)
def test_searches(filled: Sink, query: str, found: list[str]) -> None:
    assert searched(filled, query) == found


def test_a_time_zone(filled: Sink) -> None:
    created = filled.http("GET", f"{API}/messages?limit=1")[1]["messages"][0]["Created"]
    assert searched(filled, f"after:{created} to:b@s") in ([], ["3"])
    assert searched(filled, f"after:{created[:-1]}", "&tz=Etc/GMT%2B1") == []
    assert searched(filled, f"after:{created[:-1]} to:b@s", "&tz=Etc/GMT-1") == ["3"]


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("search", "empty"),
        ("search?query=%20", "empty"),
        ("search?query=tag:a", "tag:a"),
        ("search?query=-is:unread", "is:unread"),
        ("search?query=has:attachment", "has:attachment"),
        ("search?query=before:soon", "soon"),
        ("search?query=before:2001-01-01&tz=Moon/Sea", "Moon/Sea"),
        ("search?query=a&limit=x", "limit"),
        ("messages?start=-1", "start"),
        ("messages?before=x", "before"),
        ("message/latest?query=cc:a", "cc:a"),
    ],
)
def test_a_bad_question_gets_words(filled: Sink, path: str, word: str) -> None:
    status, told, content = get(filled, f"{API}/{path}")
    assert (status, told["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert word in content.decode()


def test_deleting(sink: Sink) -> None:
    deliver(sink, *(mail(key) for key in "abcde"), to="x@sink.test")
    deliver(sink, mail("f"), to="y@sink.test")
    for bad in (b"{", [], {"Ids": "1"}, {"IDs": [1]}, {"ID": ["1"]}, {"IDs": {}}):
        assert sink.http("DELETE", f"{API}/messages", bad)[0] == 400, bad
    assert sink.http("DELETE", f"{API}/search")[0] == 400
    assert sink.http("DELETE", f"{API}/messages", {"IDs": ["99", "nothing"]}) == (200, "ok")
    assert sink.http("GET", f"{API}/messages")[1]["total"] == 6
    assert sink.http("DELETE", f"{API}/messages", {"ids": ["1", "3", "99"]}) == (200, "ok")
    assert [one["mail"] for one in sink.http("GET", "/mails")[1]["mails"]] == [6, 5, 4, 2]
    assert sink.http("DELETE", f"{API}/search?query=to:y@") == (200, "ok")
    info = sink.http("GET", f"{API}/info")[1]
    assert (info["Messages"], info["RuntimeStats"]["MessagesDeleted"]) == (3, 3)
    assert sink.http("DELETE", f"{API}/messages") == (200, "ok")
    assert sink.http("GET", f"{API}/messages")[1]["total"] == 0
    assert sink.http("GET", f"{API}/message/latest")[0] == 404
    # The inbox was emptied, and nothing else.
    assert sink.http("GET", "/receipts/job-a@client.test")[1]["copies"] == 1


def test_alive_and_ready(filled: Sink) -> None:
    assert [get(filled, path)[0] for path in ("/livez", "/readyz")] == [200, 200]


def test_broken_mails_are_shown_as_well_as_can_be(sink: Sink) -> None:
    mixed = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
    broken: dict[bytes, dict[str, Any]] = {
        b"Cc: <\r\nTo: ((((\r\nFrom: nobody at all\r\nDate: soon\r\n\r\n": {"Cc": [], "To": []},
        mixed + b"--x\r\nContent-Type: message/rfc822\r\n\r\n--x": {},
        b"Content-Type: text/ht\xffml; charset=none\r\n\r\nx": {"Text": "", "HTML": ""},
        b"Content-Type: text/html; charset=none\r\n\r\n<![x ]><p>a\r\n<b": {"Text": "<![x ]>\na\n<b"},
        mixed + b"--x\r\n\r\n" * 50: {"Attachments": []},
    }
    deliver(sink, *broken)
    assert sink.http("GET", f"{API}/messages")[1]["count"] == len(broken)
    for number, wanted in enumerate(broken.values(), 1):
        status, shown = sink.http("GET", f"{API}/message/{number}")
        assert status == 200
        assert wanted.items() <= shown.items(), shown
        assert sink.http("GET", f"{API}/message/{number}/headers")[0] == 200
