"""The table of faults, from what each says of itself: `python -m fake_smtp faults` and docs/faults.md.

Called by `__main__`. A test sends a mail into each row.
"""

from __future__ import annotations

from typing import Any

from fake_smtp.faults import FAULTS, Fault

_HEAD = ("fault", "what the client sees", "stored?", "a plain retry duplicates?", "parameters")


def text() -> str:
    """Return the table for a terminal: a paragraph for each fault."""
    return "\n".join(_paragraph(fault) for fault in FAULTS.values())


def markdown() -> str:
    """Return the table in Markdown."""
    lines = [f"| {' | '.join(_HEAD)} |", f"|{' --- |' * len(_HEAD)}"]
    lines += [f"| {' | '.join(_row(fault))} |" for fault in FAULTS.values()]
    return "\n".join(lines) + "\n"


def _paragraph(fault: type[Fault]) -> str:
    stored, duplicates = _stored(fault), "duplicates" if fault.retry_duplicates else "does not duplicate"
    lines = [
        fault.name,
        f"  {(fault.__doc__ or '').strip()}",
        f"  client: {fault.client_sees}",
        f"  stored: {stored}; a plain retry {duplicates}",
    ]
    if fault.defaults:
        lines.append(f"  params: {_params(fault)}")
    return "\n".join(lines) + "\n"


def _row(fault: type[Fault]) -> tuple[str, ...]:
    again = "**yes**" if fault.retry_duplicates else "no"
    return f"`{fault.name}`", fault.client_sees, _stored(fault), again, _params(fault, quote="`")


def _stored(fault: type[Fault]) -> str:
    if not fault.stored:
        return "no"
    return "yes" if fault.copies == 1 else f"{fault.copies} times"


def _params(fault: type[Fault], quote: str = "") -> str:
    return ", ".join(f"{quote}{name}={_value(value)}{quote}" for name, value in fault.defaults.items())


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
