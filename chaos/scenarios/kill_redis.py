"""kill-redis: SIGKILL Redis in the middle of the flood; it comes back from its append-only file.

Ledger and broker die together. What was answered with 202 before must survive.
"""

from __future__ import annotations

from chaos.scenarios.base import Scenario
from chaos.stage import Stage

ROUNDS = 3


def story(stage: Stage) -> None:
    """Kill it a few times, with some flow in between."""
    for _ in range(ROUNDS):
        stage.kill_redis()
        stage.after_mails(int(stage.plan.rate_per_s))
    stage.rest_of_flood()


SCENARIO = Scenario(
    name="kill-redis",
    summary="SIGKILL Redis and let it come back from its append-only file",
    rate_per_s=60,
    duration_s=20,
    story=story,
    expect_faults=("kill-redis",),
)
