"""The command line: `python -m chaos run | suite | list | judge | up | undo | servers`, also as `mailstorm`.

Flags and wiring only. Exit codes: 0 pass, 1 fail, 2 unknown, 3 the harness or an undo failed, 64 wrong usage.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from pathlib import Path
from typing import NoReturn

from chaos import commands
from chaos.errors import (
    EXIT_HARNESS,
    EXIT_UNKNOWN,
    EXIT_USAGE,
    HarnessError,
    Interrupted,
    ServerMissing,
    UsageError,
)
from chaos.prepare import DELIVERIES, Wish
from chaos.stack.options import BROKERS, StackOptions


class _Parser(argparse.ArgumentParser):
    """argparse, with the exit code that the whole project uses for wrong usage."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        sys.stderr.write(f"{self.prog}: {message}\n")
        raise SystemExit(EXIT_USAGE)


def parser() -> argparse.ArgumentParser:
    """All commands and their flags."""
    main = _Parser(
        prog="mailstorm", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sub = main.add_subparsers(dest="command", required=True, parser_class=_Parser)

    run = sub.add_parser("run", help="run one scenario and judge it")
    run.add_argument("scenario", help="see `list`")
    _experiment_flags(run)
    run.add_argument("--rate", type=float, metavar="PER_S", help="jobs offered per second")
    run.add_argument("--duration", type=float, metavar="S", help="shortest length of the flood")
    run.set_defaults(act=lambda args: commands.run(_wish(args)))

    suite = sub.add_parser("suite", help="run the standard suite and print one table")
    _experiment_flags(suite)
    suite.set_defaults(act=lambda args: commands.suite(_wish(args, scenario="")))

    listing = sub.add_parser("list", help="list the scenarios")
    listing.set_defaults(act=lambda _: commands.list_scenarios())

    judge = sub.add_parser("judge", help="judge the evidence of an earlier run again")
    judge.add_argument("run", type=Path, help="the run's folder")
    judge.set_defaults(act=lambda args: commands.judge_again(args.run))

    up = sub.add_parser("up", help="start the system alone and keep it until Ctrl-C")
    up.add_argument("--delivery", choices=DELIVERIES, default="ledger", help="how the system guards a mail")
    _broker_flag(up)
    up.add_argument("--api-port", type=int, default=0, help="port of the API (default: a free one)")
    up.add_argument(
        "--simulate-failures",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="refuse recipients with `fail` in them, for demos",
    )
    _out_flag(up)
    up.set_defaults(act=lambda args: commands.up(_up_options(args), args.out))

    undo = sub.add_parser("undo", help="take back what a killed harness left: faults, processes, files")
    undo.set_defaults(act=lambda _: commands.undo())

    servers = sub.add_parser("servers", help="show which servers are found")
    servers.add_argument("--get", action="store_true", help="build what is missing into the project's .tools")
    servers.set_defaults(act=lambda args: commands.show_servers(get=args.get))
    return main


def _broker_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--broker", choices=BROKERS, default="redis", help="what carries the hints (default: redis)"
    )


def _out_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for evidence and report, new or empty"
    )


def _experiment_flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--seed", type=int, default=1, help="decides jobs, victims and per-mail faults (default: 1)")
    add(
        "--delivery",
        choices=DELIVERIES,
        default="ledger",
        help="how the system guards a mail (default: ledger)",
    )
    _broker_flag(parser)
    add("--lease", type=float, default=StackOptions.lease_s, metavar="S", help="lease of a job (default: 8)")
    add(
        "--no-receipts", dest="receipts", action="store_false", help="nobody can say whether a mail is stored"
    )
    add(
        "--doubt-policy",
        choices=("hold", "resend"),
        default="hold",
        help="what becomes of a mail in doubt with --no-receipts (default: hold)",
    )
    add(
        "--allow-unavoidable",
        action="store_true",
        help="count, but forgive, duplicates that no sender could avoid (the 250 never left the server)",
    )
    _out_flag(parser)


def _up_options(args: argparse.Namespace) -> StackOptions:
    return StackOptions(
        delivery=args.delivery,
        broker=args.broker,
        api_port=args.api_port,
        simulate_failures=args.simulate_failures,
        monitoring=True,
    )


def _wish(args: argparse.Namespace, scenario: str | None = None) -> Wish:
    return Wish(
        scenario=args.scenario if scenario is None else scenario,
        rate_per_s=getattr(args, "rate", None),
        duration_s=getattr(args, "duration", None),
        seed=args.seed,
        delivery=args.delivery,
        broker=args.broker,
        receipts=args.receipts,
        doubt_policy=args.doubt_policy,
        allow_unavoidable=args.allow_unavoidable,
        lease_s=args.lease,
        out=args.out,
    )


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    args = parser().parse_args(argv)
    try:
        return int(args.act(args))
    except UsageError as error:
        sys.stderr.write(f"mailstorm: {error}\n")
        return EXIT_USAGE
    except ServerMissing as error:
        sys.stderr.write(f"mailstorm: unknown: {error}\n")
        return EXIT_UNKNOWN
    except HarnessError as error:
        sys.stderr.write(f"mailstorm: {error}\n")
        return EXIT_HARNESS
    except (Interrupted, KeyboardInterrupt) as error:
        sys.stderr.write(f"mailstorm: {error or 'interrupted'}\n")
        return EXIT_UNKNOWN
    except Exception:
        # Python would end with 1, which here means that the system broke its promise.
        traceback.print_exc()
        sys.stderr.write("mailstorm: the harness failed, which says nothing about the system under test\n")
        return EXIT_HARNESS


if __name__ == "__main__":
    sys.exit(main())
