"""One hostile SMTP client: what it says is a valid conversation, damaged; how it behaves is worse.

Called by the runner, many at a time. Judges nothing: that is the target's part.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Literal

End = Literal["close", "half", "reset", "quit"]

LOGIN = b"AUTH PLAIN " + b64encode(b"\0user\0secret") + b"\r\n"
_COMMANDS = (
    *(
        b"EHLO client.test\r\n",
        b"HELO client.test\r\n",
        LOGIN,
        b"AUTH LOGIN\r\n",
        b"dXNlcg==\r\n",
        b"c2VjcmV0\r\n",
    ),
    *(b"AUTH PLAIN\r\n", b"AUTH PLAIN =\r\n", b"*\r\n", b"NOOP\r\n", b"RSET\r\n", b"VRFY <a@b.test>\r\n"),
    *(
        b"HELP\r\n",
        b"HELP MAIL\r\n",
        b"EXPN x\r\n",
        b"STARTTLS\r\n",
        b"QUIT\r\n",
        b"DATA\r\n",
        b".\r\n",
        b"\r\n",
    ),
    *(
        b"MAIL FROM:<>\r\n",
        b"MAIL FROM:<a@b.test> SIZE=10 BODY=8BITMIME SMTPUTF8\r\n",
        b"RCPT TO:<c@d.test>\r\n",
    ),
    *(
        b"MAIL FROM:<a@[b>\r\n",
        b'RCPT TO:<"a\\"@b"@c.test>\r\n',
        b"RCPT TO:<@x.test:a@b.test>\r\n",
        b"RCPT TO:<\xff@\xfe>\r\n",
    ),
    *(
        b"MAIL FROM:<" + b"(" * 200 + b"\r\n",
        b"RCPT TO:" + b'"' * 300 + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\r\n",
    ),
)
_HEADERS = (
    *(
        b"Subject: =?utf-8?q?=C3=A4?= =?x?b?!!?= =?utf-8?b?\xff?=",
        b"Subject: " + b"=?utf-8?q?a?= " * 50,
        b"Subject:",
    ),
    *(
        b"Message-ID: <fuzz-1@client.test>",
        b"Message-ID: \xff\xfe",
        b"X-Job-Key: fuzz",
        b"X-Attempt: 999999999999999999999",
    ),
    *(
        b"From: =?utf-8?b?4pyT?= <a@b.test>, (c",
        b"To: a@b.test, \xc3\xa4@\xff, <<<<",
        b"Cc: " + b"<" * 300,
        b"Date: never",
    ),
    *(
        b"Content-Type: multipart/mixed; boundary=x",
        b"Content-Type: multipart/mixed",
        b"Content-Type: text/plain; charset=\xff",
    ),
    *(
        b"Content-Type: multipart/related; start=\xff; boundary=x",
        b"Content-Type: text/html; charset=utf-7",
        b"Content-Type: x",
    ),
    *(
        b"Content-Type: message/rfc822",
        b"Content-Type: message/external-body; access-type=x",
        b"Content-Type: text/plain; a*0*=\xff''%",
    ),
    *(
        b"Content-Disposition: attachment; filename*=utf-8''%ff%00\xff",
        b'Content-Disposition: attachment; filename="\xff\r\n\t"',
    ),
    *(
        b"Content-Transfer-Encoding: base64",
        b"Content-Transfer-Encoding: quoted-printable",
        b"Content-Transfer-Encoding: x-uuencode",
    ),
    *(
        b"MIME-Version: x",
        b" folded",
        b":",
        b"\0: \0",
        b"X: " + b"y" * 900,
        b"Reply-To: a@[::::",
        b"Content-ID: <\xff",
    ),
)
_LINES = (
    b"--x",
    b"--x--",
    b"",
    b"text",
    b"\xff\xfe",
    b"..",
    b"=ff=",
    b"begin 644 x",
    b"z" * 990,
    b"\0",
    b"a\rb",
    b"a\nb",
    b"-- x",
)


def mail(rng: Random) -> bytes:
    """Make a message that no parser likes, dots stuffed, with its final dot."""
    heads = [rng.choice(_HEADERS) for _ in range(rng.randint(0, 8))]
    if rng.random() < 0.03:
        depth = rng.randint(20, 2000)
        heads = [b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x"] * depth
    lines = [*heads, b"", *(rng.choice((*_LINES, *_HEADERS)) for _ in range(rng.randint(0, 12)))]
    content = b"\r\n".join(lines) + b"\r\n"
    return content.replace(b"\r\n.", b"\r\n..") + b".\r\n"


def _envelope(rng: Random) -> bytes:
    to = b"".join(b"RCPT TO:<%d@d.test>\r\n" % number for number in range(rng.choice((1, 1, 1, 2, 40))))
    return b"MAIL FROM:<a@b.test>\r\n" + to + b"DATA\r\n"


def _garbage(rng: Random) -> bytes:
    return rng.randbytes(rng.choice((1, 10, 300, 5000)))


def _huge_line(rng: Random) -> bytes:
    start = rng.choice((b"", b"NOOP ", b"MAIL FROM:<", b"AUTH PLAIN ", b"HELP ", b"EHLO "))
    return (
        start
        + rng.choice((b"x", b"<", b'"', b"\xff", b" ", b"(")) * rng.choice((513, 1001, 3000, 300_000))
        + b"\r\n"
    )


def _storm(rng: Random) -> bytes:
    return rng.choice((b"NOOP\r\n", b"RSET\r\n", b"\r\n", b"VRFY a\r\n", b"HELP\r\n")) * rng.choice(
        (10, 1000, 8000)
    )


def conversation(rng: Random) -> bytes:
    """Make everything that one client says, before it is damaged."""
    parts = [rng.choice((b"EHLO client.test\r\n" + LOGIN, b"EHLO client.test\r\n" + LOGIN, b""))]
    makers: tuple[Callable[[Random], bytes], ...] = (
        *[lambda rng: rng.choice(_COMMANDS)] * 6,
        *[lambda rng: _envelope(rng) + mail(rng)] * 6,
        *(_garbage, _huge_line, _storm),
    )
    parts += [rng.choice(makers)(rng) for _ in range(rng.randint(1, 8))]
    return b"".join(parts)


def damaged(rng: Random, said: bytes) -> bytes:
    """Damage it in one to four places; a part of the conversations stays whole."""
    data = bytearray(said)
    for _ in range(rng.choice((0, 0, 1, 1, 2, 4))):
        if not data:
            break
        at = rng.randrange(len(data))
        match rng.randrange(6):
            case 0:
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                del data[at:]
            case 2:
                del data[at : at + rng.randint(1, 30)]
            case 3:
                data[at:at] = data[at : at + rng.randint(1, 3000)]
            case 4:
                data[at:at] = rng.randbytes(rng.randint(1, 20))
            case _:
                data = data.replace(
                    b"\r\n", rng.choice((b"\n", b"\r", b"\r\r\n", b"\n\r")), rng.randint(1, 3)
                )
    return bytes(data)


@dataclass(frozen=True)
class Attack:
    """One client: its segments, how patient it is and how it goes."""

    pieces: tuple[bytes, ...]
    listens: bool
    """Hears an answer, if one comes, before it goes on; else it writes and reads nothing until the end."""
    end: End
    over_tls: bool
    """Asks for TLS first, where the sink has it."""

    @classmethod
    def make(cls, rng: Random) -> Attack:
        """Make one from nothing but the generator."""
        said = damaged(rng, conversation(rng))
        end: End = rng.choice(("close", "half", "reset", "quit"))
        return cls(tuple(_cut(rng, said)), rng.random() < 0.3, end, rng.random() < 0.2)

    async def run(self, port: int, limit_s: float) -> None:
        """Carry it out; whatever the sink does is well."""
        with suppress(OSError, TimeoutError, RuntimeError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                async with asyncio.timeout(limit_s):
                    if self.over_tls:
                        await _secure(reader, writer)
                    await self._talk(reader, writer)
            finally:
                _leave(writer, reset=self.end == "reset")

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in self.pieces:
            writer.write(piece)
            await writer.drain()
            if self.listens:
                with suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(65536), 0.05)
            else:
                await asyncio.sleep(0)
        if self.end == "quit":
            writer.write(b"\r\n.\r\nQUIT\r\n")
        if self.end == "half" and writer.can_write_eof():
            writer.write_eof()
        if self.end in ("half", "quit"):
            while await reader.read(65536):
                pass


async def _secure(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Go over to TLS, if the sink says 220 to that."""
    await _reply(reader)
    writer.write(b"EHLO client.test\r\n")
    if b"STARTTLS" not in await _reply(reader):
        return
    writer.write(b"STARTTLS\r\n")
    if (await _reply(reader)).startswith(b"220"):
        await writer.start_tls(_trusting())


async def _reply(reader: asyncio.StreamReader) -> bytes:
    """Read one reply; "" at the end of the connection."""
    heard = b""
    while line := await reader.readline():
        heard += line
        if line[3:4] == b" ":
            break
    return heard


@cache
def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _cut(rng: Random, said: bytes) -> list[bytes]:
    if rng.random() < 0.4:
        return [said]
    count = rng.randint(1, 25)
    cuts = sorted(rng.randrange(len(said) + 1) for _ in range(count))
    return [said[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(said)], strict=True)]


def _leave(writer: asyncio.StreamWriter, reset: bool) -> None:
    sock = writer.get_extra_info("socket")
    if reset and sock is not None:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
