"""What the API takes, and that nothing it takes can break out of a header."""

from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from system import addresses
from system.api.schemas import read_job
from system.delivery.message import build, dot_stuffed
from system.delivery.states import Work

GOOD = {"kind": "email", "to": "a@example.org", "subject": "s", "body": "b"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "sms"}, "kind"),
        ({"kind": None}, "kind"),
        ({"to": 5}, "to"),
        ({"to": ["a@b.c"]}, "to"),
        ({"to": ""}, "to"),
        ({"to": "a"}, "to"),
        ({"to": "@b"}, "to"),
        ({"to": "a@"}, "to"),
        ({"to": "a@b@c"}, "to"),
        ({"to": "a@b, c@d"}, "to"),
        ({"to": "A <a@b>"}, "to"),
        ({"to": "<a@b>"}, "to"),
        ({"to": '"a b"@c'}, "to"),
        ({"to": "a b@c"}, "to"),
        ({"to": "a@b\r\nBcc: x@y"}, "to"),
        ({"to": "a@b\n"}, "to"),
        ({"to": "a\0@b"}, "to"),
        ({"to": "a..b@c"}, "to"),
        ({"to": ".a@c"}, "to"),
        ({"to": "ä@b"}, "to"),
        ({"to": "a@ä"}, "to"),
        ({"to": "a@[127.0.0.1]"}, "to"),
        ({"to": "a@b..c"}, "to"),
        ({"to": "a" * 65 + "@b"}, "to"),
        ({"to": "a@" + "b." * 130 + "c"}, "to"),
        ({"subject": ""}, "subject"),
        ({"subject": "  "}, "subject"),
        ({"subject": "a\rb"}, "subject"),
        ({"subject": "a\nb"}, "subject"),
        ({"subject": "a\0b"}, "subject"),
        ({"subject": "a\u2028b"}, "subject"),
        ({"subject": "a\x85b"}, "subject"),
        ({"subject": "x" * 999}, "subject"),
        ({"subject": "\ud800"}, "subject"),
        ({"body": ""}, "body"),
        ({"body": "a\0b"}, "body"),
        ({"body": "\udfff"}, "body"),
        ({"body": 1}, "body"),
        ({"bcc": "x@y"}, "bcc"),
    ],
)
def test_a_wrong_field_is_named(change, field):
    request, errors = read_job({**GOOD, **change})
    assert request is None
    assert field in errors


@pytest.mark.parametrize("field", sorted(GOOD))
def test_a_missing_field_is_named(field):
    request, errors = read_job({k: v for k, v in GOOD.items() if k != field})
    assert request is None
    assert list(errors) == [field]


@pytest.mark.parametrize("data", [None, [], "x", 5, [GOOD]])
def test_only_an_object_is_a_job(data):
    assert read_job(data)[0] is None


@pytest.mark.parametrize("key", ["", " ", "a b", "a<", 'a"', "ä", "x" * 129, "a\n"])
def test_wrong_keys(key):
    with pytest.raises(ValueError, match="1-128"):
        addresses.check_key(key)


def mail(job_id, key, to, subject, body):
    return Work(job_id, "email", key, {"to": to, "subject": subject, "body": body}, "example.org")


def parsed(work, fence=1):
    raw = build(work, fence, "from@example.org", "host:1", "task-1")
    return raw, message_from_bytes(raw, policy=policy.default)


ANYTHING = st.text(max_size=300)


@given(to=ANYTHING | st.just("a@b.c"), subject=ANYTHING, body=ANYTHING)
def test_what_is_accepted_arrives_as_it_was(to, subject, body):
    request, _ = read_job({"kind": "email", "to": to, "subject": subject, "body": body})
    if request is None:
        return
    raw, message = parsed(mail("f" * 32, "key-1", to, subject, body))
    assert message.keys() == [
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "X-Job-Key",
        "X-Job-Id",
        "X-Attempt",
        "X-Worker",
        "X-Hint",
        "Content-Type",
        "Content-Transfer-Encoding",
        "MIME-Version",
    ]
    assert message["Subject"] == subject
    assert message["To"] == to
    assert message.get_content_type() == "text/plain"
    lines = body.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    assert message.get_content().replace("\r\n", "\n").rstrip("\n") == lines
    assert raw.isascii()
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")


@given(ANYTHING.filter(addresses.has_control))
def test_the_builder_refuses_what_the_api_would_refuse(text):
    for work in (
        mail("f", "k", text, "s", "b"),
        mail("f", "k", "a@b.c", text, "b"),
        mail("f", text, "a@b.c", "s", "b"),
    ):
        with pytest.raises(ValueError, match=r"must|letters|needs"):
            parsed(work)


def test_a_long_key_stays_one_word():
    _, message = parsed(mail("f" * 32, "k" * 128, "a@b.c", "s", "b"))
    assert message["X-Job-Key"] == "k" * 128
    assert message["Message-ID"] == f"<{'f' * 32}@example.org>"


@given(st.text("ab.\r\n").map(lambda s: s.replace("\r", "").replace("\n", "\r\n").encode()))
def test_dot_stuffing_can_be_undone(raw):
    wire = dot_stuffed(raw)
    assert wire.endswith(b"\r\n")
    assert b"\r\n.\r\n" not in b"\r\n" + wire
    lines = [line[1:] if line.startswith(b".") else line for line in wire.split(b"\r\n")]
    assert b"\r\n".join(lines).rstrip(b"\r\n") == raw.rstrip(b"\r\n")
