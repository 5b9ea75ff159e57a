"""The plan of one run: everything that was decided before it began, written to plan.json.

The same plan gives the same jobs, the same faults and the same verdict rules; the judge reads it first.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

SCHEMA = 1
PACKAGES = ("celery", "kombu", "redis", "flask", "gunicorn", "aiosmtpd", "locust", "toxiproxy-python")


def versions() -> dict[str, str]:
    """Versions of what took part, for the report."""
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), "system": platform.platform(), **found}


@dataclass(frozen=True)
class Thresholds:
    """What the verdict depends on besides the definitions. Times in seconds, None: no limit."""

    min_accepted: int
    drain_limit_s: float | None = 60.0
    recovery_limit_s: float = 30.0
    allow_unavoidable: bool = False


@dataclass(frozen=True)
class Plan:
    """One run, decided."""

    run: str
    scenario: str
    seed: int
    rate_per_s: float
    duration_s: float
    delivery: str
    lease_s: float
    receipts: bool
    thresholds: Thresholds
    expect_faults: tuple[str, ...]
    command: tuple[str, ...]
    schema: int = SCHEMA
    versions: dict[str, str] = field(default_factory=versions)

    def write(self, folder: Path) -> None:
        """Write plan.json; it is the first file of a run."""
        (folder / "plan.json").write_text(json.dumps(asdict(self), indent=2) + "\n")


def run_id(scenario: str, seed: int) -> str:
    """A name for one run: letters, digits and dashes only, since it travels in headers and addresses."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    return f"{scenario}-s{seed}-{stamp}-{os.urandom(2).hex()}"
