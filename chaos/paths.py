"""Where things are: the project, the runs, the journals, the tools built for this project.

Everything that the harness writes is below one of these folders.
"""

from __future__ import annotations

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
RUNS = PROJECT / "reports" / "runs"
TOOLS = PROJECT / ".tools"


def state_dir() -> Path:
    """The folder of undo journals; MAILSTORM_STATE_DIR moves it, so that tests can run side by side."""
    configured = os.environ.get("MAILSTORM_STATE_DIR")
    return Path(configured) if configured else RUNS / ".journal"
