"""`up`: the system alone, for people, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

from chaos import servers
from chaos.commands import flags
from chaos.commands.flags import say
from chaos.errors import Interrupted
from chaos.experiment import undoing
from chaos.observe import Events
from chaos.plan import run_id
from chaos.prepare import make_folder
from chaos.signals import interruptible
from chaos.stack.local import LocalStack
from chaos.stack.options import StackOptions
from reports import evidence


def add(sub: flags.Subparsers) -> None:
    """Add the command."""
    parser = sub.add_parser("up", help="start the system alone and keep it until Ctrl-C")
    flags.delivery(parser)
    flags.broker(parser)
    parser.add_argument("--api-port", type=int, default=0, help="port of the API (default: a free one)")
    parser.add_argument(
        "--simulate-failures",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="refuse recipients with `fail` in them, for demos",
    )
    flags.out(parser)
    parser.set_defaults(act=lambda args: up(options(args), args.out))


def options(args: argparse.Namespace) -> StackOptions:
    """What these flags ask for."""
    return StackOptions(
        delivery=args.delivery,
        broker=args.broker,
        api_port=args.api_port,
        simulate_failures=args.simulate_failures,
        monitoring=True,
    )


def up(options: StackOptions, out: Path | None) -> int:
    """Start the system, print its addresses, and stop it on Ctrl-C or SIGTERM."""
    run_name = run_id("up", 0)
    folder = make_folder("up", out)
    events = Events(folder / evidence.EVENTS, run_name, "chaos")
    with interruptible():
        try:
            with (
                undoing(run_name, folder, events),
                LocalStack(run_name, folder, servers.find_all(), options, events) as stack,
            ):
                for name, address in stack.for_people().items():
                    say(f"{name:14} {address}")
                say(f"{'evidence':14} {folder}\nCtrl-C stops it.")
                signal.pause()
        except Interrupted:
            say("stopped")
    return 0
