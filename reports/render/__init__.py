"""Writes what people and CI look at: verdict.json, report.html, junit.xml and summary.md in the run folder.

Called by the harness with a verdict. Never judges; a file is the old one or the new one, never half of it.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from reports.render import document, html, junit, summary
from reports.verdict import Verdict

__all__ = ["REPORT_HTML", "VERDICT_JSON", "replace_file", "write_all"]

VERDICT_JSON = "verdict.json"
REPORT_HTML = "report.html"


def write_all(run_dir: Path, verdict: Verdict) -> Path:
    """Write all four files; return the path of report.html. Raises OSError when one cannot be written."""
    replace_file(run_dir / VERDICT_JSON, document.as_json(verdict))
    replace_file(run_dir / "junit.xml", junit.as_xml(verdict))
    replace_file(run_dir / "summary.md", summary.as_markdown(verdict))
    return replace_file(run_dir / REPORT_HTML, html.as_html(verdict))


def replace_file(path: Path, text: str) -> Path:
    """Write a file so that a reader sees the old one or the new one. Raises OSError; the old one stays."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        # Keys and reasons come from evidence, and may hold what UTF-8 cannot (a lone surrogate).
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
