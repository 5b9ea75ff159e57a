"""One hostile HTTP client: requests to every address of the control API, well-formed, odd and broken.

Called by the runner, several at a time, which judges the answers.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote_from_bytes

from fake_smtp.faults import FAULTS

_BIG = 10**400
_ATOMS: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 10**18, _BIG, -_BIG, 0.1, -0.0, 1e308, float("inf"), float("nan")),
    *(
        "",
        "a",
        "\ud800",
        "\0",
        "ä",
        "x" * 5000,
        "*",
        "[",
        "[!",
        "dot",
        "2",
        [],
        {},
        [1],
        [1, 2],
        [2, 1],
        [_BIG, _BIG],
    ),
    *([True], [[]], {"": ""}, {"a": {"b": None}}, [None], ["a", 1], {"\ud800": "\ud800"}, [1, 2, 3]),
)
_LIMIT_S = 0.2


def some_json(rng: Random, depth: int = 3) -> Any:
    """Make any JSON value."""
    if depth and rng.random() < 0.4:
        return [some_json(rng, depth - 1) for _ in range(rng.randint(0, 4))]
    if depth and rng.random() < 0.4:
        names = ("seed", "rules", "fault", "phase", "expected", "key", "digest", "subject", "text", "\ud800")
        return {rng.choice(names): some_json(rng, depth - 1) for _ in range(rng.randint(0, 4))}
    return rng.choice(_ATOMS)


def valid_params(rng: Random, fault: str) -> dict[str, Any]:
    """Make the parameters of a fault, quick ones: nobody waits here for half a minute."""
    params: dict[str, Any] = {}
    for name, usual in FAULTS[fault].defaults.items():
        params[name] = usual
        if name == "bytes_per_s":
            params[name] = rng.choice((2000, 10**6))
        elif name.endswith("_s"):
            params[name] = rng.choice((0, 0.01, 0.2))
        elif name in ("at_byte", "bytes", "tries"):
            params[name] = rng.randint(1, 3)
    return params


def valid_plan(rng: Random) -> dict[str, Any]:
    """Make a plan of one to four rules that the sink can obey."""
    rules = []
    for fault in rng.choices(sorted(FAULTS), k=rng.randint(1, 4)):
        rule = {
            "fault": fault,
            "probability": rng.choice((0.2, 0.5, 1.0)),
            "params": valid_params(rng, fault),
        }
        rules.append({**rule, **rng.choice(({}, {}, {"count": 2}, {"attempts": 1}, {"attempt": [1, 2]}))})
    return {"seed": rng.randrange(1000), "rules": rules}


def almost_plan(rng: Random) -> Any:
    """Make a plan with one thing in it replaced; where it can be obeyed, its time has not come."""
    plan = valid_plan(rng)
    for rule in plan["rules"]:
        rule["from_s"] = 1e9
    rule = rng.choice(plan["rules"])
    where = rng.choice((plan, rule, rule, rule, rule["params"]))
    names = (
        "probability",
        "count",
        "attempts",
        "key",
        "recipient",
        "sender",
        "attempt",
        "until_s",
        "phase",
        "seed",
    )
    where[rng.choice([*where, *names])] = some_json(rng, 1)
    return plan


def _expected(rng: Random) -> Any:
    one = {"key": "a", "digest": "b"} if rng.random() < 0.5 else {"key": "a", "subject": "s", "text": "t"}
    one[rng.choice(("key", "digest", "subject", "text"))] = some_json(rng, 1)
    return {"expected": [one, some_json(rng, 1)] if rng.random() < 0.5 else [one]}


def _dumped(rng: Random, value: Any) -> bytes:
    body = json.dumps(value).encode()
    if rng.random() < 0.1:
        body = body.replace(str(_BIG).encode(), b"9" * rng.choice((4299, 4301, 20_000)))
    if rng.random() < 0.1:
        body = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return body


def _nested(rng: Random) -> bytes:
    depth = rng.choice((*range(900, 1000, 10), rng.randint(800, 1100), 5000, 200_000))
    inner = rng.choice((b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth, b"[" * depth))
    return rng.choice(
        (b"%b", b'{"rules":[%b]}', b'{"rules":[{"fault":"noop","params":%b}]}', b'{"expected":[%b]}')
    ).replace(b"%b", inner)


def _many_keys(rng: Random) -> bytes:
    return json.dumps({"expected": [str(number) for number in range(rng.choice((10, 10, 100_000)))]}).encode()


_BODIES: tuple[Callable[[Random], bytes], ...] = (
    lambda rng: rng.randbytes(rng.choice((1, 100, 10_000))),
    _nested,
    _many_keys,
    lambda rng: _dumped(rng, some_json(rng)),
    lambda rng: _dumped(rng, {"phase": rng.choice(_ATOMS)}),
    *[lambda rng: _dumped(rng, _expected(rng))] * 2,
    *[lambda rng: _dumped(rng, almost_plan(rng))] * 4,
)


def _body(rng: Random) -> bytes:
    return rng.choice(_BODIES)(rng)


_EVIL = (
    b"\xff",
    b"\0",
    b"\r\n",
    b"%",
    b"a" * 3000,
    b"\xed\xa0\x80",
    b"\xc3\xa4",
    b"0",
    b"-1",
    b"1e400",
    b"nan",
    b"9" * 400,
    b"'",
    b"*",
)
_NAMES = (
    b"key",
    b"recipient",
    b"sender",
    b"subject",
    b"text",
    b"since_s",
    b"until_s",
    b"before",
    b"limit",
    b"query",
    b"start",
    b"tz",
    b"\xff",
)
_PATHS = (
    *(
        b"/health",
        b"/plan",
        b"/phase",
        b"/counters",
        b"/metrics",
        b"/receipts",
        b"/mails",
        b"/verify",
        b"/events",
        b"/",
    ),
    *(
        b"/api/v1/messages",
        b"/api/v1/search",
        b"/api/v1/info",
        b"/api/v1/message/latest",
        b"/livez",
        b"/readyz",
    ),
    *(
        b"/view/latest.html",
        b"/view/1.txt",
        b"/openapi.json",
        b"/docs",
        b"/faults",
        b"/page/x",
        b"/nothing",
        b"*",
        b"//",
    ),
    *(b"/../etc", b"/page/..%2f..%2fserver.py"),
)


def _path(rng: Random) -> bytes:
    evil = rng.choice(_EVIL)
    evil = quote_from_bytes(evil, safe="").encode() if rng.random() < 0.7 else evil.replace(b"\r\n", b"")
    number = rng.choice(
        (b"%d" % rng.randint(1, 300), b"%d" % rng.randint(1, 300), evil, b"999999999999999", b"%D9%A1")
    )
    ours = rng.choice((b"/mails/", b"/mails/", b"/api/v1/message/", b"/view/", b"/sessions/"))
    rest = rng.choice(
        (
            b"",
            b"",
            b"/raw",
            b"/headers",
            b"/attachments/0",
            b"/attachments/9999",
            b"/part/1",
            b".html",
            b"/" + evil,
        )
    )
    query = b"&".join(
        rng.choice(_NAMES) + b"=" + rng.choice((evil, b"1", b"5")) for _ in range(rng.randint(1, 3))
    )
    plain, one = rng.choice(_PATHS), ours + number + rest
    return rng.choice(
        (plain, one, one, plain + b"?" + query, b"/mails?" + query, b"/receipts/" + evil, b"/" + evil)
    )


def _method(rng: Random, path: bytes) -> bytes:
    if rng.random() < 0.1:
        return rng.choice((b"HEAD", b"OPTIONS", b"TRACE", b"CONNECT", b"PATCH", b"FOO", b"get", b"\xff", b""))
    usual = {b"/plan": b"PUT", b"/phase": b"PUT", b"/verify": b"POST"}
    if rng.random() < 0.7:
        return usual.get(path, b"GET")
    return rng.choice((b"GET", b"PUT", b"POST", b"DELETE"))


def _framed(rng: Random, body: bytes) -> bytes:
    """Put the headers that say how long the body is before it, and lie now and then."""
    how = rng.random()
    if how < 0.75:
        return b"Content-Length: %d\r\n\r\n" % len(body) + body
    if how < 0.82:
        return b"Content-Length: %b\r\n\r\n" % rng.choice((b"-1", b"x", b"999999", b"5", b"9" * 30)) + body
    if how < 0.9:
        size = rng.choice((b"%x" % len(body), b"%x" % (len(body) + 5), b"z", b"-1", b"f" * 20))
        return b"Transfer-Encoding: chunked\r\n\r\n" + size + b"\r\n" + body + b"\r\n0\r\n\r\n"
    if how < 0.95:
        coding = rng.choice((b"gzip", b"deflate", b"br", b"zstd", b"x"))
        return b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (coding, len(body)) + body
    return b"Expect: %b\r\nContent-Length: 2\r\n\r\n{}" % rng.choice((b"100-continue", b"x"))


_ODD = (
    *(b"X: \xff\r\n", b"Y" * 9000 + b": 1\r\n", b"Range: bytes=0-\r\n", b"no colon\r\n", b"Z: 1\r\n" * 200),
    *(b" folded\r\n", b"Connection: upgrade\r\nUpgrade: websocket\r\n", b"Content-Type: \xff\r\n"),
    *(b"Cookie: \xff=\xff\r\n", b"Authorization: Basic \xff\r\n", b"Origin: \xff\r\n"),
)
_LAST = (*[b"Connection: close\r\n"] * 9, b"")


def request(rng: Random) -> bytes:
    """Make one request."""
    path = rng.choice((b"/plan", b"/phase", b"/verify")) if rng.random() < 0.4 else _path(rng)
    method = _method(rng, path)
    line = (
        method
        + b" "
        + path
        + b" "
        + rng.choice((*[b"HTTP/1.1"] * 12, b"HTTP/1.0", b"HTTP/9.9", b""))
        + b"\r\n"
    )
    head = (
        line + b"Host: sink.test\r\n" + rng.choice(_LAST) + (rng.choice(_ODD) if rng.random() < 0.15 else b"")
    )
    if method in (b"PUT", b"POST", b"PATCH") or rng.random() < 0.05:
        return head + _framed(rng, _body(rng))
    return head + b"\r\n"


_EXPECT = re.compile(rb"Expect:[^\r\n]*", re.IGNORECASE)


@dataclass(frozen=True)
class Probe:
    """One HTTP connection: what it writes, and whether it waits for an answer."""

    said: bytes
    listens: bool

    @classmethod
    def make(cls, rng: Random) -> Probe:
        """Make one from nothing but the generator."""
        said = b"".join(request(rng) for _ in range(rng.choice((1, 1, 1, 3))))
        if rng.random() < 0.1:
            said = said[: rng.randrange(len(said))]
        if rng.random() < 0.1:
            at = rng.randrange(len(said) or 1)
            said = said[:at] + rng.randbytes(3) + said[at + 3 :]
        # aiohttp itself answers 500 to an Expect that is not text, before any code of the sink.
        said = _EXPECT.sub(lambda found: found[0].decode("ascii", "ignore").encode(), said)
        return cls(said, rng.random() < 0.95)

    async def run(self, port: int) -> bytes:
        """Carry it out; return what came within the limit."""
        heard = bytearray()
        with suppress(OSError, TimeoutError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(self.said)
                await writer.drain()
                while self.listens and (data := await asyncio.wait_for(reader.read(65536), _LIMIT_S)):
                    heard += data
            finally:
                writer.transport.abort()
        return bytes(heard)
