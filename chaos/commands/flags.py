"""Flags that several commands share, and how they become a wish."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaos.errors import UsageError
from chaos.prepare import DELIVERIES, Wish
from chaos.stack.options import BROKERS, StackOptions
from reports.limits import LimitError, parse, read

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[Any]


def broker(parser: argparse.ArgumentParser) -> None:
    """What carries the hints."""
    parser.add_argument(
        "--broker", choices=BROKERS, default="redis", help="what carries the hints (default: redis)"
    )


def delivery(parser: argparse.ArgumentParser) -> None:
    """The guard of a mail."""
    parser.add_argument(
        "--delivery",
        choices=DELIVERIES,
        default="ledger",
        help="how the system guards a mail (default: ledger)",
    )


def out(parser: argparse.ArgumentParser) -> None:
    """Where a run leaves what it leaves."""
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for evidence and report, new or empty"
    )


def experiment(parser: argparse.ArgumentParser) -> None:
    """Everything that one scenario and a suite of them have in common."""
    add = parser.add_argument
    add("--seed", type=int, default=1, help="decides jobs, victims and per-mail faults (default: 1)")
    delivery(parser)
    broker(parser)
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
    add(
        "--metrics-port",
        type=int,
        default=0,
        metavar="PORT",
        help="serve faults, mails and the verdict so far for Prometheus, on loopback, while the run goes on",
    )
    load(parser)
    limits(parser)
    out(parser)


def load(parser: argparse.ArgumentParser) -> None:
    """What the flood is like, see docs/load.md."""
    parser.add_argument(
        "--arrivals", default="constant", metavar="SHAPE", help="when jobs fall due, such as spike:at=5,for=3"
    )
    parser.add_argument("--mix", default="", metavar="KINDS", help="kinds of jobs, such as email=8,greet=1")
    parser.add_argument(
        "--processes", type=int, default=1, metavar="N", help="load processes; over 1: a master and N workers"
    )


def limits(parser: argparse.ArgumentParser) -> None:
    """Thresholds that become part of the verdict."""
    parser.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="EXPR",
        help="a threshold that the verdict must keep, such as 'e2e_seconds:p(99)<5'; may be repeated",
    )
    parser.add_argument("--limits", type=Path, metavar="FILE", help="thresholds, one per line, # comments")


def _limits(args: argparse.Namespace) -> tuple[str, ...]:
    """The thresholds from both places, each once understood. Raises UsageError with words."""
    try:
        texts = [*(read(args.limits) if args.limits else ()), *args.limit]
        return tuple(parse(text).text for text in texts)
    except LimitError as error:
        raise UsageError(f"--limit: {error}") from error


def wish(args: argparse.Namespace, scenario: str) -> Wish:
    """What these flags ask for."""
    return Wish(
        scenario=scenario,
        rate_per_s=getattr(args, "rate", None),
        duration_s=getattr(args, "duration", None),
        seed=args.seed,
        delivery=args.delivery,
        broker=args.broker,
        receipts=args.receipts,
        doubt_policy=args.doubt_policy,
        allow_unavoidable=args.allow_unavoidable,
        lease_s=args.lease,
        arrivals=args.arrivals,
        mix=args.mix,
        processes=args.processes,
        limits=_limits(args),
        out=args.out,
        metrics_port=args.metrics_port,
    )


def say(text: str) -> None:
    """Print a line at once: a person, or a pipe, waits for it."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
