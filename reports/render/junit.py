"""The verdict for CI: junit.xml with one test case per check and per fault; unknown is an error.

Called by `write_all`. Never leaves a check out: a run without verdict must not look green.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from reports.checks import Status
from reports.render.document import began
from reports.verdict import Verdict

# XML 1.0 cannot carry these at all, escaped or not.
_UNSPEAKABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TAGS = {"fail": "failure", "unknown": "error"}


@dataclass(frozen=True, slots=True)
class Case:
    """One test case: where it belongs, its outcome and its words; seconds."""

    classname: str
    name: str
    verdict: Status
    message: str
    text: str = ""
    time_s: float | None = None


def as_xml(verdict: Verdict) -> str:
    """Return junit.xml."""
    name = f"mailstorm.{verdict.plan.scenario}"
    cases = [*_checks(verdict, name), *_faults(verdict, f"{name}.faults")]
    words = [case.verdict for case in cases]
    totals = {"tests": len(words), "failures": words.count("fail"), "errors": words.count("unknown")}
    attributes = {name: str(count) for name, count in totals.items()}
    attributes["time"] = f"{verdict.timeline.span_s:.3f}"
    suites = ElementTree.Element("testsuites", attributes)
    stamp = {"timestamp": when.removesuffix("Z")} if (when := began(verdict)) else {}
    suite = ElementTree.SubElement(suites, "testsuite", {"name": _safe(name), **attributes, **stamp})
    properties = ElementTree.SubElement(suite, "properties")
    plan = verdict.plan
    pairs = {"run": plan.run, "seed": plan.seed, "verdict": verdict.verdict, "revision": plan.revision}
    for key, value in pairs.items():
        ElementTree.SubElement(properties, "property", {"name": key, "value": _safe(str(value))})
    for case in cases:
        _add(suite, case)
    ElementTree.indent(suites)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"
    )


def _checks(verdict: Verdict, name: str) -> Iterator[Case]:
    for check in verdict.checks:
        yield Case(name, check.name, check.verdict, check.summary, "\n".join(check.keys))


def _faults(verdict: Verdict, name: str) -> Iterator[Case]:
    for fault in verdict.faults:
        outcome, words = fault_outcome(verdict, fault)
        yield Case(name, fault["fault"], outcome, words, fault["detail"], fault["recovery_s"])


def fault_outcome(verdict: Verdict, fault: dict[str, Any]) -> tuple[Status, str]:
    """Say what became of one fault: did it bite, and did the system recover from it, in time."""
    if fault["bite_s"] is None:
        return "unknown", "it did not bite: there is no proof of an effect"
    limit_s, took_s = verdict.plan.thresholds.recovery_limit_s, fault["recovery_s"]
    if took_s is None:
        # Whether that is a failure or only not on record is decided by the check, for all faults at once.
        guilty = any(check.name == "recovery" and check.verdict == "fail" for check in verdict.checks)
        return ("fail" if guilty else "unknown"), "the system did not recover"
    if limit_s is not None and took_s > limit_s:
        return "fail", f"recovered after {took_s:.2f} s (limit {limit_s:g} s)"
    return "pass", f"recovered after {took_s:.2f} s"


def _add(suite: ElementTree.Element, case: Case) -> None:
    names = {"classname": _safe(case.classname), "name": _safe(case.name)}
    if case.time_s is not None:
        names["time"] = f"{case.time_s:.3f}"
    element = ElementTree.SubElement(suite, "testcase", names)
    if case.verdict != "pass":
        found = ElementTree.SubElement(element, _TAGS[case.verdict], {"message": _safe(case.message)})
        found.text = _safe(case.text)


def _safe(text: str) -> str:
    return _UNSPEAKABLE.sub("\ufffd", text)
