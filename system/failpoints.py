"""Named points where a test may kill, stop or end a process; off, a point costs one look into an empty dict.

Passed by every process of the system, configured by FAILPOINTS="name=crash,other=pause:3". With
FAILPOINTS_DIR each point fires once over all processes that share the directory. Never used outside tests.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

NAMES = {
    "api.before_accept": "the request is checked, nothing is written",
    "api.after_accept": "the record is written, no hint published",
    "api.after_publish": "the hint is published, no answer given",
    "worker.before_lease": "a hint has arrived",
    "worker.after_lease": "the lease is taken, no connection made",
    "mail.before_mark": "the receiver has said 354",
    "mail.after_mark": "the ledger says sending, no byte of the body is out",
    "mail.before_dot": "the body is out, the last lease check is passed",
    "mail.after_dot": "the final dot is out, no reply read",
    "worker.before_record": "the reply is read, nothing recorded",
    "worker.after_record": "the outcome is recorded",
    "doubt.before_ask": "the right to ask is taken",
    "doubt.after_ask": "the receipt is known, nothing recorded",
    "doubt.after_verdict": "the verdict is recorded",
    "relay.after_claim": "scores are moved on, nothing published",
    "relay.after_publish": "the claimed ids are published",
}


class FailpointError(ValueError):
    """The FAILPOINTS variable cannot be read."""


def parse(text: str) -> dict[str, str]:
    """Reads `name=action` pairs; actions are `crash`, `exit` and `pause:SECONDS`.

    Raises:
        FailpointError: with words that name what is allowed.

    """
    points: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, _, action = pair.partition("=")
        if name not in NAMES:
            raise FailpointError(f"no failpoint {name!r}; there are {', '.join(sorted(NAMES))}")
        kind, _, seconds = action.partition(":")
        known = kind in {"crash", "exit"} and not seconds
        if not known and not (kind == "pause" and seconds.replace(".", "", 1).isdigit()):
            raise FailpointError(f"{name}={action!r}: allowed are crash, exit and pause:SECONDS")
        points[name] = action
    return points


def _first_to_fire(name: str) -> bool:
    directory = os.environ.get("FAILPOINTS_DIR")
    if not directory:
        return True
    try:
        os.close(os.open(Path(directory) / name, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def _load() -> dict[str, str]:
    try:
        return parse(os.environ.get("FAILPOINTS", ""))
    except FailpointError:
        # The settings say so in words, and end the process.
        return {}


_points = _load()


def hit(name: str) -> None:
    """Passes the point `name`; does nothing unless a test has switched it on."""
    if not _points or name not in _points or not _first_to_fire(name):
        return
    action, _, seconds = _points[name].partition(":")
    sys.stderr.write(f"failpoint {name}: {action} {seconds} pid {os.getpid()}\n")
    sys.stderr.flush()
    if action == "pause":
        time.sleep(float(seconds))
    elif action == "exit":
        os._exit(1)
    else:
        os.kill(os.getpid(), signal.SIGKILL)
