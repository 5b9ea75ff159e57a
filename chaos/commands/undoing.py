"""`undo`: takes back what killed harnesses left."""

from __future__ import annotations

from chaos.commands import flags
from chaos.commands.flags import say
from chaos.errors import EXIT_HARNESS
from chaos.journal import stale, undo_file
from chaos.paths import state_dir
from chaos.undo import UNDOS


def add(sub: flags.Subparsers) -> None:
    """Add the command."""
    words = "take back what a killed harness left: faults, processes, files"
    sub.add_parser("undo", help=words).set_defaults(act=lambda _: undo())


def undo() -> int:
    """Undo what killed harnesses left, newest first."""
    journals = list(reversed(stale(state_dir()))) if state_dir().exists() else []
    if not journals:
        say("nothing to undo")
        return 0
    failed = False
    for path in journals:
        problems = undo_file(path, UNDOS)
        failed = failed or bool(problems)
        say(f"{path.stem}: " + ("; ".join(problems) if problems else "undone"))
    return EXIT_HARNESS if failed else 0
