"""The command line: `python -m chaos COMMAND`, also as `mailstorm COMMAND`. Commands: chaos/commands/.

Exit codes: 0 pass, 1 fail, 2 unknown, 3 the harness or an undo failed, 64 wrong usage.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from typing import NoReturn

from chaos.commands import COMMANDS
from chaos.errors import (
    EXIT_HARNESS,
    EXIT_UNKNOWN,
    EXIT_USAGE,
    HarnessError,
    Interrupted,
    ServerMissing,
    UsageError,
)


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
    for command in COMMANDS:
        command.add(sub)
    return main


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
