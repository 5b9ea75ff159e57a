"""How long the judge takes for runs of 10,000 to 1,000,000 jobs, and how much memory, evidence to report.

Run by `make bench-judge`. Prints a table, and as its last line a JSON object. Ends with status 1 and words
instead of a result when the verdict is not the one that the evidence was written for.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import synthetic
from chaos.errors import HarnessError
from chaos.paths import PROJECT
from reports import verdict
from reports.render import write_all

SIZES = (10_000, 100_000, 1_000_000)
BYTES_PER_JOB = 3100
SPARE = 1.2
LIMIT_S = 1800
JUDGE = "--judge"
GUILTY = {"lost", "duplicate"}


class BenchError(HarnessError):
    """There is nothing to report."""


@dataclass(frozen=True)
class Row:
    """One size: bytes of evidence, seconds and CPU seconds of the process, its peak of memory (1e6 bytes)."""

    jobs: int
    size: int
    seconds: float
    cpu_s: float
    peak_mb: float


def say(words: str) -> None:
    """Progress, beside the result."""
    sys.stderr.write(words + "\n")
    sys.stderr.flush()


def out(words: str) -> None:
    """The result."""
    sys.stdout.write(words + "\n")


def judge(folder: Path) -> dict[str, float]:
    """Judge a run and write its reports, in this process; its peak of memory. Raises BenchError."""
    found = verdict.judge(folder)
    write_all(folder, found)
    guilty = {check.name: check.count for check in found.checks if check.verdict != "pass"}
    if guilty != dict.fromkeys(GUILTY, synthetic.ODD):
        raise BenchError(f"the verdict is not the one that was written: {found.verdict}, {guilty}")
    return {"peak_mb": _peak_kb() * 1024 / 1e6}


def _peak_kb() -> int:
    # Not getrusage: its maximum may be that of the parent, from before exec.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def measure(folder: Path, jobs: int) -> Row:
    """Write a run of this size, judge it in a process of its own, delete it. Raises BenchError."""
    try:
        size = synthetic.write(folder, jobs)
        begin, before_s = time.monotonic(), _cpu_s()
        argv = [sys.executable, "-m", "benchmarks.judge_bench", JUDGE, str(folder)]
        done = subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=LIMIT_S)
        seconds, cpu_s = time.monotonic() - begin, _cpu_s() - before_s
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if done.returncode:
        raise BenchError(f"{jobs} jobs: {done.stderr.strip()[-800:]}")
    return Row(jobs, size, seconds, cpu_s, json.loads(done.stdout)["peak_mb"])


def _cpu_s() -> float:
    """CPU seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table(rows: Sequence[Row]) -> str:
    """Show the rows as Markdown."""
    lines = ["| jobs | evidence MB | seconds | CPU s | us per job | peak MB |", "| ---" * 6 + " |"]
    for row in rows:
        size_mb, per_job_us = row.size / 1e6, row.seconds / row.jobs * 1e6
        times = f"{row.seconds:.1f} | {row.cpu_s:.1f} | {per_job_us:.0f}"
        lines.append(f"| {row.jobs:,} | {size_mb:,.0f} | {times} | {row.peak_mb:.0f} |")
    return "\n".join(lines)


def result(rows: Sequence[Row]) -> dict[str, float]:
    """The last line: the largest size, and the slope of log time over log jobs to it from the one before."""
    before, last = rows[-2:]
    slope = math.log(last.seconds / before.seconds) / math.log(last.jobs / before.jobs)
    return {
        "seconds_1m": round(last.seconds, 1),
        "peak_mb": round(last.peak_mb),
        "exponent": round(slope, 2),
    }


def measure_all(parent: Path | None) -> list[Row]:
    """Measure every size, below `parent` (the system's place for temporary files by default)."""
    with tempfile.TemporaryDirectory(prefix="judge-bench-", dir=parent) as name:
        needed = int(SIZES[-1] * BYTES_PER_JOB * SPARE)
        free = shutil.disk_usage(name).free
        if free < needed:
            words = f"{needed / 1e9:.1f} GB are needed there, {free / 1e9:.1f} are free; name another: --dir"
            raise BenchError(f"{name}: {words}")
        say(f"up to {SIZES[-1] * BYTES_PER_JOB / 1e9:.1f} GB in {name}, deleted afterwards")
        rows = []
        for jobs in SIZES:
            rows.append(measure(Path(name) / f"run-{jobs}", jobs))
            say(f"{jobs} jobs: {rows[-1].seconds:.1f} s")
        return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print; the exit status."""
    parser = argparse.ArgumentParser(prog="judge_bench", description=__doc__)
    parser.add_argument("--dir", type=Path, help="where the evidence is written for the while")
    parser.add_argument(JUDGE, type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    chosen = parser.parse_args(argv)
    try:
        if chosen.judge is not None:
            out(json.dumps(judge(chosen.judge)))
            return 0
        rows = measure_all(chosen.dir)
    except (BenchError, OSError, subprocess.TimeoutExpired) as error:
        say(f"judge_bench: {error}")
        return 1
    out(table(rows))
    out(json.dumps(result(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
