"""Shared by all tests: a state folder of their own, so that runs side by side do not meet, and waiting."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILSTORM_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def until() -> Callable[..., None]:
    """Wait for a condition instead of sleeping; fails with its name when it does not come true."""

    def wait(condition: Callable[[], object], limit_s: float = 10.0, what: str = "the condition") -> None:
        deadline = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not come true within {limit_s} s"
            time.sleep(0.02)

    return wait


def need(found: object, what: str) -> None:
    """Skip on a laptop that lacks a server; fail in CI, where everything must be there."""
    if not found:
        if os.environ.get("CI"):
            pytest.fail(f"{what} is missing, and CI must have it")
        pytest.skip(f"{what} is missing")
