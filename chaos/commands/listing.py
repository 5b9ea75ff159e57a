"""`list`: the scenarios, a line each."""

from __future__ import annotations

from chaos.commands import flags
from chaos.commands.flags import say
from chaos.scenarios import SCENARIOS, STANDARD_SUITE


def add(sub: flags.Subparsers) -> None:
    """Add the command."""
    sub.add_parser("list", help="list the scenarios").set_defaults(act=lambda _: list_scenarios())


def list_scenarios() -> int:
    """Print every scenario and what the standard suite is."""
    for scenario in SCENARIOS.values():
        load = f"{scenario.rate_per_s:g}/s for {scenario.duration_s:g} s"
        say(f"{scenario.name:18} {load:14} {scenario.summary}")
    for broker, names in STANDARD_SUITE.items():
        say(f"the standard suite with --broker {broker}: {', '.join(names)}")
    return 0
