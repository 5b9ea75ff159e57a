"""What several processes of one sink share: the locked folder, the port, the certificates.

Prepared by `crew` before it starts the workers, which get it as it is.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fake_smtp.folder import FolderInUseError, lock
from fake_smtp.options import Options

if TYPE_CHECKING:
    from fake_smtp.certificates import Certificates

_LOCK_LIMIT_S = 2.0
_LOOK_S = 0.01


class PortError(OSError):
    """The SMTP port cannot be had."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which worker this is, and what it shares with the others."""

    number: int
    """From 1 to `options.processes`."""
    raw: int
    """The file that keeps other sinks out of the folder, and takes the raw mails of the first worker."""
    port: int
    tallies: Path
    """Folder for the counts of the plans, each in a folder of its own."""
    certificates: Certificates | None


def lock_soon(out: Path) -> int:
    """Lock the folder; the workers of a sink that was just killed may need a moment to notice.

    Raises OSError and FolderInUseError.
    """
    until_s = time.monotonic() + _LOCK_LIMIT_S
    while time.monotonic() < until_s:
        with suppress(FolderInUseError):
            return lock(out)
        time.sleep(_LOOK_S)
    return lock(out)


def certificates(options: Options) -> Certificates | None:
    """Make the certificates that all workers show; None without --tls. Raises OSError."""
    if not options.tls:
        return None
    # It takes a while to load, and few sinks need it.
    from fake_smtp.certificates import Certificates  # noqa: PLC0415

    return Certificates(options.out, options.host)


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that keeps the port for the workers and takes no connection. Raises PortError."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        if port:
            # Another sink would share its port with us, and get half of our mails.
            with socket.socket(family, kind, proto) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        place = socket.socket(family, kind, proto)
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            place.setsockopt(socket.SOL_SOCKET, option, 1)
        place.bind(address)
    except OSError as error:
        words = f"error while attempting to bind on address {(host, port)}: {(error.strerror or '').lower()}"
        raise PortError(error.errno, words) from None
    return place
