"""A short attack on the sink, the same one each time; `python -m tests.fuzz` does it for hours."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.fuzz.__main__ import attack
from tests.fuzz.control import Probe
from tests.fuzz.smtp import Attack


@pytest.mark.parametrize(("seed", "options"), [(1, []), (2, ["--tls"])])
def test_the_sink_outlives_its_attackers(tmp_path: Path, seed: int, options: list[str]) -> None:
    told: list[str] = []
    summary = attack(tmp_path / "sink", seed, range(1, 41), tell=told.append, options=options)
    assert not told, "\n".join([*told, summary])


def test_a_case_is_made_from_its_seed_and_number_alone() -> None:
    """Else a finding could not be replayed."""

    def made() -> list[object]:
        rng = Random("1/7")
        return [*(Attack.make(rng) for _ in range(20)), *(Probe.make(rng) for _ in range(20))]

    assert made() == made()
