"""How often `regress` cries wolf, and how often it finds a slowdown of 10 %: measured, a try after the other.

Run as `python -m benchmarks.regress_power --same 20 --slow 10` on a machine with nothing else to do. May be
stopped at any time and goes on where it was. Prints a line a try; the last line is a JSON object of totals.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.errors import HarnessError, Interrupted
from chaos.paths import PROJECT, RUNS
from chaos.regress import sources
from chaos.signals import interruptible
from reports.render import replace_file

SLOWDOWN = 0.10
LIMIT_S = 600
CALIBRATION = "calibration"
KINDS = ("burn", "sleep")
# Where a slow copy differs: the first thing that the mailer does for every mail.
PLACE = Path("system") / "delivery" / "mailer.py"
BEFORE = "        kept = self._kept()\n"
PATCHES = {
    "burn": "        _clock = __import__('time').thread_time\n"
    "        _end = _clock() + {seconds!r}\n"
    "        while _clock() < _end:\n"
    "            pass\n",
    "sleep": "        __import__('time').sleep({seconds!r})\n",
}


@dataclass(frozen=True)
class Try:
    """One measurement: `same` code, or a head that burns or sleeps 10 % of what a mail takes."""

    kind: str
    number: int

    @property
    def name(self) -> str:
        """Its name in the results."""
        return f"{self.kind}-{self.number}"


def tries(same: int, slow: int, kinds: tuple[str, ...] = KINDS) -> list[Try]:
    """All tries, the kinds mixed, so that the first hour already says something about each."""
    every = [Try("same", number) for number in range(1, same + 1)]
    slowed = [Try(kinds[number % len(kinds)], number // len(kinds) + 1) for number in range(slow)]
    step = max(1, round(same / slow)) if slow else 0
    mixed: list[Try] = []
    while every or slowed:
        mixed += [every.pop(0) for _ in range(min(step or len(every), len(every)))]
        mixed += [slowed.pop(0)] if slowed else []
    return mixed


def patch(tree: Path, kind: str, seconds: float) -> None:
    """Make the system in this tree slower by so many seconds a mail. Raises HarnessError when it cannot."""
    path = tree / PLACE
    text = path.read_text()
    if text.count(BEFORE) != 1:
        raise HarnessError(
            f"{PLACE} no longer has the one line before which the slowdown goes: {BEFORE.strip()}"
        )
    path.write_text(text.replace(BEFORE, PATCHES[kind].format(seconds=seconds) + BEFORE))


def seconds(results: dict[str, Any], kind: str) -> float:
    """10 % of a mail: of its CPU time to burn, of its time at full speed (one sender) to sleep."""
    metric = {"burn": "cpu_ms", "sleep": "bursts_ms"}[kind]
    return round(SLOWDOWN * float(results[CALIBRATION]["base"][metric]) / 1000, 6)


def measure(base: Path, head: Path, seed: int, scratch: Path) -> dict[str, Any]:
    """One `regress`; what its JSON says, shortened. Raises HarnessError when it gives no verdict."""
    out = scratch / "out"
    command = [sys.executable, "-m", "chaos", "regress", "--base", str(base), "--head", str(head)]
    began = time.monotonic()
    # A group of its own: Ctrl-C reaches this process alone, which then ends the other one in order.
    process = subprocess.Popen(
        [*command, "--seed", str(seed), "--out", str(out)],
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"MAILSTORM_STATE_DIR": str(scratch / "state")},
    )
    try:
        _, said = process.communicate(timeout=LIMIT_S)
    finally:
        _end(process)
    if not (out / "regress.json").exists():
        raise HarnessError(f"regress gave no verdict: {said[-500:]}")
    result = shortened(json.loads((out / "regress.json").read_bytes()))
    shutil.rmtree(out)
    return {
        "seed": seed,
        "took_s": round(time.monotonic() - began, 1),
        "load_before": os.getloadavg()[0],
    } | result


def shortened(document: dict[str, Any]) -> dict[str, Any]:
    """What of a comparison is kept."""
    kept = ("change", "low", "high", "p", "found_from", "finding")
    return {
        "verdict": document["verdict"],
        "correctness": document["correctness"],
        "performance": document["performance"],
        "reason": document["reason"],
        "base": {row["name"]: row["base"] for row in document["rows"]},
        "metrics": {row["name"]: {name: row[name] for name in kept} for row in document["rows"]},
    }


def _end(process: subprocess.Popen[str]) -> None:
    """SIGTERM, and time to undo; nothing of a try outlives it."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def totals(results: dict[str, Any]) -> dict[str, Any]:
    """What all tries so far come to. `flagged`: speed is `fail`, so that the gate cried."""
    same = [one for name, one in results.items() if name.startswith("same-")]
    slow = [one for name, one in results.items() if name.startswith(KINDS)]
    flagged = sum(one["performance"] == "fail" for one in same)
    return {
        "same": len(same),
        "false_alarms": flagged,
        "false_alarm_rate_at_most": at_most(flagged, len(same)),
        "same_unknown": sum(one["performance"] == "unknown" for one in same),
        "slow": len(slow),
        "found": sum(one["performance"] == "fail" for one in slow),
        **{
            f"found_{kind}": sum(
                one["performance"] == "fail" for name, one in results.items() if name.startswith(kind)
            )
            for kind in KINDS
        },
    }


def at_most(hits: int, of: int, confidence: float = 0.95) -> float | None:
    """The largest rate with which so few hits are still no surprise (Clopper-Pearson, one-sided)."""
    if hits >= of:
        return 1.0 if of else None
    low, high = hits / of, 1.0
    for _ in range(50):
        rate = (low + high) / 2
        few = sum(_choose(of, hit) * rate**hit * (1 - rate) ** (of - hit) for hit in range(hits + 1))
        low, high = (rate, high) if few > 1 - confidence else (low, rate)
    return round(high, 3)


def _choose(of: int, hit: int) -> int:
    ways = 1
    for number in range(hit):
        ways = ways * (of - number) // (number + 1)
    return ways


def line(name: str, result: dict[str, Any]) -> str:
    """One try in one line."""
    cells = [
        f"{metric.removesuffix('_ms')} {one['change']:+.1%} (p {one['p']:.1g})"
        for metric, one in result["metrics"].items()
    ]
    return f"{name:12} {result['performance']:8} {'  '.join(cells)}  {result['took_s']:.0f} s"


def run(wanted: list[Try], store: Path, revision: str) -> dict[str, Any]:
    """Run what is not in the results yet; each is on disk before the next begins."""
    results: dict[str, Any] = json.loads(store.read_bytes()) if store.exists() else {}
    store.parent.mkdir(parents=True, exist_ok=True)
    source = sources.find(revision)
    done = results.setdefault("revision", source.revision)
    if done != source.revision:
        raise HarnessError(
            f"{store} has results of revision {done}, not {source.revision}: move it away first"
        )
    left = [Try(CALIBRATION, 0)] if CALIBRATION not in results else []
    left += [one for one in wanted if one.name not in results]
    for one in left:
        scratch = Path(tempfile.mkdtemp(prefix="mailstorm-power-"))
        try:
            result = _one(one, source, results, scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        name = CALIBRATION if one.kind == CALIBRATION else one.name
        results[name] = result
        replace_file(store, json.dumps(results, indent=1) + "\n")
        say(line(name, result))
    return results


def _one(one: Try, source: sources.Source, results: dict[str, Any], scratch: Path) -> dict[str, Any]:
    trees = {name: scratch / name for name in ("base", "head")}
    for tree in trees.values():
        source.lay(tree)
        (tree / sources.LOCK).write_bytes(source.lock())
    if one.kind in KINDS:
        patch(trees["head"], one.kind, seconds(results, one.kind))
    kinds = (CALIBRATION, "same", *KINDS)
    found = measure(trees["base"], trees["head"], 1000 * kinds.index(one.kind) + one.number, scratch)
    return found | ({"added_s": seconds(results, one.kind)} if one.kind in KINDS else {})


def say(words: str) -> None:
    """Print at once."""
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run the tries; 0, 1 when the aim is missed, 130 when stopped."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.regress_power", description=__doc__)
    parser.add_argument("--same", type=int, default=20, help="tries of the same code against itself")
    parser.add_argument("--slow", type=int, default=10, help="tries against a slower copy, its kinds in turn")
    parser.add_argument(
        "--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="how the copy is slower"
    )
    parser.add_argument("--revision", default="HEAD", help="what is measured (default: HEAD)")
    parser.add_argument(
        "--results", type=Path, default=RUNS / "regress-power.json", help="where results are kept"
    )
    options = parser.parse_args()
    try:
        with interruptible():
            wanted = tries(options.same, options.slow, tuple(options.kinds))
            results = run(wanted, options.results, options.revision)
    except Interrupted:
        say("stopped; the same command goes on from here")
        return 130
    except HarnessError as error:
        say(f"no result: {error}")
        return 1
    found = totals(results)
    took = [one["took_s"] for one in results.values() if isinstance(one, dict)]
    say(f"{len(took)} tries, {statistics.median(took):.0f} s each in the middle")
    say(json.dumps(found))
    return 0 if found["false_alarms"] <= found["same"] / 20 and found["found"] >= 0.8 * found["slow"] else 1


if __name__ == "__main__":
    sys.exit(main())
