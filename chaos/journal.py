"""The undo journal: what must be taken back, on disk before it is done.

One file per run in the state folder. Undone last in, first out: at the end of a run, on a signal, or by
`python -m chaos undo` when the harness itself was killed. A run refuses to start over a stale journal.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from chaos.errors import HarnessError

Undo = Callable[[dict[str, Any]], str | None]
"""Takes the journalled parameters, returns None when undone and read back, else what is wrong."""


class Journal:
    """The journal of one live run."""

    def __init__(self, state_dir: Path, run: str) -> None:
        refuse_stale(state_dir)
        state_dir.mkdir(parents=True, exist_ok=True)
        self.path = state_dir / f"{run}.jsonl"
        self._next = 0
        self._write({"op": "open", "run": run, "pid": os.getpid(), "born": born(os.getpid())})

    def will(self, kind: str, **params: Any) -> int:
        """Write down how to take back what is about to be done; it is on disk when this returns."""
        number, self._next = self._next, self._next + 1
        self._write({"op": "will", "n": number, "kind": kind, "params": params})
        return number

    def done(self, number: int) -> None:
        """The entry was taken back, and that was read back."""
        self._write({"op": "done", "n": number})

    def undo_all(self, undos: dict[str, Undo]) -> list[str]:
        """Take back what is still open and remove the journal. Returns what went wrong, in words."""
        return undo_file(self.path, undos)

    def _write(self, entry: dict[str, Any]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())


def undo_file(path: Path, undos: dict[str, Undo]) -> list[str]:
    """Take back the open entries of a journal, last first; the file goes only when all of them worked."""
    problems = []
    for entry in reversed(_open_entries(path)):
        undo = undos.get(entry["kind"])
        try:
            problem = undo(entry["params"]) if undo else f"nobody knows how to undo {entry['kind']!r}"
        except Exception as error:  # one failed undo must not keep the others from running
            problem = f"{type(error).__name__}: {error}"
        if problem:
            problems.append(f"{entry['kind']} {entry['params']}: {problem}")
    if not problems:
        path.unlink(missing_ok=True)
    return problems


def stale(state_dir: Path) -> list[Path]:
    """The journals whose harness no longer lives."""
    return [path for path in sorted(state_dir.glob("*.jsonl")) if not _owner_lives(path)]


def refuse_stale(state_dir: Path) -> None:
    """Raise HarnessError when an earlier run was never undone."""
    left = stale(state_dir)
    if left:
        names = ", ".join(path.stem for path in left)
        raise HarnessError(
            f"an earlier run was not undone ({names}): its processes and faults may still be there. "
            "Run `python -m chaos undo` first."
        )


def _entries(path: Path) -> list[dict[str, Any]]:
    entries = []
    for line in path.read_text().splitlines():
        try:
            entries.append(json.loads(line))
        except ValueError:
            continue  # the writer died in the middle of this line, so what it announces was never done
    return entries


def _open_entries(path: Path) -> list[dict[str, Any]]:
    entries = _entries(path)
    closed = {entry["n"] for entry in entries if entry["op"] == "done"}
    return [entry for entry in entries if entry["op"] == "will" and entry["n"] not in closed]


def _owner_lives(path: Path) -> bool:
    try:
        opened = next(entry for entry in _entries(path) if entry["op"] == "open")
        # A pid alone can be somebody else's by now.
        return born(opened["pid"]) == str(opened["born"])
    except (StopIteration, FileNotFoundError, psutil.NoSuchProcess):
        return False


def born(pid: int) -> str:
    """When a process began, as something that never changes while it lives. Raises when there is none.

    Linux counts it in ticks since the boot; a time of day would move when somebody sets the clock.
    """
    if sys.platform == "linux":
        # The name in parentheses may hold spaces; the 22nd field of all is the 20th behind it.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return str(psutil.Process(pid).create_time())
