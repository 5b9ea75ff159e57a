"""One side of a comparison: a revision's stack, its load and its evidence, an ordinary run folder of its own.

Called by the measurement. Loads nothing by itself; what its evidence means is for the judge.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from chaos.ending import drain_collect_stop
from chaos.experiment import undoing
from chaos.observe import Events, Observer
from chaos.regress.offer import Offer
from chaos.regress.sources import Source, verified
from chaos.regress.tail import Tail
from chaos.servers import Found
from chaos.stack.local import LocalStack
from chaos.stack.options import StackOptions
from reports import evidence
from reports.plan import Plan, store_plan


@dataclass(frozen=True)
class Wanted:
    """A side that is to be started."""

    name: str
    source: Source
    plan: Plan
    folder: Path
    options: StackOptions
    servers: dict[str, Found]


@dataclass(frozen=True)
class Side:
    """A side that runs."""

    name: str
    stack: LocalStack
    offer: Offer
    tail: Tail
    events: Events
    observer: Observer
    taken_from: str
    """The file of the package that its processes run."""


@contextmanager
def running(wanted: Wanted) -> Iterator[Side]:
    """Start a side, and end it with everything that it put anywhere. Raises HarnessError."""
    folder, run = wanted.folder, wanted.plan.run
    (folder / "logs").mkdir(parents=True)
    store_plan(folder, wanted.plan)
    with ExitStack() as after:
        events = Events(folder / evidence.EVENTS, run, "chaos")
        after.callback(events.close)
        after.enter_context(undoing(run, folder, events))
        # Below `work`, which the undo journal has on its list.
        root = folder / "work" / "source"
        wanted.source.lay(root)
        taken_from = verified(root, wanted.options.python, folder)
        events.append("phase", name="start")
        options = dataclasses.replace(wanted.options, system_root=root)
        stack = after.enter_context(LocalStack(run, folder, wanted.servers, options, events))
        yield _side(wanted, stack, events, str(Path(taken_from).relative_to(root)))


def _side(wanted: Wanted, stack: LocalStack, events: Events, taken_from: str) -> Side:
    folder, run = wanted.folder, wanted.plan.run
    metrics = evidence.Appender(folder / evidence.METRICS, run, "chaos")
    observer = Observer(metrics, stack.metrics, stack.broker, stack.sink)
    # Counters need a start. From here to the drain nobody asks the system for anything but mails: a scrape
    # in the middle of a slot would be measured with it.
    observer.scrape_all()
    events.append("phase", name="flood")
    offer = Offer(folder, run, wanted.plan.seed, stack.addresses.direct("api"))
    return Side(wanted.name, stack, offer, Tail(folder / evidence.DELIVERIES), events, observer, taken_from)


def restart(side: Side) -> None:
    """Give the system's processes a new life. Raises HarnessError when one does not come up."""
    # Counters may begin again at 0, which only shows when they are read on both sides of it.
    side.observer.scrape_all()
    side.stack.restart_system()
    side.observer.scrape_all()


def finish(side: Side, folder: Path, *, cut: str | None) -> None:
    """Drain, ask for the ledger and stop what is under test; `cut` is why the slots ended early."""
    events, stack = side.events, side.stack
    side.offer.close()
    events.append("story", told=cut is None, why=cut)
    events.append("load_exit", status=0)
    with side.observer as observer:
        drain_collect_stop(stack, observer, events, folder, lambda name: events.append("phase", name=name))
