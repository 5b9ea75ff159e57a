"""A long run of the sink: its memory while many mails come, and how soon it answers a person meanwhile.

`python -m benchmarks.sink_long --mails 100000` prints two tables. A slow test holds it to its limits.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import requests

from benchmarks.smtp_load import PASSWORD, USERNAME
from chaos.paths import PROJECT
from fake_smtp.process import SinkProcess

ASKED = {
    "the page": "/",
    "newest mails": "/mails?limit=50",
    "a key": "/mails?key=nobody",
    "part of a subject": "/mails?subject=nobody&limit=50",
    "part of a text": "/mails?text=nobody&limit=50",
    "a receipt": "/receipts/nobody@nowhere.test",
    "sessions": "/sessions?limit=50",
    "metrics": "/metrics",
}
CONNECTIONS = 16
LOOK_S = 0.5


@dataclass
class Seen:
    """What was measured; memory in MiB by the number of mails, answers in seconds by what was asked."""

    memory_mib: dict[int, float] = field(default_factory=dict)
    peak_mib: float = 0.0
    mails_per_s: float = 0.0
    during_s: dict[str, float] = field(default_factory=dict)
    after_s: dict[str, float] = field(default_factory=dict)


def run(mails: int) -> Seen:
    """Send so many mails to a sink with a login, and look at it meanwhile and afterwards."""
    seen = Seen()
    with (
        tempfile.TemporaryDirectory() as folder,
        SinkProcess(Path(folder), username=USERNAME, password=PASSWORD) as sink,
    ):
        process = psutil.Process(sink.pid)
        began = time.monotonic()
        with subprocess.Popen(_load(sink.smtp_port, mails), cwd=PROJECT, stdout=subprocess.DEVNULL) as load:
            while load.poll() is None:
                _look(seen, sink.control_url, process)
                time.sleep(LOOK_S)
        if load.returncode:
            raise RuntimeError("the load ended with an error")
        seen.mails_per_s = mails / (time.monotonic() - began)
        _look(seen, sink.control_url, process)
        seen.after_s = _ask(sink.control_url)
        seen.peak_mib = _peak_mib(sink.pid)
    return seen


def _load(port: int, mails: int) -> list[str]:
    argv = [sys.executable, "-m", "benchmarks.smtp_load", str(port), "kept"]
    return [*argv, str(mails), str(CONNECTIONS), "login"]


def _look(seen: Seen, control: str, process: psutil.Process) -> None:
    for what, took_s in _ask(control).items():
        seen.during_s[what] = max(took_s, seen.during_s.get(what, 0.0))
    stored = requests.get(f"{control}/counters", timeout=30).json()["stored"]
    seen.memory_mib[stored] = process.memory_info().rss / 2**20


def _ask(control: str) -> dict[str, float]:
    took_s = {}
    for what, path in ASKED.items():
        began = time.monotonic()
        requests.get(control + path, timeout=30).raise_for_status()
        took_s[what] = time.monotonic() - began
    return took_s


def _peak_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def main() -> int:
    """Print what was seen, as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sink_long", description=__doc__)
    parser.add_argument("--mails", type=int, default=100_000)
    seen = run(parser.parse_args().mails)
    lines = [f"{seen.mails_per_s:.0f} mails a second, peak {seen.peak_mib:.0f} MiB", ""]
    lines += ["| asked for | slowest during the run, s | afterwards, s |", "| --- | --- | --- |"]
    lines += [
        f"| {what} | {took_s:.3f} | {seen.after_s[what]:.3f} |" for what, took_s in seen.during_s.items()
    ]
    lines += ["", "| mails | memory, MiB |", "| --- | --- |"]
    each = max(1, len(seen.memory_mib) // 10)
    lines += [f"| {mails} | {mib:.0f} |" for mails, mib in list(seen.memory_mib.items())[::each]]
    print("\n".join(lines))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
