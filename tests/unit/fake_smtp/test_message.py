"""What the sink reads from a mail, against Python's own generator and reader."""

from __future__ import annotations

import email
import email.policy
from email.header import Header
from email.message import EmailMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fake_smtp.message import parse
from reports.evidence import content_digest

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=400)
WORDS = st.lists(
    st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=90), max_size=15
)
SUBJECT = WORDS.map(" ".join)


def build(
    subject: str, body: str, policy: email.policy.EmailPolicy = email.policy.SMTP, **content: str
) -> bytes:
    message = EmailMessage(policy=policy)
    message["Subject"] = subject
    message["X-Job-Key"] = "key-1"
    message.set_content(body, **content)
    return bytes(message)


@given(
    SUBJECT,
    TEXT,
    st.sampled_from([None, "8bit", "quoted-printable", "base64"]),
    st.sampled_from([email.policy.SMTP, email.policy.SMTPUTF8]),
)
def test_digest_is_that_of_what_was_written(subject, body, cte, policy) -> None:
    raw = build(subject, body, policy, cte=cte)
    # Python's generator itself may lose a space between long non-ASCII words: nobody can read that right.
    assume(str(email.message_from_bytes(raw, policy=email.policy.default)["Subject"]) == subject)
    mail = parse(raw)
    assert mail.digest == content_digest(subject, body)
    assert mail.key == "key-1"


@given(SUBJECT)
def test_subjects_encoded_by_header_are_read_exactly(subject: str) -> None:
    encoded = Header(subject, "utf-8", header_name="Subject").encode(linesep="\r\n").encode()
    assert parse(b"Subject: " + encoded + b"\r\n\r\nx\r\n").digest == content_digest(subject, "x")


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("", ""),
        ("plain", "one line"),
        ("Grüße aus Köln", "schön\n"),
        ("日本語 " * 20, "本文\n" * 50),
        ("word " * 40 + "end", "x" * 5000 + "\n"),
        ("x" * 300, "é" * 3000),
        ("dots", ".\n..\n.a\n\n.\n"),
        ("blank ends", "a\n\n\n\n\n"),
        ("only blank", "\n\n\n"),
        ("=?not an encoded word?=", "=3D =\n soft = break =\n"),
        ("tab\tinside", "tabs\t \t\n trailing spaces  \n"),
        ("From at the start", "From here\n>From there\n"),
        ("emoji 🎉", "🎉 e\u0301 \u200b\n"),
    ],
)
@pytest.mark.parametrize("cte", [None, "quoted-printable", "base64"])
def test_by_hand(subject: str, body: str, cte: str | None) -> None:
    assert parse(build(subject, body, cte=cte)).digest == content_digest(subject, body)


@given(TEXT, TEXT)
def test_different_texts_have_different_digests(one: str, other: str) -> None:
    same = content_digest("s", one) == content_digest("s", other)
    assert (
        parse(build("s", one, cte="base64")).digest == parse(build("s", other, cte="base64")).digest
    ) == same


def test_the_first_plain_part_of_a_multipart_mail_counts() -> None:
    message = MIMEMultipart("alternative")
    message["Subject"] = "Two parts"
    message["Message-ID"] = "<m@d>"
    message.attach(MIMEText("<p>grün</p>", "html", "utf-8"))
    message.attach(MIMEText("grün\n", "plain", "utf-8"))
    message.attach(MIMEText("second\n", "plain", "utf-8"))
    mail = parse(message.as_bytes())
    assert (mail.message_id, mail.digest) == ("m@d", content_digest("Two parts", "grün\n"))


def test_other_charsets() -> None:
    raw = build("s", "naïve café", charset="iso-8859-1", cte="quoted-printable")
    assert parse(raw).digest == content_digest("s", "naïve café")


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_headers_folded_repeated_and_in_any_case(end: bytes) -> None:
    lines = [
        b"SUBJECT: one",
        b"\ttwo",
        b" three",
        b"subject: second",
        b"x-job-KEY:k",
        b"X-Attempt: 12 ",
        b"Message-Id:",
        b" <a@b>",
        b"",
        b"Subject: in the body",
    ]
    mail = parse(end.join(lines))
    assert mail.digest == content_digest("one\ttwo three", "Subject: in the body")
    assert (mail.key, mail.attempt, mail.message_id) == ("k", 12, "a@b")


def test_long_keys_that_python_folds_into_encoded_words() -> None:
    message = EmailMessage(policy=email.policy.SMTP)
    message["X-Job-Key"] = "k" * 128
    message.set_content("x")
    assert b"=?" in bytes(message)
    assert parse(bytes(message)).key == "k" * 128


@pytest.mark.parametrize("attempt", [b"", b"x", b"-1", b"1.5", "٣".encode(), b"9" * 30])
def test_an_unreadable_attempt_is_none(attempt: bytes) -> None:
    assert parse(b"X-Attempt: " + attempt + b"\r\n\r\n").attempt is None


@given(
    st.binary(max_size=300)
    | st.lists(
        st.sampled_from(
            [
                b"Subject: ",
                b"=?utf-8?b?",
                b"=?x?q?=ff?=",
                b"?=",
                b"\r\n",
                b"\r\n\r\n",
                b"\n",
                b" ",
                b"Content-Type: multipart/x",
                b"Content-Type: text/plain; charset=utf-16",
                b"charset=idna",
                b"Content-Transfer-Encoding: base64",
                b"=",
                b"\xff",
                b"\0",
                b"=?utf-7?q?+2AA-?=",
                b"=?utf-8?b?a?=",
            ]
        ),
        max_size=12,
    ).map(b"".join)
)
def test_nothing_that_arrives_raises(raw: bytes) -> None:
    assert len(parse(raw).digest) == 64
