"""What a new plan needs from this machine: a name for the run, and the versions of what takes part.

The plan itself is defined where it is read, in reports/plan.py.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time

PACKAGES = ("celery", "kombu", "redis", "amqp", "flask", "gunicorn", "aiosmtpd", "locust", "toxiproxy-python")
MAX_SEED = 2**31 - 1


def run_id(scenario: str, seed: int) -> str:
    """A name for one run: letters, digits and dashes only, since it travels in headers and host names."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    return f"{scenario}-s{seed}-{stamp}-{os.urandom(2).hex()}"


def versions() -> dict[str, str]:
    """Versions of what takes part, for the report."""
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), "system": platform.platform(), **found}
