"""Markdown that quotes what it did not write, and stays within a size: for job summaries and comments.

Used by the summaries of a verdict and of a comparison. Nothing from evidence can format or link.
"""

from __future__ import annotations

from collections.abc import Iterable

LIMIT = 16 * 1024  # bytes
MAX_CELL = 300
SIGNS = {"pass": "✅", "fail": "❌", "unknown": "❔"}


def code(text: str, most: int = MAX_CELL) -> str:
    """Show text from evidence as inline code: nothing in it is Markdown or HTML any more."""
    return "`" + _flat(text[:most], "?").replace("`", "'").replace("|", "¦") + "`"


def plain(text: str, unprintable: str = "?") -> str:
    """Show text from evidence as text, its special characters escaped."""
    flat = _flat(text[:MAX_CELL], unprintable)
    for char in "\\`*[]<>|":
        flat = flat.replace(char, f"&#{ord(char)};")
    return flat


def limited(lines: Iterable[str], rest: str) -> str:
    """Join lines as far as they fit; `rest` says where the others are."""
    kept, size = [], 0
    for line in lines:
        size += len(line.encode("utf-8", "backslashreplace")) + 1
        if size > LIMIT - 100:
            kept += ["", f"… the rest is {rest}"]
            break
        kept.append(line)
    return "\n".join(kept) + "\n"


def _flat(text: str, unprintable: str) -> str:
    return "".join(char if char.isprintable() else unprintable for char in text)
