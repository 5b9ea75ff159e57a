"""What each command does, step by step. The flags are in __main__.py, the experiment in experiment.py."""

from __future__ import annotations

import dataclasses
import signal
import sys
from pathlib import Path

from chaos import servers
from chaos.errors import EXIT_HARNESS, EXIT_USAGE, Interrupted, ServerMissing
from chaos.experiment import run_experiment, undoing
from chaos.journal import stale, undo_file
from chaos.observe import Events
from chaos.paths import state_dir
from chaos.plan import run_id
from chaos.prepare import Wish, make_folder, prepare
from chaos.scenarios import SCENARIOS, STANDARD_SUITE
from chaos.signals import interruptible
from chaos.stack.local import LocalStack
from chaos.stack.options import StackOptions
from chaos.undo import UNDOS
from reports import evidence, table
from reports.plan import NotARun
from reports.render import write_all
from reports.verdict import judge


def run(wish: Wish) -> int:
    """Run one scenario, print its verdict and where the report is."""
    experiment = prepare(_replayable(wish), servers.find_all())
    verdict = run_experiment(experiment)
    table.render([verdict])
    return verdict.exit_code


def suite(wish: Wish) -> int:
    """Run the standard suite one after the other; the worst verdict decides."""
    found = servers.find_all(get=True)
    verdicts, codes = [], []
    for name in STANDARD_SUITE:
        out = wish.out / name if wish.out else None
        try:
            experiment = prepare(_replayable(dataclasses.replace(wish, scenario=name, out=out)), found)
        except ServerMissing as error:
            _say(f"{name}: unknown: {error}")
            codes.append(2)
            continue
        verdict = run_experiment(experiment)
        verdicts.append(verdict)
        codes.append(verdict.exit_code)
        _say(f"{name}: {verdict.verdict}; report: {experiment.folder / 'report.html'}\n")
        if _was_interrupted(experiment.folder):
            break
    table.render(verdicts)
    return worst(codes)


def worst(codes: list[int]) -> int:
    """The exit code of several verdicts: fail over unknown over pass; no verdict at all is unknown."""
    return 1 if 1 in codes else 2 if 2 in codes or not codes else 0


def list_scenarios() -> int:
    """Print every scenario, a line each."""
    for scenario in SCENARIOS.values():
        mark = "*" if scenario.name in STANDARD_SUITE else " "
        load = f"{scenario.rate_per_s:g}/s for {scenario.duration_s:g} s"
        _say(f"{mark} {scenario.name:18} {load:14} {scenario.summary}")
    _say("* in the standard suite (`suite`, `make chaos`)")
    return 0


def judge_again(folder: Path) -> int:
    """Judge old evidence again and write its report anew."""
    try:
        verdict = judge(folder)
    except NotARun as error:
        sys.stderr.write(f"mailstorm: {error}\n")
        return EXIT_USAGE
    write_all(folder, verdict)
    table.render([verdict])
    return verdict.exit_code


def up(options: StackOptions) -> int:
    """Start the system, print its addresses, and stop it on Ctrl-C or SIGTERM."""
    run_name = run_id("up", 0)
    folder = make_folder("up", None)
    events = Events(folder / evidence.EVENTS, run_name, "chaos")
    with interruptible():
        try:
            with (
                undoing(run_name, folder, events),
                LocalStack(run_name, folder, servers.find_all(), options, events) as stack,
            ):
                for name, address in stack.for_people().items():
                    _say(f"{name:14} {address}")
                _say(f"{'evidence':14} {folder}\nCtrl-C stops it.")
                signal.pause()
        except Interrupted:
            _say("stopped")
    return 0


def undo() -> int:
    """Undo what killed harnesses left, newest first."""
    journals = list(reversed(stale(state_dir()))) if state_dir().exists() else []
    if not journals:
        _say("nothing to undo")
        return 0
    failed = False
    for path in journals:
        problems = undo_file(path, UNDOS)
        failed = failed or bool(problems)
        _say(f"{path.stem}: " + ("; ".join(problems) if problems else "undone"))
    return EXIT_HARNESS if failed else 0


def show_servers(*, get: bool) -> int:
    """Print which servers are found; those that cannot be had are named, which is no failure."""
    for found in servers.find_all(get=get).values():
        _say(f"{found.name}: {found.path or found.missing()}")
    return 0


def _replayable(wish: Wish) -> Wish:
    """The wish with the command that repeats it."""
    words = [
        "python",
        "-m",
        "chaos",
        "run",
        wish.scenario,
        "--seed",
        str(wish.seed),
        "--delivery",
        wish.delivery,
    ]
    words += ["--lease", f"{wish.lease_s:g}"]
    words += ["--rate", f"{wish.rate_per_s:g}"] if wish.rate_per_s is not None else []
    words += ["--duration", f"{wish.duration_s:g}"] if wish.duration_s is not None else []
    words += [] if wish.receipts else ["--no-receipts", "--doubt-policy", wish.doubt_policy]
    return dataclasses.replace(wish, command=tuple(words))


def _was_interrupted(folder: Path) -> bool:
    records = evidence.read(folder / evidence.EVENTS).records
    return any(r["event"] == "note" and str(r.get("text", "")).startswith("interrupted") for r in records)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
