"""The sink's certificates: a good one, one for another host and one that has expired, from a CA of its own.

Made when the sink starts with --tls. The CA is kept in the evidence folder, so that clients go on trusting a
sink that was started again. Never used for anything but loopback tests.
"""

from __future__ import annotations

import os
import ssl
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Literal

import trustme

from fake_smtp.options import CA_FILE
from fake_smtp.stock import HOSTNAME

_CA_KEY_FILE = "tls-ca-key.pem"
_OTHER_HOST = "another-host.mailstorm.test"

Kind = Literal["good", "wrong_host", "expired"]


class Certificates:
    """The TLS contexts of one sink. Raises OSError when the CA can be neither read nor written."""

    def __init__(self, folder: Path, host: str) -> None:
        """Take the CA from `folder`, or make one there; the good certificate is for `host` and loopback."""
        self._ca = _ca(folder)
        # An address of an interface, such as 0.0.0.0, is a name like any other here.
        self._names = tuple(dict.fromkeys((host, "localhost", "127.0.0.1", "::1", HOSTNAME)))
        self.context = cache(self._context)
        self.context("good")

    def _context(self, kind: Kind) -> ssl.SSLContext:
        """Return the context that shows this certificate."""
        names = (_OTHER_HOST,) if kind == "wrong_host" else self._names
        first = last = None
        if kind == "expired":
            now = datetime.now(UTC)
            first, last = now - timedelta(days=2), now - timedelta(days=1)
        made = self._ca.issue_cert(*names, not_before=first, not_after=last)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.configure_cert(context)
        return context


def _ca(folder: Path) -> trustme.CA:
    public, private = folder / CA_FILE, folder / _CA_KEY_FILE
    try:
        return trustme.CA.from_pem(public.read_bytes(), private.read_bytes())
    except FileNotFoundError:
        made = trustme.CA()
    with open(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(made.private_key_pem.bytes())
    public.write_bytes(made.cert_pem.bytes())
    return made
