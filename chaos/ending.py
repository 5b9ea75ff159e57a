"""How a flood ends: wait until all is quiet, ask the system about every job, stop what is under test.

Called by the experiment and by each side of `regress`, with every process still there. Never judges.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from chaos.collect import collect_ledger
from chaos.drain import drain, look
from chaos.observe import Events, Observer
from chaos.stack.local import LocalStack

# Longer than a worker may be silent with a mail in hand (the SMTP time-out) without showing in any figure.
QUIET_WINDOW_S = 4.0
DRAIN_LIMIT_S = 60.0


def drain_collect_stop(
    stack: LocalStack,
    observer: Observer,
    events: Events,
    folder: Path,
    phase: Callable[[str], None],
    tell: Callable[[str], None] = lambda _: None,
) -> None:
    """Do the three; `phase` hears of each, `tell` what still moves. Raises HarnessError."""
    phase("drain")
    drained = drain(partial(look, observer, stack.metrics["api"]), QUIET_WINDOW_S, DRAIN_LIMIT_S, tell)
    events.append(
        "quiet" if drained.quiet else "not_quiet",
        after_s=round(drained.after_s, 3),
        detail=drained.detail,
        seen=drained.seen,
    )
    phase("collect")
    collect_ledger(folder, stack.run, stack.addresses.http("api"))
    observer.scrape_all()
    phase("stop")
    observer.end()
    stack.stop_system()
    # Toxiproxy counts bytes, and the sink ends its sessions, only when connections are closed.
    observer.scrape_final(["sink", "toxiproxy"])
