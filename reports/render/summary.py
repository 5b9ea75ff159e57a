"""The verdict as Markdown for a job summary or a comment: summary.md, at most 16 KiB.

Called by `write_all`. Text from evidence is quoted as code, so that it can neither format nor link.
"""

from __future__ import annotations

from reports.verdict import Verdict

LIMIT = 16 * 1024  # bytes
MAX_CELL = 300
MAX_KEYS = 5
SIGNS = {"pass": "✅", "fail": "❌", "unknown": "❔"}


def as_markdown(verdict: Verdict) -> str:
    """Return summary.md; what does not fit is left out with a word about it."""
    plan = verdict.plan
    totals = [verdict.counts[name] for name in ("accepted", "delivered", "lost", "duplicates", "in_doubt")]
    times = [verdict.latency_s[name] for name in ("p50", "p99")]
    lines = [
        f"## {SIGNS[verdict.verdict]} {code(plan.scenario)}: {verdict.verdict}",
        "",
        _plain(verdict.reason),
        "",
        "| accepted | delivered | lost | duplicates | in doubt | p50 s | p99 s |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| " + " | ".join((*map(str, totals), *map(_number, times))) + " |",
        "",
        "| check | verdict | finding | first keys |",
        "| --- | --- | --- | --- |",
    ]
    order = {"fail": 0, "unknown": 1, "pass": 2}
    for check in sorted(verdict.checks, key=lambda check: order[check.verdict]):
        keys = ", ".join(code(key) for key in check.keys[:MAX_KEYS])
        lines.append(
            f"| {check.name} | {SIGNS[check.verdict]} {check.verdict} | {_plain(check.summary)} | {keys} |"
        )
    if verdict.faults:
        lines += ["", "| fault | began s | over s | recovered after s |", "| --- | ---: | ---: | ---: |"]
    for fault in verdict.faults:
        figures = (fault["inject_s"], fault["healed_s"], fault["recovery_s"])
        lines.append(f"| {code(fault['fault'])} | " + " | ".join(map(_number, figures)) + " |")
    words = (
        f"Run {code(plan.run)}, seed {plan.seed}, policy {code(plan.delivery)}, broker {code(plan.broker)}."
    )
    lines += ["", f"{words} Again:", ""]
    lines.append(code(" ".join(plan.command)))
    return _limited(lines)


def _limited(lines: list[str]) -> str:
    kept, size = [], 0
    for line in lines:
        size += len(line.encode("utf-8", "backslashreplace")) + 1
        if size > LIMIT - 100:
            kept += ["", "… the rest is in report.html"]
            break
        kept.append(line)
    return "\n".join(kept) + "\n"


def code(text: str) -> str:
    """Show text from evidence as inline code: nothing in it is Markdown or HTML any more."""
    flat = "".join(char if char.isprintable() else "?" for char in text[:MAX_CELL])
    return "`" + flat.replace("`", "'").replace("|", "¦") + "`"


def _plain(text: str) -> str:
    flat = "".join(char if char.isprintable() else "?" for char in text[:MAX_CELL])
    for char in "\\`*[]<>|":
        flat = flat.replace(char, f"&#{ord(char)};")
    return flat


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
