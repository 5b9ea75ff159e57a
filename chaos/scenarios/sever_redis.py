"""sever-redis: Redis unreachable in three ways, first for everybody, then for the workers alone.

Down refuses and closes; silent keeps connections open and swallows bytes; reset ends them with RST. Where
Redis is the broker, too, ledger and broker are gone together.
"""

from __future__ import annotations

from chaos.scenarios.base import Scenario
from chaos.stack.addresses import ROLES
from chaos.stage import Stage

HOLD_S = {"down": 2.0, "silent": 3.0, "reset": 2.0}


def story(stage: Stage) -> None:
    """Down, silent, reset for everybody; then the same for the workers alone."""
    for who, roles in (("all", ROLES), ("workers", ("worker",))):
        proxies = stage.stack.addresses.proxies_to("redis", roles)
        for mode, hold_s in HOLD_S.items():
            stage.sever(who, proxies, mode, hold_s)
            stage.after_mails(int(stage.plan.rate_per_s))
    stage.rest_of_flood()


SCENARIO = Scenario(
    name="sever-redis",
    summary="Redis down, silent, reset; for everybody, then only for the workers",
    rate_per_s=60,
    duration_s=20,
    story=story,
    expect_faults=("sever-down", "sever-silent", "sever-reset"),
    needs=("toxiproxy-server",),
)
