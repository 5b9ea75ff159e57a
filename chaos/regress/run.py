"""The main path of `regress`: both sides up, rounds in turn, both drained and judged, one comparison.

Called by the command. Decides nothing: what the rounds mean is read from the folder by reports/compare.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from chaos.journal import refuse_stale
from chaos.paths import RUNS, state_dir
from chaos.prepare import make_folder
from chaos.progress import Progress
from chaos.regress import rounds, sources
from chaos.regress.rounds import SIDES, Spoilt
from chaos.regress.side import Side, Wanted, finish, restart, running
from chaos.regress.wish import SCENARIO, Wish, planned
from chaos.servers import Found
from chaos.signals import interruptible
from reports import rows
from reports.compare import regression
from reports.compare.model import Comparison
from reports.compare.render import write_regress
from reports.evidence import Appender
from reports.render import write_all
from reports.verdict import judge

MAX_SPOILT = 2


def regress(wish: Wish, servers: dict[str, Found]) -> tuple[Comparison, Path]:
    """Measure both revisions; the comparison and its folder. Raises UsageError, HarnessError, Interrupted."""
    found = {name: sources.find(word) for name, word in (("base", wish.base), ("head", wish.head))}
    refuse_stale(state_dir())
    folder = make_folder(SCENARIO, wish.out)
    with Progress(SCENARIO) as progress, interruptible():
        wanted = {name: planned(wish, name, found[name], folder, servers, progress.say) for name in SIDES}
        record = Appender(folder / regression.ROUNDS, wanted["head"].plan.run, SCENARIO)
        try:
            _measured(wish, wanted, record, progress)
        finally:
            record.close()
        progress.phase("judge")
        for name in SIDES:
            write_all(wanted[name].folder, judge(wanted[name].folder))
    comparison = regression.conclude(folder, wish.limits)
    for name in SIDES:
        rows.append(RUNS if wish.out is None else folder, wanted[name].folder, rows.cpu_ms(comparison, name))
    write_regress(folder, comparison)
    return comparison, folder


def _measured(wish: Wish, wanted: dict[str, Wanted], record: Appender, progress: Progress) -> None:
    progress.phase("start")
    with ExitStack() as stacks:
        # Being the first to start must not be a habit of either side.
        starts = SIDES if wish.seed % 2 else SIDES[::-1]
        sides = {name: stacks.enter_context(running(wanted[name])) for name in starts}
        record.append(
            "measurement",
            base=wanted["base"].source.words,
            head=wanted["head"].source.words,
            taken_from={name: side.taken_from for name, side in sides.items()},
            python={name: wanted[name].options.python for name in SIDES},
            settings={**dataclasses.asdict(wish.shape), "seed": wish.seed, "broker": wish.broker},
            command=list(wish.command),
        )
        progress.phase("measure")
        cut = _rounds(wish, sides, record, progress)
        progress.phase("drain")
        with ThreadPoolExecutor(len(SIDES)) as pool:
            ends = [pool.submit(finish, sides[name], wanted[name].folder, cut=cut) for name in SIDES]
            for end in ends:
                end.result()


def _rounds(wish: Wish, sides: dict[str, Side], record: Appender, progress: Progress) -> str | None:
    """Play all rounds; returns why they ended early, or None."""
    rng = random.Random(f"order:{wish.seed}")
    plan = wish.shape.plan()
    numbers, of = itertools.count(1), sum(map(len, plan))
    spoilt = 0
    for life, counts in enumerate(plan):
        if life:
            with ThreadPoolExecutor(len(SIDES)) as pool:
                list(pool.map(restart, sides.values()))
        for count in counts:
            number = next(numbers)
            progress.show(f"round {number} of {of}")
            try:
                played = rounds.play(sides, wish.shape, rng)
            except Spoilt as why:
                spoilt += 1
                record.append("spoilt", round=number, why=str(why))
                progress.say(f"round {number} says nothing: {why}")
                if spoilt >= MAX_SPOILT:
                    return f"{spoilt} rounds were spoilt, the last because {why}"
                continue
            record.append("round", round=number, life=life + 1, warm_up=not count, **played)
    return None
