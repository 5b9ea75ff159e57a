"""`up`: the system for people, until Ctrl-C, with Locust's page to load it and a control API to break it."""

from __future__ import annotations

import argparse
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chaos import http, marks, servers
from chaos.commands import flags
from chaos.commands.flags import say
from chaos.control.app import Control
from chaos.control.director import Director
from chaos.control.live_stage import LiveStage
from chaos.control.serving import serving
from chaos.control.watching import watching
from chaos.errors import HarnessError, Interrupted
from chaos.experiment import undoing
from chaos.journal import Journal
from chaos.observe import Events
from chaos.plan import run_id
from chaos.prepare import make_folder
from chaos.progress import Progress
from chaos.signals import interruptible, shielded
from chaos.stack.local import LocalStack
from chaos.stack.options import StackOptions
from chaos.stack.ports import Ports
from loadtests import launch
from reports import evidence

LOAD_GRACE_S = 45.0
PAGE_LIMIT_S = 90.0
LOOK_EVERY_S = 0.5


@dataclass(frozen=True)
class Page:
    """Locust's page: whether it is wanted, and on which port (0: a free one)."""

    wanted: bool = True
    port: int = 0


def add(sub: flags.Subparsers) -> None:
    """Add the command."""
    parser = sub.add_parser("up", help="start the system and the load's page, and keep them until Ctrl-C")
    flags.delivery(parser)
    flags.broker(parser)
    parser.add_argument("--api-port", type=int, default=0, help="port of the API (default: a free one)")
    parser.add_argument("--web-port", type=int, default=0, help="port of the web UI (default: a free one)")
    parser.add_argument("--observe", action="store_true", help="with Prometheus, which scrapes every part")
    parser.add_argument("--no-load-ui", action="store_true", help="without Locust's web UI")
    parser.add_argument(
        "--simulate-failures",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="refuse recipients with `fail` in them, for demos",
    )
    flags.out(parser)
    parser.set_defaults(act=lambda args: up(options(args), page(args), args.out))


def options(args: argparse.Namespace) -> StackOptions:
    """What these flags ask for."""
    return StackOptions(
        delivery=args.delivery,
        broker=args.broker,
        api_port=args.api_port,
        simulate_failures=args.simulate_failures,
        monitoring=True,
        observe=args.observe,
        web_port=args.web_port,
    )


def page(args: argparse.Namespace) -> Page:
    """Which web UI these flags ask for."""
    return Page(not args.no_load_ui, args.web_port)


def up(options: StackOptions, page: Page, out: Path | None) -> int:
    """Start the system, print its addresses, and stop it on Ctrl-C or SIGTERM."""
    run_name = run_id("up", 0)
    folder = make_folder("up", out)
    events = Events(folder / evidence.EVENTS, run_name, "chaos")
    with interruptible():
        try:
            with undoing(run_name, folder, events) as journal:
                _until_stopped(run_name, folder, options, page, events, journal)
        except Interrupted:
            say("stopped")
        finally:
            events.close()
    return 0


def _until_stopped(
    run: str, folder: Path, options: StackOptions, page: Page, events: Events, journal: Journal
) -> None:
    """Everything between the first process and the last; ends by a signal only."""
    with (
        LocalStack(run, folder, servers.find_all(), options, events) as stack,
        controlled(stack, events, journal) as control,
    ):
        shown = stack.for_people() | {"control API": control}
        if page.wanted:
            with _load_page(page, stack, control, folder) as (address, load):
                _tell({"web UI": address, **shown}, folder)
                _stay(load, folder)
        else:
            _tell(shown, folder)
            _stay(None, folder)


@contextmanager
def controlled(stack: LocalStack, events: Events, journal: Journal) -> Iterator[str]:
    """The control API of this stack; at the end everything that it broke is healed. Gives its address."""
    port = stack.addresses.port("harness") if stack.options.observe else 0
    with (
        watching(stack, events.live) as observer,
        Progress("up", figures=False) as progress,
        Director(LiveStage(stack, observer, events, journal, progress), events, progress.say) as director,
        serving(Control(stack, observer, director, events.live).app(), port) as address,
    ):
        yield address


@contextmanager
def _load_page(
    page: Page, stack: LocalStack, control: str, folder: Path
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Locust with its page; ready means that the page answers. Raises HarnessError when it does not."""
    ports = Ports()
    known = stack.addresses.port("load") if stack.options.observe else 0
    spec = launch.WebSpec(
        target=stack.addresses.http("api"),
        port=known or page.port or ports.take(what="the web UI"),
        evidence_dir=folder / "load",
        sink=stack.addresses.http("control"),
        chaos=control,
    )
    log = folder / "logs" / "locust.log"
    load = launch.start_web(spec, log, env={marks.VARIABLE: stack.run})
    try:
        _await_page(spec.address, load, log)
        yield spec.address, load
    finally:
        with shielded():
            launch.stop(load, LOAD_GRACE_S)
            ports.release()


def _await_page(address: str, load: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PAGE_LIMIT_S
    while not http.answers(address, PAGE_LIMIT_S):
        if load.poll() is not None or time.monotonic() > deadline:
            raise HarnessError(f"Locust's web UI does not come up at {address}; see {log}")
        time.sleep(0.1)


def _tell(addresses: dict[str, str], folder: Path) -> None:
    for name, address in addresses.items():
        say(f"{name:14} {address}")
    say(f"{'evidence':14} {folder}\nCtrl-C stops it.")


def _stay(load: subprocess.Popen[bytes] | None, folder: Path) -> None:
    """Stay until a signal comes; the end of Locust is told, once, and ends nothing."""
    while True:
        if load is not None and load.poll() is not None:
            say(f"Locust ended (exit code {load.returncode}), see {folder / 'logs' / 'locust.log'}; ")
            say("the system goes on. Ctrl-C stops it.")
            load = None
        time.sleep(LOOK_EVERY_S)
