"""Pauses Python's garbage collector while a run is judged.

Used by `reports.verdict`. Nothing there makes cycles, and the collector would walk millions of jobs in vain.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Leave the collector off inside, and as it was afterwards."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
