"""From what a person asked for to a run that can begin: checks the wish, makes the plan and the folder.

Raises UsageError for wishes that make no sense, before anything is started.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from chaos.errors import ServerMissing, UsageError
from chaos.experiment import DRAIN_LIMIT_S, Run
from chaos.journal import refuse_stale
from chaos.paths import RUNS, state_dir
from chaos.plan import Plan, Thresholds, run_id
from chaos.scenarios import SCENARIOS
from chaos.scenarios.base import Scenario
from chaos.servers import Found
from chaos.stack.options import StackOptions

DELIVERIES = ("ledger", "claim-first", "mark-after", "none")
MAX_RATE_PER_S = 5000


@dataclass(frozen=True)
class Wish:
    """What was asked for on the command line; None: as the scenario says."""

    scenario: str
    rate_per_s: float | None = None
    duration_s: float | None = None
    seed: int = 1
    delivery: str = "ledger"
    receipts: bool = True
    doubt_policy: str = "hold"
    lease_s: float = StackOptions.lease_s
    out: Path | None = None
    command: tuple[str, ...] = field(default=())


def prepare(wish: Wish, servers: dict[str, Found]) -> Run:
    """Check the wish and make the run's folder; nothing is started yet."""
    scenario = find_scenario(wish.scenario)
    _require_servers(scenario, servers)
    refuse_stale(state_dir())
    rate_per_s = wish.rate_per_s if wish.rate_per_s is not None else scenario.rate_per_s
    duration_s = wish.duration_s if wish.duration_s is not None else scenario.duration_s
    if not 0 < rate_per_s <= MAX_RATE_PER_S:
        raise UsageError(f"--rate {rate_per_s:g}: jobs per second, more than 0 and at most {MAX_RATE_PER_S}")
    if not 0 < duration_s <= 24 * 3600:
        raise UsageError(f"--duration {duration_s:g}: seconds, more than 0 and at most a day")
    if wish.delivery not in DELIVERIES:
        raise UsageError(f"--delivery {wish.delivery}: one of {', '.join(DELIVERIES)}")
    options = StackOptions(
        delivery=wish.delivery,
        receipts=wish.receipts,
        doubt_policy=wish.doubt_policy,
        lease_s=wish.lease_s,
        sink_latency_s=scenario.sink_latency_s,
    )
    if wish.lease_s <= options.data_limit_s:
        raise UsageError(
            f"--lease {wish.lease_s:g}: must be over the sink's DATA limit, {options.data_limit_s:g} s"
        )
    run = run_id(scenario.name, wish.seed)
    plan = Plan(
        run=run,
        scenario=scenario.name,
        seed=wish.seed,
        rate_per_s=rate_per_s,
        duration_s=duration_s,
        delivery=wish.delivery,
        lease_s=wish.lease_s,
        receipts=wish.receipts,
        thresholds=Thresholds(
            min_accepted=scenario.min_accepted(rate_per_s, duration_s),
            drain_limit_s=DRAIN_LIMIT_S,
            recovery_limit_s=scenario.recovery_limit_s,
        ),
        expect_faults=scenario.expect_faults,
        command=wish.command,
    )
    return Run(scenario, plan, make_folder(scenario.name, wish.out), options, servers)


def find_scenario(name: str) -> Scenario:
    """The scenario of that name; raises UsageError that lists them all."""
    if name not in SCENARIOS:
        raise UsageError(f"unknown scenario {name!r}; there are: {', '.join(SCENARIOS)}")
    return SCENARIOS[name]


def make_folder(scenario: str, out: Path | None) -> Path:
    """The folder of a run: `out` (new or empty), else runs/<scenario>/<time>, linked as latest."""
    if out is not None:
        folder = out.resolve()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            taken = any(folder.iterdir())
        except OSError as error:
            raise UsageError(f"--out {out}: {error.strerror}") from error
        if taken:
            raise UsageError(f"--out {out}: not empty; evidence is never written over, choose another folder")
    else:
        folder = _new_folder(RUNS / scenario)
    (folder / "logs").mkdir()
    return folder


def _new_folder(parent: Path) -> Path:
    stamp = time.strftime("%Y%m%dT%H%M%S")
    parent.mkdir(parents=True, exist_ok=True)
    for number in range(100):
        folder = parent / (f"{stamp}-{number}" if number else stamp)
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        latest = parent / "latest"
        latest.unlink(missing_ok=True)
        latest.symlink_to(folder.name)
        return folder
    raise UsageError(f"{parent}: a hundred runs within one second?")


def _require_servers(scenario: Scenario, servers: dict[str, Found]) -> None:
    missing = [servers[name].missing() for name in scenario.needs if servers[name].path is None]
    if missing:
        raise ServerMissing(" ".join(missing))
