"""`index`: the page over all runs, written anew."""

from __future__ import annotations

from pathlib import Path

from chaos.commands import flags
from chaos.commands.flags import say
from chaos.errors import UsageError
from chaos.paths import RUNS
from reports import index


def add(sub: flags.Subparsers) -> None:
    """Add the command."""
    parser = sub.add_parser("index", help="write the index page over all runs anew, and say where it is")
    parser.add_argument(
        "runs", type=Path, nargs="?", default=RUNS, help="folder of runs (default: reports/runs)"
    )
    parser.set_defaults(act=lambda args: write(args.runs))


def write(runs: Path) -> int:
    """Write it. Raises UsageError for what is no folder."""
    if not runs.is_dir() and runs != RUNS:
        raise UsageError(f"{runs} is no folder of runs: name one that holds SCENARIO/TIME folders")
    say(str(index.write(runs)))
    return 0
