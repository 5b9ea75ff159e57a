"""Our sink held against the stock aiosmtpd server: the same bytes get the same replies, mails and end."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration.fake_smtp.conftest import Sink, check_evidence
from tests.integration.fake_smtp.stock import MAX_SIZE, TAIL, Ours, Stock, as_the_sink_says, side_by_side

EHLO, HELO = b"EHLO client.test\r\n", b"HELO client.test\r\n"
GOOD, BAD = b64encode(b"\0user\0secret"), b64encode(b"\0user\0wrong")
LOGIN = EHLO + b"AUTH PLAIN " + GOOD + b"\r\n"
SENDER, ENVELOPE = b"MAIL FROM:<a@b.test>\r\n", b"MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\n"
DATA = LOGIN + ENVELOPE + b"DATA\r\n"
EVIL = b"MAIL FROM:<evil@b.test>\r\nRCPT TO:<evil@d.test>\r\nDATA\r\ntwo\r\n.\r\n"


def data(content: bytes) -> bytes:
    """Send one mail, dots as given."""
    return DATA + content + b".\r\n"


def after_login(*lines: bytes) -> bytes:
    return LOGIN + b"".join(line + b"\r\n" for line in lines)


def paths(*paths: bytes) -> bytes:
    """Name each path as sender, and as recipient of a good sender."""
    each = (b"MAIL FROM:%b\r\nRSET\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:%b\r\nRSET\r\n" % (p, p) for p in paths)
    return LOGIN + b"".join(each)


def padded(command: bytes, length: int) -> bytes:
    """Make a command line of `length` bytes, without its CRLF."""
    return command.replace(b"~", b"x" * (length - len(command) + 1))


LINES = {f"line of {n}": data(b"x" * (n - 2) + b"\r\n") for n in (998, 1000, 1001, 1002, 1003, 5000, 70000)}
STUFFED = {
    f"stuffed line of {n}": data(b"hi\r\n." + b"." * (n - 3) + b"\r\n")
    for n in (998, 1000, 1001, 1002, 1003, 5000, 70000)
}
SMUGGLED = {
    f"smuggled behind {end!r}": data(b"one" + end + EVIL)
    for end in (
        b"\n.\n",
        b"\r.\r",
        b"\r\n.\n",
        b"\n.\r\n",
        b"\r\n.\r",
        b"\r.\r\n",
        b"\r\n.\0\r\n",
        b"\r\n. \r\n",
    )
}
COMMANDS = {
    f"command of {n}": after_login(
        padded(b"NOOP ~", n), padded(b"VRFY <~@b.test>", n), padded(b"~", n), b"NOOP"
    )
    for n in (100, 510, 511, 512, 513, 2000, 70000)
}
SENDERS = {
    f"sender in a line of {n}": after_login(padded(b"MAIL FROM:<~@b.test> SIZE=10", n))
    for n in (510, 511, 512, 513, 522, 538, 548, 549, 550, 1002, 1003, 2000)
}
SESSIONS = {
    "plain": data(b"Subject: hi\r\n\r\nhello\r\n"),
    "HELO": HELO + ENVELOPE + b"DATA\r\n",
    "HELO after the login": LOGIN + HELO + ENVELOPE + b"DATA\r\nhi\r\n.\r\n",
    "HELO takes no parameters": LOGIN + HELO + b"MAIL FROM:<a@b.test> SIZE=10\r\n" + ENVELOPE,
    "greetings without a name": b"EHLO\r\nHELO\r\nEHLO  \r\nMAIL FROM:<a@b.test>\r\n",
    "nothing": b"",
    "empty lines": b"\r\n\n\r\n \r\n",
    "bare LF ends a command": LOGIN.replace(b"\r\n", b"\n") + ENVELOPE.replace(b"\r\n", b"\n"),
    "bare CR does not": LOGIN + b"NOOP\rNOOP\r\nRSET\r\r\n",
    "two recipients": LOGIN + ENVELOPE + b"RCPT TO:<e@f.test>\r\nDATA\r\nhi\r\n.\r\n",
    "mail after mail": LOGIN + (ENVELOPE + b"DATA\r\nhi\r\n.\r\n") * 7,
    "two MAILs": LOGIN + SENDER * 2 + b"RCPT TO:<c@d.test>\r\n",
    "RCPT before MAIL": LOGIN + b"RCPT TO:<c@d.test>\r\nDATA\r\n",
    "DATA before RCPT": LOGIN + SENDER + b"DATA\r\n" + b"DATA now\r\n",
    "DATA with a word": LOGIN + ENVELOPE + b"DATA now\r\n",
    "MAIL before EHLO": ENVELOPE + b"DATA\r\n",
    "MAIL before AUTH": EHLO + ENVELOPE + b"DATA\r\nVRFY <a@b.test>\r\nHELP\r\nRSET\r\nNOOP\r\n",
    "EHLO forgets the envelope": LOGIN + ENVELOPE + EHLO + b"DATA\r\n" + ENVELOPE + b"DATA\r\nhi\r\n.\r\n",
    "RSET forgets the envelope": LOGIN + ENVELOPE + b"RSET\r\nDATA\r\nRSET now\r\n" + ENVELOPE,
    "dots": data(b"..first\r\nmid\r\n..\r\n...\r\n..mid.\r\n.\t\r\n......\r\n..last\r\n"),
    "one dot line": data(b"..\r\n"),
    "unstuffed dot": data(b".first\r\n.mid\r\n"),
    "empty mail": data(b""),
    "only an empty line": data(b"\r\n"),
    "no CRLF before the dot": data(b"hi") + b"\r\n.\r\n",
    "bare line ends": data(b"\na\nb\r\rc\n\r\nd\r\r\n\n\r\n"),
    "dots behind bare line ends": data(b"a\n.b\n..c\r.d\r..e\r\n"),
    "NUL bytes": data(b"a\0b\r\n\0\r\n.\0\r\n"),
    "8BITMIME": LOGIN
    + b"MAIL FROM:<a@b.test> BODY=8BITMIME\r\nRCPT TO:<c@d.test>\r\nDATA\r\n\xe4\xff\r\n.\r\n",
    "body kinds": after_login(
        *(b"MAIL FROM:<a@b.test> BODY" + how for how in (b"=8bit", b"=7bit", b"", b"="))
    ),
    "SMTPUTF8": LOGIN
    + "MAIL FROM:<jürgen@köln.test> SMTPUTF8\r\nRCPT TO:<あ@paris.test>\r\nDATA\r\nß\r\n.\r\n".encode(),
    "SMTPUTF8 unsaid": LOGIN + "MAIL FROM:<jürgen@köln.test>\r\nRCPT TO:<あ@paris.test>\r\n".encode(),
    "SMTPUTF8 with a value": after_login(b"MAIL FROM:<a@b.test> SMTPUTF8=1"),
    "no UTF-8 in addresses": LOGIN
    + b"MAIL FROM:<\xff@b.test>\r\nRCPT TO:<\xe4\x80@d.test>\r\nDATA\r\nhi\r\n.\r\n",
    "no ASCII in commands": LOGIN
    + b"N\xc3\x96OP\r\n\xff\xfe\r\nNOOP \xff\r\nHELP \xff\r\nRSET \xff\r\nDATA\xff\r\n",
    "NUL in commands": LOGIN + b"NO\0OP\r\nNOOP \0\r\n\0\r\n",
    "odd spaces": LOGIN
    + b" NOOP\r\nNOOP  x \r\nrSeT  \r\nMAIL\tFROM:<a@b.test>\r\nMAIL  from:  <a@b.test>  \r\n",
    "SIZE": after_login(b"MAIL FROM:<a@b.test> SIZE=%d" % MAX_SIZE),
    "SIZE over the limit": after_login(
        b"MAIL FROM:<a@b.test> SIZE=%d" % (MAX_SIZE + 1), b"RCPT TO:<c@d.test>"
    ),
    "bad SIZEs": after_login(
        *(b"MAIL FROM:<a@b.test> SIZE" + n for n in (b"=x", b"=-1", b"", b"=", b"=1=2"))
    ),
    "unknown parameters": after_login(
        b"MAIL FROM:<a@b.test> FOO=1",
        b"MAIL FROM:<a@b.test> RET=HDRS ENVID=x",
        b"MAIL FROM:<a@b.test> AUTH=<>",
        SENDER[:-2],
        b"RCPT TO:<c@d.test> NOTIFY=NEVER",
        b"RCPT TO:<c@d.test> =",
        b"RCPT TO:<c@d.test> ORCPT",
    ),
    "data at the limit": data(b"x" * 98 + b"\r\n" + (b"x" * 98 + b"\r\n") * (MAX_SIZE // 100 - 1)),
    "data over the limit": data(b"x" * 99 + b"\r\n" + (b"x" * 98 + b"\r\n") * (MAX_SIZE // 100 - 1))
    + ENVELOPE
    + b"DATA\r\nhi\r\n.\r\n",
    "stuffed data over the limit": data((b".." + b"x" * 96 + b"\r\n") * (MAX_SIZE // 100) + b"..\r\n"),
    "data far over the limit": data((b"x" * 98 + b"\r\n") * (MAX_SIZE // 100) * 5) + b"NOOP\r\n",
    "long headers": data((b"X-Long: " + b"y" * 900 + b"\r\n " + b"z" * 900 + b"\r\n") * 30 + b"\r\nhi\r\n"),
    "a refused line, then a mail": data(b"x" * 1000 + b"\r\n") + ENVELOPE + b"DATA\r\nhi\r\n.\r\n",
    "four unknown commands": after_login(b"FOO", b"BAR x", b"\x7f", b"STARTTLS", b"SEND FROM:<a@b.test>"),
    "too many unknown commands": after_login(*[b"FOO"] * 5) + EVIL,
    "harmless commands": after_login(
        b"NOOP",
        b"NOOP x",
        b"RSET",
        b"VRFY",
        b"VRFY <a@b.test>",
        b"VRFY a",
        b"HELP",
        b"HELP mail",
        b"HELP foo",
        b"HELP EHLO",
        b"EXPN",
        b"EXPN list",
    ),
    "HELP after HELO": LOGIN + HELO + b"HELP MAIL\r\nHELP RCPT\r\n",
    "QUIT with a word": LOGIN + b"QUIT now\r\nNOOP\r\n",
    "nothing is heard after QUIT": LOGIN + b"QUIT\r\n" + ENVELOPE + b"DATA\r\nlate\r\n.\r\n",
    "plain paths": paths(b"<a@b.test>", b"a@b.test", b"<a>", b"a", b"<a@b.test", b"a@b.test>", b"<>", b""),
    "quoted paths": paths(b'<"a b"@c.test>', b'<"a\\"b"@c.test>', b'"a@b"@c.test', b'<"">', b'<"a@b.test>'),
    "commented paths": paths(
        b"<(c)a@b.test>", b"<a(c)@b.test>", b"<a@b.test>(c)", b"(c) <a@b.test>", b"A <a@b.test>"
    ),
    "routed paths": paths(b"<@x.test:a@b.test>", b"<@x.test,@y.test:a@b.test>", b"@x.test:a@b.test"),
    "odd domains": paths(
        b"<a@[127.0.0.1]>", b"<a@[IPv6:::1]>", b"<a@b..test>", b"<a@-b>", b"<a@>", b"<@b>", b"<a@b@c>"
    ),
    "spaced paths": paths(
        b"  <a@b.test>", b"< a@b.test >", b"<a @b.test>", b"<a@b.test> ", b"<a@b.test>  SIZE=1"
    ),
    "garbage behind": paths(
        b"<a@b.test>x", b"<a@b.test> x y", b"<a@b.test> <c@d.test>", b"<a@b.test>,<c@d.test>"
    ),
    "broken paths": paths(
        b"<<a@b.test>>", b"<a@b.test>>", b"\\", b"<a\\@b.test>", b"<a@[b>", b"<a@[]>", b"<.a.@b>"
    ),
    "long paths": paths(
        b"<" + b"a" * 64 + b"@b.test>", b"<" + b"a" * 300 + b"@b.test>", b"<a@" + b"b." * 150 + b"c>"
    ),
    "no keyword": after_login(
        b"MAIL",
        b"MAIL FROM",
        b"MAIL <a@b.test>",
        b"MAIL TO:<a@b.test>",
        SENDER,
        b"RCPT",
        b"RCPT TO",
        b"RCPT <c@d.test>",
        b"RCPT FROM:<c@d.test>",
        b"MAIL FROM :<a@b.test>",
    ),
    "PLAIN": EHLO + b"AUTH PLAIN\r\n" + GOOD + b"\r\n" + SENDER,
    "LOGIN": EHLO
    + b"AUTH LOGIN\r\n"
    + b64encode(b"user")
    + b"\r\n"
    + b64encode(b"secret")
    + b"\r\n"
    + SENDER,
    "LOGIN at once": EHLO
    + b"AUTH LOGIN "
    + b64encode(b"user")
    + b"\r\n"
    + b64encode(b"secret")
    + b"\r\n"
    + SENDER,
    "wrong password": EHLO
    + (b"AUTH PLAIN " + BAD + b"\r\n") * 3
    + SENDER
    + b"AUTH PLAIN "
    + GOOD
    + b"\r\n"
    + SENDER,
    "wrong LOGIN": EHLO
    + b"AUTH LOGIN\r\n"
    + b64encode(b"user")
    + b"\r\n"
    + b64encode(b"wrong")
    + b"\r\n"
    + SENDER,
    "cancelled logins": EHLO
    + b"AUTH PLAIN\r\n*\r\nAUTH LOGIN\r\n*\r\nAUTH LOGIN\r\ndXNlcg==\r\n*\r\n"
    + SENDER,
    "login twice": LOGIN + b"AUTH PLAIN " + GOOD + b"\r\n" + EHLO + b"AUTH LOGIN\r\n" + SENDER,
    "bad base64": EHLO
    + b"AUTH PLAIN !\r\nAUTH PLAIN\r\n!\r\nAUTH LOGIN a\r\nAUTH LOGIN\r\ndXNlcg\r\nAUTH PLAIN =\r\n",
    "unsplittable logins": EHLO
    + b"".join(b"AUTH PLAIN " + b64encode(x) + b"\r\n" for x in (b"u", b"\0u", b"\0u\0p\0")),
    "no UTF-8 in logins": EHLO + b"AUTH PLAIN " + b64encode(b"\0\xff\0\xff") + b"\r\nAUTH PLAIN \xff\r\n",
    "login before EHLO": b"AUTH PLAIN " + GOOD + b"\r\n" + HELO + b"AUTH PLAIN " + GOOD + b"\r\n",
    "odd logins": EHLO + b"AUTH\r\nAUTH CRAM-MD5\r\nauth plain\r\nAUTH PLAIN a b\r\nAUTH LOGIN a b c\r\n",
    **LINES,
    **STUFFED,
    **SMUGGLED,
    **COMMANDS,
    **SENDERS,
}


class Pair:
    """Both servers; one conversation with both at a time."""

    def __init__(self, stock: Stock, ours: Ours, pool: ThreadPoolExecutor) -> None:
        self._stock, self._ours, self._pool = stock, ours, pool

    def hold(self, pieces: Sequence[bytes], pause_s: float = 0.0) -> None:
        """Say the same to both; fail where they differ."""
        waiting = self._pool.submit(self._stock.converse, pieces, pause_s)
        ours = self._ours.converse(pieces, pause_s)
        stock = as_the_sink_says(waiting.result())
        assert ours.mails == stock.mails
        if ours.reset or stock.reset:
            # Closed over bytes on their way: the kernel may drop the last replies of either.
            common = min(len(ours.replies), len(stock.replies)) - 1
            assert ours.replies[:common] == stock.replies[:common]
        else:
            assert ours.replies == stock.replies


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    sink = Sink(tmp_path_factory.mktemp("stock"), "--max-size", str(MAX_SIZE))
    with side_by_side(sink) as both, ThreadPoolExecutor(1) as pool:
        yield Pair(*both, pool)
    assert sink.stop() == (0, "")
    check_evidence(sink.out)


@pytest.mark.parametrize("name", SESSIONS)
def test_in_one_segment(pair: Pair, name: str) -> None:
    pair.hold([SESSIONS[name] + TAIL])


# What is longer is about a length, and would take seconds.
SHORT = [name for name, session in SESSIONS.items() if len(session) < 900]


@pytest.mark.parametrize("name", SHORT)
def test_every_byte_alone(pair: Pair, name: str) -> None:
    session = SESSIONS[name] + TAIL
    pair.hold([session[at : at + 1] for at in range(len(session))], pause_s=1e-5)


@pytest.mark.parametrize("name", SESSIONS)
def test_in_lines(pair: Pair, name: str) -> None:
    """As most clients write; the last line end of a piece is torn."""
    session = SESSIONS[name] + TAIL
    pair.hold([piece + b"\n" for piece in session.removesuffix(b"\n").split(b"\n")])


LINE = st.sampled_from(
    sorted({line for name in SHORT for line in SESSIONS[name].split(b"\r\n") if len(line) <= 548})
)
# The blunt ones are there to be cut and mixed; a line over 1001 bytes would fall apart in a login of stock.
NONSENSE = st.binary(max_size=20).map(lambda line: line.replace(b"\r", b"").replace(b"\n", b""))
COMMAND = st.one_of(LINE, LINE, LINE.map(bytes.lower), st.just(b"RSET"), NONSENSE).map(
    lambda line: line + b"\r\n"
)
CONTENT = st.lists(
    st.sampled_from(
        [b"\r\n", b"\r\n", b"\n", b"\r", b".", b".", b"a", b"\0", b"\xff", b"x" * 996, b"y" * 5000]
    ),
    max_size=12,
).map(b"".join)
MAIL = st.tuples(CONTENT, st.sampled_from([b"\r\n.\r\n", b".\r\n", b"\r\n.\n"])).map(
    lambda mail: b"RSET\r\n" + ENVELOPE + b"DATA\r\n" + b"".join(mail)
)
TALK = st.tuples(
    st.sampled_from([LOGIN, LOGIN, LOGIN, EHLO, HELO, b""]),
    st.lists(st.one_of(COMMAND, MAIL, MAIL), max_size=10),
).map(lambda talk: talk[0] + b"".join(talk[1]))
CUTS: st.SearchStrategy[list[int]] = st.one_of(
    st.just([]), st.lists(st.integers(1, 400), min_size=1, max_size=20)
)


def _cut(session: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Cut a session into pieces of these sizes; the last piece is the rest."""
    ends = [0, *accumulate(sizes)]
    pieces = [session[begin:end] for begin, end in pairwise([*ends, len(session)])]
    return [piece for piece in pieces if piece]


@given(TALK, CUTS)
@settings(max_examples=800, deadline=None, derandomize="CI" in os.environ, database=None)
def test_whatever_is_said(pair: Pair, session: bytes, sizes: Sequence[int]) -> None:
    pair.hold(_cut(session + TAIL, sizes), pause_s=1e-5 if sizes else 0.0)
