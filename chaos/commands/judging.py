"""`judge`: the verdict on an earlier run, from its evidence."""

from __future__ import annotations

import sys
from pathlib import Path

from chaos.commands import flags
from chaos.errors import EXIT_USAGE
from reports import table
from reports.plan import NotARun
from reports.render import write_all
from reports.verdict import judge


def add(sub: flags.Subparsers) -> None:
    """Add the command."""
    parser = sub.add_parser("judge", help="judge the evidence of an earlier run again")
    parser.add_argument("run", type=Path, help="the run's folder")
    parser.set_defaults(act=lambda args: judge_again(args.run))


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
