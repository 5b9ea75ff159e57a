"""The sink's options: from argv and the environment, checked, with units.

Read by `__main__`. Ends the process with 64 and one sentence when an option cannot be used.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from fake_smtp.decider import Decider
from fake_smtp.plan import Plan, PlanError

ADHOC = "adhoc"
"""The run of a sink that stands for itself, outside any experiment."""
CA_FILE = "tls-ca.pem"
USAGE = 64
ENVIRONMENT = 3
MOST_PROCESSES = 256


@dataclass(frozen=True, slots=True)
class Options:
    """Everything that one sink is started with."""

    out: Path
    run: str
    host: str
    smtp_port: int
    control_port: int
    username: str | None
    password: str | None
    idle_limit_s: float
    data_limit_s: float
    latency_s: float
    max_size: int
    tls: bool
    loop: str
    stop_with_stdin: bool
    plan: Plan
    processes: int = 1
    keep_mails: int | None = None
    keep_s: float | None = None
    keep_bytes: int | None = None

    @property
    def forgets(self) -> bool:
        """Whether there is a retention limit."""
        return (self.keep_mails, self.keep_s, self.keep_bytes) != (None, None, None)


class Parser(argparse.ArgumentParser):
    """Ends with 64 and one sentence for wrong usage."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where to look."""
        sys.stderr.write(f"fake_smtp: {message}; see {self.prog} --help\n")
        sys.exit(USAGE)


def parse(argv: Sequence[str] | None = None) -> Options:
    """Read the options; a bad one ends the process with exit code 64."""
    parser = _parser()
    given = parser.parse_args(argv)
    password = given.password
    if password is not None and given.username is None:
        parser.error("--password needs --username too")
    if given.username is not None and password is None:
        password = os.environ.get("FAKE_SMTP_PASSWORD")
        if password is None:
            parser.error("--username needs a password: set FAKE_SMTP_PASSWORD (or --password, visible in ps)")
    try:
        Decider(given.plan, tls=given.tls)
    except PlanError as error:
        parser.error(f"--plan: {error}")
    options = Options(**{**vars(given), "password": password})
    if options.forgets:
        _check_retention(parser, options)
    return options


def _check_retention(parser: Parser, options: Options) -> None:
    limits = "--keep-mails, --keep-s and --keep-bytes"
    if options.run != ADHOC:
        parser.error(f"{limits} forget mails, and a run with a name (--run {options.run}) is kept whole")
    if options.processes > 1:
        parser.error(f"{limits} do not go with --processes above 1 yet")


def _parser() -> Parser:
    parser = Parser(
        prog="python -m fake_smtp",
        description="An SMTP sink: every mail on disk before its 250, faults on command. "
        "Prints one JSON line with its ports when it is ready. "
        "`python -m fake_smtp faults` lists the faults.",
        epilog="Each option can also be set in the environment, as FAKE_SMTP_SMTP_PORT for --smtp-port.",
    )

    def add(flag: str, **how: Any) -> None:
        """Add an option that the environment may set as well; argv wins."""
        name = "FAKE_SMTP_" + flag.removeprefix("--").replace("-", "_").upper()
        if name in os.environ and flag != "--password":
            how = {**how, "default": os.environ[name], "required": False}
        parser.add_argument(flag, **how)

    add("--out", type=Path, required=True, metavar="DIR", help="folder of the evidence; made when missing")
    add(
        "--run",
        type=_run_id,
        default=ADHOC,
        metavar="RUN-ID",
        help=f"run id in every record (default {ADHOC})",
    )
    add("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    add("--smtp-port", type=_port, default=0, metavar="PORT", help="0: a free one (default)")
    add("--control-port", type=_port, default=0, metavar="PORT", help="0: a free one (default)")
    add("--username", help="require AUTH before MAIL; without it any login is accepted and none is needed")
    add("--password", help="better in FAKE_SMTP_PASSWORD: argv is visible in ps")
    add(
        "--idle-limit-s",
        type=_seconds(above=0),
        default=5.0,
        metavar="S",
        help="cut a silent client (default 5)",
    )
    add(
        "--data-limit-s",
        type=_seconds(above=0),
        default=5.0,
        metavar="S",
        help="354 to final dot (default 5)",
    )
    add(
        "--latency-s",
        type=_seconds(),
        default=0.0,
        metavar="S",
        help="think time of MAIL, RCPT, DATA, dot (default 0)",
    )
    add("--max-size", type=_size, default=2**25, metavar="BYTES", help="largest mail (default 32 MiB)")
    add(
        "--tls",
        type=_switch,
        nargs="?",
        const=True,
        default=False,
        metavar="yes|no",
        help=f"offer STARTTLS, with a certificate made at start; its CA is OUT/{CA_FILE}",
    )
    add(
        "--processes",
        type=_processes,
        default=1,
        metavar="N",
        help="processes that take mails, on the one port (default 1: the sink itself)",
    )
    add(
        "--loop",
        choices=("auto", "asyncio"),
        default="auto",
        help="auto: uvloop where it is installed (default); asyncio: Python's own event loop",
    )
    add(
        "--stop-with-stdin",
        type=_switch,
        nargs="?",
        const=True,
        default=False,
        metavar="yes|no",
        help="stop when stdin (a pipe) ends, as it does when whoever started this dies, however that was",
    )
    add(
        "--plan",
        type=_plan,
        default=Plan(),
        metavar="FILE",
        help="JSON file with the faults to begin with, as for PUT /plan (default: an honest server)",
    )
    _add_retention(add)
    return parser


def _add_retention(add: Callable[..., None]) -> None:
    add("--keep-mails", type=_count, metavar="N", help="forget the oldest mails above N (default: keep all)")
    add(
        "--keep-s",
        type=_seconds(above=0),
        metavar="S",
        help="forget mails that are older (default: keep all)",
    )
    add(
        "--keep-bytes",
        type=_size,
        metavar="BYTES",
        help="forget the oldest mails while the evidence is longer (default: keep all)",
    )


def _plan(path: str) -> Plan:
    try:
        plan = Plan.from_json(json.loads(Path(path).read_bytes()))
        Decider(plan, tls=True)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{path}: {error.strerror}") from None
    except PlanError as error:
        raise argparse.ArgumentTypeError(f"{path}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"{path} is not JSON: {error}") from None
    return plan


def _switch(text: str) -> bool:
    known = {"yes": True, "1": True, "true": True, "no": False, "0": False, "false": False}
    if text.lower() not in known:
        raise argparse.ArgumentTypeError(f"{text!r} is neither yes nor no")
    return known[text.lower()]


def _run_id(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]*[A-Za-z0-9]", text):
        raise argparse.ArgumentTypeError(f"{text!r}: only letters, digits and dashes, no dash at the end")
    return text


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return int(text)


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,12}", text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of mails from 1")
    return int(text)


def _processes(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= MOST_PROCESSES:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes from 1 to {MOST_PROCESSES}")
    if int(text) > 1 and not hasattr(socket, "SO_REUSEPORT"):
        raise argparse.ArgumentTypeError("several cannot share a port on this platform (no SO_REUSEPORT)")
    return int(text)


def _size(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,12}", text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of bytes from 1")
    return int(text)


def _seconds(above: float | None = None) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or value < 0 or (above is not None and value <= above):
            raise argparse.ArgumentTypeError(f"{text!r} is not a time in seconds")
        return value

    return read
