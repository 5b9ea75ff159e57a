"""From what was asked of `regress` to two sides that can be started.

Checks the wish and makes the plans; starts nothing, except that a missing environment is built.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from chaos.ending import DRAIN_LIMIT_S
from chaos.errors import require
from chaos.machine import machine
from chaos.paths import PROJECT
from chaos.plan import MAX_SEED, run_id, versions
from chaos.regress import sources, venvs
from chaos.regress.rounds import Shape
from chaos.regress.side import Wanted
from chaos.servers import Found
from chaos.stack.options import StackOptions
from reports.compare.gate import Limits
from reports.plan import Plan, Thresholds

SCENARIO = "regress"


@dataclass(frozen=True)
class Wish:
    """What was asked for. `base` and `head`: a revision, a folder, or `worktree`."""

    base: str
    head: str = "worktree"
    seed: int = 1
    shape: Shape = field(default_factory=Shape)
    limits: Limits = field(default_factory=Limits)
    broker: str = "redis"
    out: Path | None = None
    command: tuple[str, ...] = ()


def check(wish: Wish) -> None:
    """Raise UsageError, in words, for a wish that makes no sense."""
    rules = {
        f"--seed {wish.seed}: a whole number from 0 to {MAX_SEED}": 0 <= wish.seed <= MAX_SEED,
        f"--rounds {wish.shape.rounds}: a whole number from 6 to 200": 6 <= wish.shape.rounds <= 200,
        f"--effect {wish.limits.effect:g}: a share over 0 and at most 1 (0.05 is 5 %)": (
            0 < wish.limits.effect <= 1
        ),
        f"--alpha {wish.limits.alpha:g}: a share over 0 and at most 0.1": 0 < wish.limits.alpha <= 0.1,
    }
    require(rules)


def planned(
    wish: Wish,
    name: str,
    source: sources.Source,
    folder: Path,
    servers: dict[str, Found],
    say: Callable[[str], None],
) -> Wanted:
    """One side, ready to be started. Raises UsageError or HarnessError for sources that cannot run."""
    python = venvs.interpreter(
        source.lock(), (PROJECT / sources.LOCK).read_bytes(), lambda words: say(f"{name}: {words}")
    )
    # One process to send: a second one would hide what the first waits for. No proxies: nothing is severed.
    options = StackOptions(broker=wish.broker, workers=1, concurrency=1, python=python)
    plan = Plan(
        run=run_id(f"{SCENARIO}-{name}", wish.seed),
        scenario=SCENARIO,
        seed=wish.seed,
        rate_per_s=0.0,
        duration_s=0.0,
        delivery=options.delivery,
        broker=options.broker,
        lease_s=options.lease_s,
        receipts=options.receipts,
        thresholds=Thresholds(min_accepted=wish.shape.mails_a_round, drain_limit_s=DRAIN_LIMIT_S),
        expect_faults=(),
        command=wish.command,
        versions=versions(),
        arrivals=str(wish.shape),
        model="closed",
        machine=machine(),
        revision=source.revision,
    )
    without = servers | {"toxiproxy-server": Found("toxiproxy-server", None)}
    return Wanted(name, source, plan, folder / name, options, without)
