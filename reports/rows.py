"""One CSV row per run, in a file that only grows, for tools that look for the day on which things changed.

Called by the harness once a run is judged; `time` comes first, every row stands for itself. Never rewrites a
row: when the columns change, a new file begins (history-2.csv) and the old one stays as it is.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import io
import json
import os
import time
from pathlib import Path
from typing import Any

from reports.compare import stored
from reports.compare.model import Comparison
from reports.evidence import EVENTS
from reports.stats import percentile

HISTORY = "history"
COLUMNS = (
    *("time", "scenario", "run", "revision", "verdict", "seed", "machine", "delivery", "broker"),
    *("rate_per_s", "duration_s", "due", "accepted", "delivered", "lost", "duplicates", "in_doubt"),
    *("e2e_p50_s", "e2e_p95_s", "e2e_p99_s", "accept_p99_s", "recovery_max_s", "cpu_ms_per_mail"),
)
COUNTS = ("due", "accepted", "delivered", "lost", "duplicates", "in_doubt")
TAIL_BYTES = 65536


def append(place: Path, run_dir: Path, cpu_ms: float | None = None) -> Path:
    """Append the row of a judged run to the history in `place`; the file it went to.

    `cpu_ms`: CPU time of the system per mail, where it was measured. Raises NotComparable for a folder that
    is no judged run, OSError when the row could not be written.
    """
    line = _line([_cell(value) for value in row(run_dir, cpu_ms).values()])
    number = 1
    while True:
        path = place / (f"{HISTORY}.csv" if number == 1 else f"{HISTORY}-{number}.csv")
        if _appended(path, line):
            return path
        number += 1


def row(run_dir: Path, cpu_ms: float | None = None) -> dict[str, Any]:
    """The row of a judged run, by column; None where nothing is known."""
    run = stored.load(run_dir)
    plan, said = run.plan, run.document
    times = said.get("latency_s", {})
    accepts = stored.accept_s(run_dir)
    found = {
        "time": _finished(run_dir),
        "scenario": plan.scenario,
        "run": plan.run,
        "revision": plan.revision,
        "verdict": said["verdict"],
        "seed": plan.seed,
        "machine": fingerprint(plan.machine),
        "delivery": plan.delivery,
        "broker": plan.broker,
        "rate_per_s": plan.rate_per_s,
        "duration_s": plan.duration_s,
        **{name: said.get("counts", {}).get(name) for name in COUNTS},
        **{f"e2e_{name}_s": times.get(name) for name in ("p50", "p95", "p99")},
        "accept_p99_s": percentile(accepts, 0.99) if accepts else None,
        "recovery_max_s": run.recovery_max_s,
        "cpu_ms_per_mail": cpu_ms,
    }
    return {name: found[name] for name in COLUMNS}


def cpu_ms(comparison: Comparison, side: str) -> float | None:
    """The median CPU time per mail (ms) that `regress` measured for a side."""
    found = [row for row in comparison.rows if row.metric.name == "cpu_ms"]
    return getattr(found[0], side) if found else None


def fingerprint(machine: dict[str, str]) -> str:
    """Eight digits that say whether two rows come from machines of the same kind; empty: not on record."""
    if not machine:
        return ""
    return hashlib.sha256(json.dumps(machine, sort_keys=True).encode()).hexdigest()[:8]


def _appended(path: Path, line: str) -> bool:
    """Append in one write, under a lock; False when the file has other columns."""
    header = _line(COLUMNS)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        begin = file.read(len(header) + 1)
        if begin and not begin.startswith(header.encode()):
            return False
        text = (line if begin else header + line).encode()
        if file.write(text) != len(text):
            raise OSError(f"{path}: the row is torn; is the disk full?")
    return True


def _line(cells: Any) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _finished(run_dir: Path) -> str:
    """When the experiment wrote its last record, in UTC; empty when it cannot be read."""
    try:
        with (run_dir / EVENTS).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            last = file.read().splitlines()[-1]
        wall_s = json.loads(last)["wall_ns"] / 1e9
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(wall_s))
    except (OSError, ValueError, IndexError, KeyError, TypeError):
        return ""
