"""How each kind of journal entry is taken back: at the end of a run, or by `undo` after a crash."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from chaos import marks
from chaos.faults.network import undo_toxiproxy
from chaos.faults.smtp import undo_sink
from chaos.journal import Undo


def undo_processes(params: dict[str, Any]) -> str | None:
    """End every process that carries one of the run's marks."""
    left = marks.end_all(params["run"], Path(params["work"]), grace_s=3.0)
    return f"processes {left} cannot be ended" if left else None


def undo_files(params: dict[str, Any]) -> str | None:
    """Remove a working folder (never evidence)."""
    path = Path(params["path"])
    shutil.rmtree(path, ignore_errors=True)
    return f"{path} cannot be removed" if path.exists() else None


UNDOS: dict[str, Undo] = {
    "processes": undo_processes,
    "files": undo_files,
    "toxiproxy": undo_toxiproxy,
    "sink": undo_sink,
}
