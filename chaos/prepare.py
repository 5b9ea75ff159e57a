"""From what a person asked for to a run that can begin: checks the wish, makes the plan and the folder.

Raises UsageError for wishes that make no sense, before anything is started.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from chaos.ending import DRAIN_LIMIT_S
from chaos.errors import ServerMissing, UsageError, require
from chaos.experiment import Run
from chaos.journal import refuse_stale
from chaos.machine import machine
from chaos.paths import RUNS, state_dir
from chaos.plan import MAX_SEED, run_id, versions
from chaos.revision import revision
from chaos.scenarios import SCENARIOS
from chaos.scenarios.base import Scenario
from chaos.servers import Found
from chaos.stack.options import BROKERS, StackOptions
from loadtests.launch import check
from reports.plan import Plan, Thresholds

DELIVERIES = ("ledger", "claim-first", "mark-after", "none")
MAX_RATE_PER_S = 5000
MAX_PROCESSES = 64
MAX_DURATION_S = 24 * 3600


@dataclass(frozen=True)
class Wish:
    """What was asked for on the command line; None: as the scenario says."""

    scenario: str
    rate_per_s: float | None = None
    duration_s: float | None = None
    seed: int = 1
    delivery: str = "ledger"
    broker: str = "redis"
    receipts: bool = True
    doubt_policy: str = "hold"
    allow_unavoidable: bool = False
    lease_s: float = StackOptions.lease_s
    arrivals: str = "constant"
    mix: str = ""
    processes: int = 1
    limits: tuple[str, ...] = ()
    out: Path | None = None
    metrics_port: int = 0
    """Where the run can be watched by Prometheus; 0: nowhere."""
    command: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Load:
    """How much is offered, and for how long at least."""

    rate_per_s: float
    duration_s: float


def prepare(wish: Wish, servers: dict[str, Found]) -> Run:
    """Check the wish and make the run's folder; nothing is started yet."""
    scenario = find_scenario(wish.scenario)
    load = Load(
        scenario.rate_per_s if wish.rate_per_s is None else wish.rate_per_s,
        scenario.duration_s if wish.duration_s is None else wish.duration_s,
    )
    options = StackOptions(
        delivery=wish.delivery,
        broker=wish.broker,
        receipts=wish.receipts,
        doubt_policy=wish.doubt_policy,
        lease_s=wish.lease_s,
        sink_latency_s=scenario.sink_latency_s,
    )
    _check(wish, load, options)
    _require_servers((*options.servers, *scenario.needs), servers)
    refuse_stale(state_dir())
    folder = make_folder(scenario.name, wish.out)
    return Run(scenario, _plan(wish, load, scenario), folder, options, servers, wish.processes)


def _check(wish: Wish, load: Load, options: StackOptions) -> None:
    """Raise UsageError, in words, for the first wish that makes no sense."""
    rules = {
        f"--rate {load.rate_per_s:g}: jobs per second, more than 0 and at most {MAX_RATE_PER_S}": (
            0 < load.rate_per_s <= MAX_RATE_PER_S
        ),
        f"--duration {load.duration_s:g}: seconds, more than 0 and at most {MAX_DURATION_S}": (
            0 < load.duration_s <= MAX_DURATION_S
        ),
        f"--seed {wish.seed}: a whole number from 0 to {MAX_SEED}": 0 <= wish.seed <= MAX_SEED,
        f"--metrics-port {wish.metrics_port}: a port, at most 65535": 0 <= wish.metrics_port <= 65535,
        f"--processes {wish.processes}: load processes, from 1 to {MAX_PROCESSES}": (
            1 <= wish.processes <= MAX_PROCESSES
        ),
        f"--delivery {wish.delivery}: one of {', '.join(DELIVERIES)}": wish.delivery in DELIVERIES,
        f"--broker {wish.broker}: one of {', '.join(BROKERS)}": wish.broker in BROKERS,
        f"--lease {wish.lease_s:g}: seconds, over the sink's DATA limit of {options.data_limit_s:g}": (
            options.data_limit_s < wish.lease_s <= MAX_DURATION_S
        ),
    }
    if wish.doubt_policy != "hold" and wish.receipts:
        raise UsageError(
            f"--doubt-policy {wish.doubt_policy}: only with --no-receipts, else the receiver is asked"
        )
    require(rules)
    try:
        check(wish.arrivals, wish.mix, load.rate_per_s, wish.seed)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _plan(wish: Wish, load: Load, scenario: Scenario) -> Plan:
    return Plan(
        run=run_id(scenario.name, wish.seed),
        scenario=scenario.name,
        seed=wish.seed,
        rate_per_s=load.rate_per_s,
        duration_s=load.duration_s,
        delivery=wish.delivery,
        broker=wish.broker,
        lease_s=wish.lease_s,
        receipts=wish.receipts,
        thresholds=Thresholds(
            min_accepted=scenario.min_accepted(load.rate_per_s, load.duration_s),
            drain_limit_s=DRAIN_LIMIT_S,
            recovery_limit_s=scenario.recovery_limit_s,
            allow_unavoidable=wish.allow_unavoidable,
        ),
        expect_faults=scenario.expect_faults,
        command=wish.command,
        versions=versions(),
        arrivals=wish.arrivals,
        mix=wish.mix,
        limits=wish.limits,
        machine=machine(),
        revision=revision(),
    )


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
        link = parent / f".latest-{os.getpid()}"
        link.symlink_to(folder.name)
        link.replace(parent / "latest")  # at once: another run may do the same right now
        return folder
    raise UsageError(f"{parent}: a hundred runs within one second?")


def _require_servers(needed: tuple[str, ...], servers: dict[str, Found]) -> None:
    missing = [servers[name].missing() for name in needed if servers[name].path is None]
    if missing:
        raise ServerMissing(" ".join(missing))
