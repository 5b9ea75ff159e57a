"""The verdict for CI: junit.xml with one test case per check; fail is a failure, unknown is an error.

Called by `write_all`. Never leaves a check out: a run without verdict must not look green.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from reports.checks import CheckResult
from reports.verdict import Verdict

# XML 1.0 cannot carry these at all, escaped or not.
_UNSPEAKABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TAGS = {"fail": "failure", "unknown": "error"}


def as_xml(verdict: Verdict) -> str:
    """Return junit.xml."""
    words = [check.verdict for check in verdict.checks]
    totals = {"tests": len(words), "failures": words.count("fail"), "errors": words.count("unknown")}
    attributes = {name: str(count) for name, count in totals.items()}
    name = f"mailstorm.{verdict.plan.scenario}"
    suites = ElementTree.Element("testsuites", attributes)
    suite = ElementTree.SubElement(suites, "testsuite", {"name": _safe(name), **attributes})
    properties = ElementTree.SubElement(suite, "properties")
    for key, value in (("run", verdict.plan.run), ("seed", verdict.plan.seed), ("verdict", verdict.verdict)):
        ElementTree.SubElement(properties, "property", {"name": key, "value": _safe(str(value))})
    for check in verdict.checks:
        _case(suite, name, check)
    ElementTree.indent(suites)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"
    )


def _case(suite: ElementTree.Element, classname: str, check: CheckResult) -> None:
    case = ElementTree.SubElement(suite, "testcase", {"classname": _safe(classname), "name": check.name})
    if check.verdict != "pass":
        found = ElementTree.SubElement(case, _TAGS[check.verdict], {"message": _safe(check.summary)})
        found.text = _safe("\n".join(check.keys))


def _safe(text: str) -> str:
    return _UNSPEAKABLE.sub("\ufffd", text)
