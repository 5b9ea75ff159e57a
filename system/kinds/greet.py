"""`greet`: writes "Hello NAME" to a file of its own, exactly once.

The file appears whole or not at all: it is written under another name, and linked to its own only where that
is free. (A rename would be as atomic, and would overwrite.) So a second run, or two at once, change nothing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from system import addresses
from system.kinds.base import Body, Job, JobFailed, Kind

# A client of the demo systems asks for a failure by this name.
FAILS = "fail"


class Greet(Body):
    """A name: one line of text."""

    name: Annotated[str, AfterValidator(addresses.check_subject)]


def run(job: Job) -> str:
    """Greets; the name `fail` fails."""
    name = job.payload["name"]
    if name == FAILS:
        raise JobFailed("Simulated task failure")
    text = f"Hello {name}"
    write_once(job.greet_dir / f"{job.job_id}.txt", text + "\n", job.attempt)
    return text


def write_once(path: Path, text: str, attempt: int) -> bool:
    """Creates the file with this text, durably, unless it is there; answers whether this call did.

    No two calls for one file may share an `attempt` (1 or more). What killed attempts left is cleared away.

    Raises:
        OSError: the file is not there, and could not be made.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    drafts = [path.with_name(f".{path.stem}.{number}") for number in range(1, attempt + 1)]
    try:
        return not path.exists() and _link(drafts[-1], path, text)
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)


def _link(draft: Path, path: Path, text: str) -> bool:
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    except FileNotFoundError:
        # A later attempt has cleared our draft away; it did so after its own file was there.
        if path.exists():
            return False
        raise
    _sync(path.parent)
    return True


def _sync(folder: Path) -> None:
    """Makes a new name in `folder` survive a power cut, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


KIND = Kind("greet", Greet, run)
