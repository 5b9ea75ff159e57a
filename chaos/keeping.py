"""What outlasts a run: its row in the history, and the index page over all runs.

Called by the commands once a run is judged. Its failure never changes a verdict: it is said, and that is all.
"""

from __future__ import annotations

import sys
from pathlib import Path

from chaos.paths import RUNS
from reports import index, rows


def keep(run_dir: Path, out: Path | None) -> None:
    """Add a judged run to the history and the index of its place: all runs, or the folder of --out."""
    place = out.resolve() if out else RUNS
    try:
        rows.append(place, run_dir)
        # A run that is alone in its folder needs no index.
        if place != run_dir:
            index.write(place)
    except OSError as error:
        sys.stderr.write(f"mailstorm: the history or the index page was not written: {error}\n")
