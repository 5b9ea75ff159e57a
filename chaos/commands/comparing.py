"""`compare`: two stored runs side by side; refuses unlike ones."""

from __future__ import annotations

import argparse
from pathlib import Path

from chaos.commands import flags
from chaos.commands.flags import say
from chaos.errors import UsageError
from reports.compare import render, text
from reports.compare.runs import compare
from reports.compare.stored import NotComparable
from reports.verdict import EXIT_CODES


def add(sub: flags.Subparsers) -> None:
    """Add the command."""
    parser = sub.add_parser("compare", help="compare two stored runs of the same plan on the same machine")
    option = parser.add_argument
    option("base", type=Path, help="folder of the run to compare with")
    option("head", type=Path, help="folder of the run to judge")
    option(
        "--anyway", action="store_true", help="show unlike runs side by side, too; then never pass or fail"
    )
    option("--json", action="store_true", help="print the comparison as JSON instead of a table")
    option("--markdown", type=Path, metavar="FILE", help="write it as Markdown, too")
    option("--html", type=Path, metavar="FILE", help="write it as a page, too")
    parser.set_defaults(act=run)


def run(args: argparse.Namespace) -> int:
    """Compare, print, and write what was asked for. Raises UsageError for runs that cannot be compared."""
    try:
        comparison = compare(args.base, args.head, anyway=args.anyway)
    except NotComparable as error:
        raise UsageError(str(error)) from error
    say(render.as_json(comparison).rstrip() if args.json else text.as_text(comparison))
    try:
        for path, write in ((args.markdown, render.as_markdown), (args.html, render.as_html)):
            if path:
                path.write_text(write(comparison), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from error
    return EXIT_CODES[comparison.verdict]
