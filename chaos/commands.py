"""What each command does, step by step. The flags are in __main__.py, the experiment in experiment.py."""

from __future__ import annotations

import dataclasses
import signal
import sys
from pathlib import Path

from chaos import servers
from chaos.errors import (
    EXIT_FAIL,
    EXIT_HARNESS,
    EXIT_UNKNOWN,
    EXIT_USAGE,
    HarnessError,
    Interrupted,
    ServerMissing,
)
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
from reports.render import REPORT_HTML, write_all
from reports.verdict import Verdict, judge


def run(wish: Wish) -> int:
    """Run one scenario, print its verdict and where the report is."""
    ended = run_experiment(prepare(_replayable(wish), servers.find_all()))
    table.render([ended.verdict])
    return ended.verdict.exit_code


def suite(wish: Wish) -> int:
    """Run the standard suite one after the other and print one table; the worst end decides."""
    found = servers.find_all(get=True)
    verdicts: list[Verdict] = []
    codes: list[int] = []
    for name in STANDARD_SUITE[wish.broker]:
        out = wish.out / name if wish.out else None
        try:
            ended = run_experiment(
                prepare(_replayable(dataclasses.replace(wish, scenario=name, out=out)), found)
            )
        except ServerMissing as error:
            _say(f"{name}: unknown: {error}\n")
            codes.append(EXIT_UNKNOWN)
            continue
        except HarnessError as error:
            _say(f"{name}: the harness failed: {error}\n")
            codes.append(EXIT_HARNESS)
            break
        verdicts.append(ended.verdict)
        codes.append(ended.verdict.exit_code)
        _say(f"{name}: {ended.verdict.verdict}; report: {ended.verdict.run_dir / REPORT_HTML}\n")
        if ended.interrupted:
            codes.append(EXIT_UNKNOWN)  # of the scenarios that never ran
            break
    table.render(verdicts)
    return worst(codes)


def worst(codes: list[int]) -> int:
    """One exit code for several: the harness failed, fail, unknown, pass; none at all is unknown."""
    return next(
        (code for code in (EXIT_HARNESS, EXIT_FAIL, EXIT_UNKNOWN) if code in codes), 0 if codes else 2
    )


def list_scenarios() -> int:
    """Print every scenario, a line each."""
    for scenario in SCENARIOS.values():
        load = f"{scenario.rate_per_s:g}/s for {scenario.duration_s:g} s"
        _say(f"{scenario.name:18} {load:14} {scenario.summary}")
    for broker, names in STANDARD_SUITE.items():
        _say(f"the standard suite with --broker {broker}: {', '.join(names)}")
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


def up(options: StackOptions, out: Path | None) -> int:
    """Start the system, print its addresses, and stop it on Ctrl-C or SIGTERM."""
    run_name = run_id("up", 0)
    folder = make_folder("up", out)
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
        "--broker",
        wish.broker,
    ]
    words += ["--lease", f"{wish.lease_s:g}"]
    words += ["--rate", f"{wish.rate_per_s:g}"] if wish.rate_per_s is not None else []
    words += ["--duration", f"{wish.duration_s:g}"] if wish.duration_s is not None else []
    words += [] if wish.receipts else ["--no-receipts", "--doubt-policy", wish.doubt_policy]
    words += ["--allow-unavoidable"] if wish.allow_unavoidable else []
    return dataclasses.replace(wish, command=tuple(words))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
