"""calm: no fault at all. A sound system must pass, and a harness that convicts it here is broken."""

from __future__ import annotations

from chaos.scenarios.base import Scenario
from chaos.stage import Stage


def story(stage: Stage) -> None:
    """Nothing happens."""
    stage.rest_of_flood()


SCENARIO = Scenario(
    name="calm",
    summary="no fault: the system and the harness at rest",
    rate_per_s=60,
    duration_s=12,
    story=story,
)
