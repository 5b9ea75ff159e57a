"""Reads a run folder into a `History`: one small module per evidence file.

Called by `reports.verdict`. Never judges; a record that cannot be understood becomes a problem in words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from reports.evidence import DELIVERIES, EVENTS, LEDGER, MAX_PROBLEMS, METRICS, SUBMISSIONS, Record, stream
from reports.history import BETWEEN, History
from reports.intake.deliveries import Deliveries
from reports.intake.events import Events
from reports.intake.ledger import Ledger
from reports.intake.metrics import Metrics
from reports.intake.submissions import Submissions
from reports.plan import load_plan


class Intake(Protocol):
    """Takes the records of one file, then says what is missing from it."""

    @property
    def handlers(self) -> Mapping[str, Callable[[Record], None]]:
        """Who takes which event."""

    def finish(self) -> None:
        """Write what the file should have said and did not into the history's problems."""


def load(run_dir: Path) -> History:
    """Index the run in `run_dir`. Raises NotARun when it has no usable plan."""
    history = History(load_plan(run_dir))
    # Deliveries need the planned digests and the last scrape of the proxy; the ledger needs the kills.
    for name, kind in (
        (EVENTS, Events),
        (SUBMISSIONS, Submissions),
        (METRICS, Metrics),
        (DELIVERIES, Deliveries),
        (LEDGER, Ledger),
    ):
        _take(history, run_dir / name, kind(history))
    if not history.started_ns:
        history.problems[BETWEEN].append("no record says when the run began")
    return history


def _take(history: History, path: Path, intake: Intake) -> None:
    name, run = path.name, history.plan.run
    problems, handlers = history.problems[name], intake.handlers
    count = foreign = odd = ended_ns = 0
    for record in stream(path, problems):
        count += 1
        if record["run"] != run:
            foreign += 1
            continue
        if record["mono_ns"] > ended_ns:  # noqa: PLR1730 -- a call of max() for each record is dear
            ended_ns = record["mono_ns"]
        handler = handlers.get(record["event"])
        if handler is None:
            continue  # a newer writer may say more than this judge asks for
        try:
            handler(record)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            odd += 1
            if odd <= MAX_PROBLEMS:
                what = f"{record['event']} record {record['seq']} of {record['writer']}"
                problems.append(
                    f"{name}: {what} has a missing or wrong field ({type(error).__name__}: {error})"
                )
    history.records[name] = count
    history.ended_ns = max(history.ended_ns, ended_ns)
    if odd > MAX_PROBLEMS:
        problems.append(f"{name}: {odd - MAX_PROBLEMS} more records with missing or wrong fields")
    if foreign:
        problems.append(f"{name}: {foreign} records of another run than {run}")
    if not count and not problems:
        problems.append(f"{name}: holds no record")
    intake.finish()
