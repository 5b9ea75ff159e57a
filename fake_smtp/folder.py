"""The folder of a sink's evidence: what lies there, and that only one sink writes to it.

Used by `capture`, and by whoever needs the folder before there is one.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

RAW = "mails.raw"
RAWS = "mails*.raw"
"""All of them, when several processes store mails."""


class FolderInUseError(Exception):
    """Another sink writes to this folder."""


def lock(out: Path) -> int:
    """Open the raw mails of a folder, made when missing, and keep other sinks out while they are open.

    Raises OSError and FolderInUseError.
    """
    out.mkdir(parents=True, exist_ok=True)
    raw = open_raw(out / RAW)
    try:
        fcntl.flock(raw, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(raw)
        raise FolderInUseError(f"another sink is writing to {out}") from None
    return raw


def open_raw(path: Path) -> int:
    """Open a file of raw mails, made when missing. Raises OSError."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
