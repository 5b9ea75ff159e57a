"""Whether the p99 of our load and of k6's constant-arrival-rate agree while a server is frozen for a moment.

Run by hand and by a slow test: `python -m benchmarks.k6_agree`. The two take turns. Prints each run, and as
its last line a JSON object. Ends with status 1 when they differ by more than 10 %, or one was not offered.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load_sides import Server, server
from chaos.errors import HarnessError, Interrupted, ServerMissing
from chaos.servers import k6
from chaos.signals import interruptible
from chaos.stack.ports import HOST
from loadtests.jobs import make
from loadtests.launch import LoadSpec, argv
from reports.evidence import SUBMISSIONS, read

SCRIPT = Path(__file__).with_suffix(".js")
AGREE = 0.10
OURS, K6 = "ours", "k6"


@dataclass(frozen=True)
class Setting:
    """So many jobs a second for so long; the server is frozen for `frozen_s` in the middle of it."""

    rate_per_s: int = 100
    for_s: float = 20.0
    frozen_s: float = 2.0

    @property
    def jobs(self) -> int:
        """How many are offered."""
        return round(self.rate_per_s * self.for_s)

    @property
    def users(self) -> int:
        """What k6 needs to begin each on time: twice what piles up while nothing is answered."""
        return math.ceil(self.rate_per_s * self.frozen_s * 2)


@dataclass(frozen=True)
class Result:
    """What one side saw, in seconds from when each request was due."""

    side: str
    requests: int
    p50_s: float
    p99_s: float
    max_s: float

    def __str__(self) -> str:
        return (
            f"{self.side}: {self.requests} requests, p50 {self.p50_s:.4f} s, p99 {self.p99_s:.3f} s,"
            f" max {self.max_s:.3f} s"
        )


def freeze(served: Server, at_answer: int, seconds: float) -> None:
    """Stop the server when it has given so many answers, and let it go on afterwards."""
    assert served.told is not None
    for line in served.told:
        if int(line) >= at_answer:
            break
    served.process.suspend()
    time.sleep(seconds)
    served.process.resume()


def play(side: Callable[[Setting, str, Path], Result], setting: Setting) -> Result:
    """One run of one side against a server of its own. Raises HarnessError when it cannot be trusted."""
    with tempfile.TemporaryDirectory(prefix="mailstorm-k6-") as folder, server(hear=True) as served:
        freezer = threading.Thread(
            target=freeze, args=(served, setting.jobs * 2 // 5 // 100 * 100, setting.frozen_s), daemon=True
        )
        freezer.start()
        result = side(setting, f"http://{HOST}:{served.port}", Path(folder))
        freezer.join(1.0)
        if freezer.is_alive():
            raise HarnessError(f"{result.side}: the server was never frozen")
        return result


def ours(setting: Setting, target: str, folder: Path) -> Result:
    """Offer it with our load; the figures are from the evidence."""
    spec = LoadSpec(target, setting.rate_per_s, 1, "bench", folder, for_s=setting.for_s)
    _run(argv(spec), OURS)
    took = [record["latency_s"] for record in read(folder / SUBMISSIONS).records if record["event"] == "ok"]
    if len(took) != setting.jobs:
        raise HarnessError(f"{OURS}: {len(took)} of {setting.jobs} jobs were accepted")
    cuts = statistics.quantiles(took, n=100, method="inclusive")
    return Result(OURS, len(took), cuts[49], cuts[98], max(took))


def with_k6(setting: Setting, target: str, folder: Path) -> Result:
    """Offer it with k6; an iteration is timed from its arrival, as k6 counts those that could not begin."""
    found = k6(get=True)
    if found.path is None:
        raise ServerMissing(found.missing())
    jobs = [(job.key, json.dumps(job.request)) for job in (make("bench", 1, n) for n in range(setting.jobs))]
    (folder / "jobs.json").write_text(json.dumps(jobs))
    given = {"JOBS": folder / "jobs.json", "RATE": setting.rate_per_s, "FOR_S": setting.for_s}
    given |= {"USERS": setting.users, "TARGET": target}
    words = [str(found.path), "run", "--quiet", "--no-usage-report", "--no-color", "--address", f"{HOST}:0"]
    words += ["--summary-export", str(folder / "summary.json"), "--summary-trend-stats", "p(50),p(99),max"]
    words += [word for name, value in given.items() for word in ("-e", f"{name}={value}")]
    _run([*words, str(SCRIPT)], K6)
    metrics = json.loads((folder / "summary.json").read_text())["metrics"]
    failed = metrics["http_req_failed"]["value"]
    dropped = metrics.get("dropped_iterations", {}).get("count", 0)
    if failed or dropped:
        raise HarnessError(f"{K6}: {failed:.0%} failed, {dropped} iterations dropped")
    took = metrics["iteration_duration"]
    count = metrics["iterations"]["count"]
    return Result(K6, count, took["p(50)"] / 1000, took["p(99)"] / 1000, took["max"] / 1000)


def _run(words: list[str], side: str) -> None:
    done = subprocess.run(words, env={**os.environ}, capture_output=True, text=True, check=False, timeout=180)
    if done.returncode:
        raise HarnessError(f"{side} ended with {done.returncode}: {(done.stderr + done.stdout)[-1500:]}")


def compare(setting: Setting, rounds: int = 1) -> tuple[list[Result], float]:
    """Let them take turns; all results, and by how much our p99 (median) is over k6's (0.1: 10 %)."""
    results: list[Result] = []
    for number in range(rounds):
        for side in (ours, with_k6)[:: 1 if number % 2 == 0 else -1]:
            results.append(play(side, setting))
            sys.stderr.write(f"{results[-1]}\n")
    p99 = {side: statistics.median(one.p99_s for one in results if one.side == side) for side in (OURS, K6)}
    return results, p99[OURS] / p99[K6] - 1


def main() -> int:
    """Run it; 0 when they agree, 1 with words when not or when nothing can be said."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.k6_agree", description=__doc__)
    made.add_argument("--rounds", type=int, default=2, help="runs of each")
    options = made.parse_args()
    try:
        with interruptible():
            results, apart = compare(Setting(), options.rounds)
    except Interrupted:
        return 130
    except HarnessError as error:
        sys.stderr.write(f"no result: {error}\n")
        return 1
    figures = {
        f"{side}_p99_s": [round(one.p99_s, 3) for one in results if one.side == side] for side in (OURS, K6)
    }
    print(json.dumps({**figures, "apart": round(apart, 4)}))  # noqa: T201
    return int(abs(apart) > AGREE)


if __name__ == "__main__":
    sys.exit(main())
