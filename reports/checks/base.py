"""The shape of a check's result, and the one rule by which guilt and missing evidence become a verdict.

Used by every check. A check is a pure function `History -> CheckResult`; it never reads files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["pass", "fail", "unknown"]
RANK: dict[Status, int] = {"fail": 0, "unknown": 1, "pass": 2}
"""The order in which people want to read them."""
FIRST = 20  # keys that a result names; the rest is only counted


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found. `keys` are the first 20 of `count` findings; `summary` is one sentence."""

    name: str
    verdict: Status
    count: int
    keys: tuple[str, ...]
    summary: str
    details: dict[str, Any] = field(default_factory=dict)


def conclude(
    name: str,
    guilty: Sequence[str],
    charge: str,
    clear: str,
    *,
    to_convict: Sequence[str] = (),
    to_acquit: Sequence[str] = (),
    count: int | None = None,
    details: dict[str, Any] | None = None,
) -> CheckResult:
    """Fail on findings unless evidence `to_convict` is missing; pass only when none `to_acquit` is missing.

    `charge` and `clear` are the sentences for either outcome; missing evidence comes in words (empty: whole).
    """
    found = len(guilty) if count is None else count
    keys, more = tuple(guilty[:FIRST]), dict(details or {})
    if guilty and not to_convict:
        return CheckResult(name, "fail", found, keys, charge, more)
    if guilty:
        return CheckResult(
            name, "unknown", found, keys, f"{charge}; not proven: {_because(to_convict)}", more
        )
    if to_acquit:
        return CheckResult(name, "unknown", 0, (), f"cannot be decided: {_because(to_acquit)}", more)
    return CheckResult(name, "pass", 0, (), clear, more)


def unknown(
    name: str, why: str, keys: Sequence[str] = (), details: dict[str, Any] | None = None
) -> CheckResult:
    """Build a result that decides nothing, with the reason in words."""
    return CheckResult(name, "unknown", len(keys), tuple(keys[:FIRST]), why, details or {})


def failed(name: str, why: str, keys: Sequence[str], details: dict[str, Any] | None = None) -> CheckResult:
    """Build a failing result."""
    return CheckResult(name, "fail", len(keys), tuple(keys[:FIRST]), why, details or {})


def passed(
    name: str, why: str, keys: Sequence[str] = (), details: dict[str, Any] | None = None
) -> CheckResult:
    """Build a passing result; `keys` are listed, not held against anybody."""
    return CheckResult(name, "pass", len(keys), tuple(keys[:FIRST]), why, details or {})


def plural(count: int, one: str, many: str | None = None) -> str:
    """Say `1 mail`, `2 mails`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def _because(missing: Sequence[str]) -> str:
    rest = f" (and {len(missing) - 2} more)" if len(missing) > 2 else ""
    return "; ".join(missing[:2]) + rest
