"""`servers`: which servers are found, and how to get those that are not."""

from __future__ import annotations

from chaos import servers
from chaos.commands import flags
from chaos.commands.flags import say


def add(sub: flags.Subparsers) -> None:
    """Add the command."""
    parser = sub.add_parser("servers", help="show which servers are found")
    parser.add_argument("--get", action="store_true", help="build what is missing into the project's .tools")
    parser.set_defaults(act=lambda args: show_servers(get=args.get))


def show_servers(*, get: bool) -> int:
    """Print which servers are found; those that cannot be had are named, which is no failure."""
    for found in servers.find_all(get=get).values():
        say(f"{found.name}: {found.path or found.missing()}")
    return 0
