"""The main path: one experiment from top to bottom. Start, flood, break, heal, drain, collect, stop, judge.

Called by the command line; everything it does is in this file or one step away. It never decides a verdict:
that is read from the evidence afterwards, and `python -m chaos judge` reads the same.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chaos import marks
from chaos.ending import drain_collect_stop
from chaos.errors import HarnessError, Interrupted, StoryCut
from chaos.journal import Journal
from chaos.live import Live
from chaos.observe import Events, Observer
from chaos.paths import state_dir
from chaos.progress import Progress
from chaos.scenarios.base import Scenario
from chaos.servers import Found
from chaos.signals import interruptible, shielded
from chaos.stack.local import LocalStack
from chaos.stack.options import StackOptions
from chaos.stage import Stage
from chaos.undo import UNDOS
from loadtests import launch
from reports import evidence
from reports.plan import Plan, store_plan
from reports.render import write_all
from reports.verdict import Verdict, judge

LOAD_SETTLE_S = 10.0
# Open submissions get 30 s, the mails their time to settle, and Locust's own files a moment.
LOAD_GRACE_S = 55.0
# Of so many jobs the status is also read while the flood goes on: it must not say SUCCESS too early.
STATUS_SHARE = 0.05


@dataclass(frozen=True)
class Run:
    """One experiment to run: the story, its plan, its folder, and what it runs with."""

    scenario: Scenario
    plan: Plan
    folder: Path
    options: StackOptions
    servers: dict[str, Found]
    processes: int = 1
    """Of the load."""


@dataclass(frozen=True)
class Ended:
    """A judged experiment, and whether a signal cut it short."""

    verdict: Verdict
    interrupted: bool


def nobody(live: Live) -> None:
    """Show the run to nobody."""


def run_experiment(run: Run, show: Callable[[Live], None] = nobody) -> Ended:
    """Run it and judge it; a signal ends it early. Raises HarnessError when the harness itself failed.

    `show` gets what can be watched while it goes on.
    """
    store_plan(run.folder, run.plan)
    events = Events(run.folder / evidence.EVENTS, run.plan.run, "chaos")
    events.live.so_far.forgive_duplicates = run.plan.thresholds.allow_unavoidable
    show(events.live)
    interrupted = False
    with Progress(run.scenario.name) as progress, interruptible():
        try:
            with undoing(run.plan.run, run.folder, events) as journal:
                _experiment(run, events, journal, progress)
        except Interrupted as signal:
            interrupted = True
            events.append("note", text=str(signal))
            progress.say(f"{signal}: faults undone, processes ended; judging what there is")
        except Exception as error:
            events.append("harness_failed", why=f"{type(error).__name__}: {error}")
            raise
        finally:
            events.close()
        progress.phase("judge")
        verdict = judge(run.folder)
        events.live.so_far.end(verdict.verdict)
        write_all(run.folder, verdict)
    return Ended(verdict, interrupted)


def _experiment(run: Run, events: Events, journal: Journal, progress: Progress) -> None:
    """Everything between the first process and the last."""

    def phase(name: str) -> None:
        events.append("phase", name=name)
        progress.phase(name)

    phase("start")
    with (
        LocalStack(run.plan.run, run.folder, run.servers, run.options, events) as stack,
        _watching(run, stack, events) as observer,
    ):
        phase("flood")
        with _flood(run, stack) as load:
            stage = Stage(run.plan, stack, observer, lambda: load.poll() is None, events, journal, progress)
            cut = _tell(run.scenario.story, stage)
            events.append("story", told=cut is None, why=cut)
            if cut:
                progress.say(f"{cut}; draining and judging what there is")
            events.append("load_exit", status=launch.stop(load, LOAD_GRACE_S))
        drain_collect_stop(stack, observer, events, run.folder, phase, progress.show)


def _tell(story: Callable[[Stage], None], stage: Stage) -> str | None:
    """Tell the story; returns why it was cut short, or None."""
    try:
        stage.open()
        story(stage)
    except StoryCut as cut:
        return str(cut)
    return None


def _watching(run: Run, stack: LocalStack, events: Events) -> Observer:
    metrics = evidence.Appender(run.folder / evidence.METRICS, run.plan.run, "chaos")
    return Observer(metrics, stack.metrics, stack.broker, stack.sink, events.live.so_far.see)


@contextmanager
def _flood(run: Run, stack: LocalStack) -> Iterator[subprocess.Popen[bytes]]:
    """The load, until the story is told."""
    spec = launch.LoadSpec(
        target=stack.addresses.http("api"),
        rate_per_s=run.plan.rate_per_s,
        seed=run.plan.seed,
        run=run.plan.run,
        evidence_dir=run.folder,
        for_s=0,
        status_share=STATUS_SHARE,
        arrivals=run.plan.arrivals,
        mix=run.plan.mix,
        processes=run.processes,
        sink=stack.addresses.http("control"),
        settle_s=LOAD_SETTLE_S,
        stats=run.folder / "logs" / "load",
    )
    process = launch.start(spec, run.folder / "logs" / "locust.log", env={marks.VARIABLE: run.plan.run})
    try:
        yield process
    finally:
        launch.stop(process, grace_s=2.0)


@contextmanager
def undoing(run: str, folder: Path, events: Events) -> Iterator[Journal]:
    """The undo journal around everything: whatever happens inside is taken back and read back."""
    work = str(folder / "work")
    with shielded():
        journal = Journal(state_dir(), run)
        journal.will("files", path=work)
        journal.will("processes", run=run, work=work)
    try:
        yield journal
    finally:
        with shielded():
            problems = journal.undo_all(UNDOS)
            if problems:
                words = "; ".join(problems)
                raise HarnessError(f"not undone: {words}. `python -m chaos undo` tries again.")
