"""`python -m system check` and `python -m system settings`: find out why a deployment does not work.

Run by an operator. Ends with 0, with 1 when a part does not work, with 2 when a setting is wrong.
"""

from __future__ import annotations

import argparse
import sys

from pydantic import ValidationError

from system import check
from system.effective import describe
from system.settings import Settings, explain


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; answers its exit code."""
    parser = argparse.ArgumentParser(prog="python -m system", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="try Redis, the broker, the mail server and the receipts, each alone")
    commands.add_parser("settings", help="print the settings in effect, without secrets")
    chosen = parser.parse_args(arguments)
    try:
        settings = Settings()
    except ValidationError as error:
        sys.stderr.write(explain(error) + "\n")
        return 2
    if chosen.command == "settings":
        sys.stdout.write(describe(settings) + "\n")
        return 0
    findings = check.check(settings)
    sys.stdout.writelines(finding.line() + "\n" for finding in findings)
    return int(any(finding.level == "FAIL" for finding in findings))


if __name__ == "__main__":
    sys.exit(main())
