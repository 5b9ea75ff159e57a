"""`regress`: two revisions measured in turn on this machine, and whether the second one is worse."""

from __future__ import annotations

import argparse
from dataclasses import replace

from chaos import servers
from chaos.commands import flags
from chaos.commands.flags import say
from chaos.errors import EXIT_USAGE
from chaos.regress.rounds import Shape
from chaos.regress.run import regress
from chaos.regress.wish import Wish, check
from reports.compare import gate, text
from reports.compare.model import Comparison
from reports.compare.render import REGRESS_HTML
from reports.verdict import EXIT_CODES

FAIL_ON = ("regression", "correctness")


def add(sub: flags.Subparsers) -> None:
    """Add the command."""
    parser = sub.add_parser("regress", help="measure two revisions in turn, and say whether head is worse")
    option = parser.add_argument
    option(
        "--base", required=True, metavar="REV", help="revision to compare with (or a folder with `system`)"
    )
    option(
        "--head", default="worktree", metavar="REV", help="revision to judge (default: this checkout's files)"
    )
    option("--seed", type=int, default=1, help="decides whose turn comes first (default: 1)")
    option("--rounds", type=int, default=Shape.rounds, help=f"measured rounds (default: {Shape.rounds})")
    option(
        "--effect",
        type=float,
        default=gate.Limits.effect,
        help="slowdown that counts, as a share (default: 0.05)",
    )
    option(
        "--alpha",
        type=float,
        default=gate.Limits.alpha,
        help="how often chance alone may pass for a slowdown, over all metrics (default: 0.01)",
    )
    option(
        "--fail-on",
        choices=FAIL_ON,
        default=FAIL_ON[0],
        help="correctness: speed is reported, but the exit code says nothing of it (default: regression)",
    )
    flags.broker(parser)
    flags.out(parser)
    parser.set_defaults(act=run)


def wish(args: argparse.Namespace) -> Wish:
    """What these flags ask for."""
    words = ["python", "-m", "chaos", "regress", "--base", args.base, "--head", args.head]
    words += ["--seed", str(args.seed), "--rounds", str(args.rounds), "--effect", f"{args.effect:g}"]
    words += ["--alpha", f"{args.alpha:g}", "--broker", args.broker]
    return Wish(
        base=args.base,
        head=args.head,
        seed=args.seed,
        shape=replace(Shape(), rounds=args.rounds),
        limits=gate.Limits(alpha=args.alpha, effect=args.effect),
        broker=args.broker,
        out=args.out,
        command=tuple(words),
    )


def run(args: argparse.Namespace) -> int:
    """Measure, print the table and where the page is."""
    wanted = wish(args)
    check(wanted)
    comparison, folder = regress(wanted, servers.find_all())
    say(text.as_text(comparison))
    say(f"page: {folder / REGRESS_HTML}")
    return exit_code(comparison, args.fail_on)


def exit_code(comparison: Comparison, fail_on: str) -> int:
    """0, 1 or 2; when only correctness gates, what was found of speed does not count."""
    gates = comparison.correctness if fail_on == "correctness" else comparison.verdict
    return EXIT_CODES.get(gates, EXIT_USAGE)
