"""The address of a server that somebody typed, taken apart.

Used for the target and for the sink. Asks nobody whether it is there.
"""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit


def base_address(what: str, text: str, example: str) -> SplitResult:
    """Return the parts of an http(s) address. Raises ValueError, in words, for anything else."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{what} {text!r}: an address such as {example} is needed")
    return parts


def sink_address(text: str) -> SplitResult:
    """Return the parts of what `--sink` says. Raises ValueError."""
    return base_address("--sink", text, "http://127.0.0.1:8025")
