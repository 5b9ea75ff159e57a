"""One stored run as a comparison needs it: its plan, what the judge concluded, and how long things took.

Read from the run's folder. Raises NotComparable, in words, for a folder that is no judged run.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from reports.checks.base import Status
from reports.compare.model import Party
from reports.evidence import DELIVERIES, SUBMISSIONS, stream
from reports.plan import NotARun, Plan, load_plan
from reports.render import VERDICT_JSON

ACCEPTED = b'"ok"'
VERDICTS = ("pass", "fail", "unknown")


class NotComparable(Exception):
    """These two cannot be compared; the message says why and what to do."""


@dataclass(frozen=True)
class Stored:
    """A judged run."""

    folder: Path
    plan: Plan
    document: dict[str, Any]

    @property
    def party(self) -> Party:
        """Who it is, for a comparison."""
        plan, said = self.plan, self.document
        return Party(plan.run, plan.revision, said["verdict"], str(said["reason"]))

    @property
    def checks(self) -> dict[str, Status]:
        """What each check said."""
        return {str(check["name"]): check["verdict"] for check in self.document["checks"]}

    @property
    def recovery_max_s(self) -> float | None:
        """The slowest recovery; None: there was no fault, or one that was never recovered from."""
        found = [fault.get("recovery_s") for fault in self.document.get("faults", [])]
        # That one has no time, and the largest of the others would hide it.
        return None if None in found else max(found, default=None)


@dataclass(frozen=True)
class Times:
    """What the evidence says of the clock: (when it was due, seconds it took), by due time; seconds."""

    stored: list[tuple[float, float]]
    accepted: list[tuple[float, float]]


def load(folder: Path) -> Stored:
    """Read plan.json and verdict.json. Raises NotComparable."""
    try:
        plan = load_plan(folder)
        document = json.loads((folder / VERDICT_JSON).read_bytes())
    except NotARun as error:
        raise NotComparable(str(error)) from error
    except OSError as error:
        raise NotComparable(
            f"{folder} has not been judged ({VERDICT_JSON}: {error.strerror}): "
            f"run `python -m chaos judge {folder}` first"
        ) from error
    except ValueError as error:
        raise NotComparable(f"{folder}: {VERDICT_JSON} is not JSON: judge the run again") from error
    if not _usable(document):
        raise NotComparable(f"{folder}: {VERDICT_JSON} lacks what is to be compared: judge the run again")
    return Stored(folder, plan, document)


def times(folder: Path) -> Times:
    """How long each mail took from its due time to its 202 and to its first copy at the sink."""
    due: dict[str, int] = {}
    accepted: dict[str, float] = {}
    for record in stream(folder / SUBMISSIONS, []):
        if record["event"] == "due":
            due[record["key"]] = record["due_mono_ns"]
        elif record["event"] == "ok":
            accepted.setdefault(record["key"], record["latency_s"])
    stored: dict[str, int] = {}
    for record in stream(folder / DELIVERIES, []):
        if record["event"] == "stored" and record.get("key") in due:
            stored.setdefault(record["key"], record["mono_ns"])
    origin = min(due.values(), default=0)
    return Times(
        sorted(((due[key] - origin) / 1e9, (at - due[key]) / 1e9) for key, at in stored.items()),
        sorted(((due[key] - origin) / 1e9, took) for key, took in accepted.items() if key in due),
    )


def accept_s(folder: Path) -> list[float]:
    """The seconds from the due time to the 202 of each mail's first try, sorted; reads only those records."""
    found = []
    with contextlib.suppress(OSError), (folder / SUBMISSIONS).open("rb") as file:
        for line in file:
            if ACCEPTED in line:
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    record = orjson.loads(line)
                    if record["event"] == "ok" and record["try"] == 1:
                        found.append(float(record["latency_s"]))
    return sorted(found)


def _usable(document: Any) -> bool:
    try:
        words = [document["verdict"], *(check["verdict"] for check in document["checks"])]
        return all(word in VERDICTS for word in words) and "reason" in document
    except (KeyError, TypeError):
        return False
