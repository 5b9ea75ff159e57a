"""Says what CPU and wall time a Locust process took from the start of its test to the end.

A locustfile to be named beside another one (`-f theirs.py,load_meter.py`). Writes to the file that the
variable LOAD_METER names.
"""

from __future__ import annotations

from locust import events  # isort: skip  (first: it patches sockets and threads)

import json
import os
import time
from pathlib import Path

began: list[float] = []


def begin(**_: object) -> None:
    """Take the time."""
    began[:] = time.process_time(), time.monotonic()


def end(**_: object) -> None:
    """Write down what it took."""
    took = {"cpu_s": time.process_time() - began[0], "wall_s": time.monotonic() - began[1]}
    Path(os.environ["LOAD_METER"]).write_text(json.dumps(took))


events.test_start.add_listener(begin)
events.test_stopping.add_listener(end)
