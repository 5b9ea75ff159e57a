"""Reads the DATA phase up to the final dot. Called by the server after its 354.

Only CRLF.CRLF ends a mail: bare CR and LF are content (no SMTP smuggling). Knows no clock and no disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fake_smtp.reader import LINE_LIMIT, Reader

_END = b"\r\n.\r\n"


class DataRefusedError(Exception):
    """The mail ended properly and is not acceptable; the text is the reply to give."""


async def read_mail(reader: Reader, max_size: int, heard: Callable[[int], float]) -> bytes:
    """Return the mail, dot-unstuffed.

    `heard` is called with the size of every piece that arrives, and answers how many seconds to wait before
    the next one is read.

    Raises DataRefusedError for a mail over `max_size` bytes or with too long a line (read to its end and
    thrown away, so that memory stays bounded).
    """
    # A line end before the first byte lets one search find a dot on the first line too.
    data = bytearray(b"\r\n")
    too_much = False
    while True:
        chunk = await reader.some()
        wait_s = heard(len(chunk))
        if wait_s:
            await asyncio.sleep(wait_s)
        fresh = max(0, len(data) - len(_END) + 1)
        data += chunk
        end = data.find(_END, fresh)
        if end >= 0:
            break
        if len(data) > max_size + len(_END) + 1:
            too_much = True
            del data[: -len(_END) + 1]
    if len(data) > end + len(_END):
        reader.give_back(data[end + len(_END) :])
    if too_much or end > max_size:
        raise DataRefusedError("552 5.3.4 Error: Too much mail data")
    del data[end + 2 :]
    if max(map(len, data.split(b"\r\n"))) + 2 > LINE_LIMIT:
        raise DataRefusedError("500 5.5.2 Line too long (see RFC5321 4.5.3.1.6)")
    return bytes(data.replace(b"\r\n.", b"\r\n")[2:])
