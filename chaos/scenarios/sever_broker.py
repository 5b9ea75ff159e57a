"""sever-broker: the broker unreachable while the ledger is there, then both of them at once.

With RabbitMQ these are two servers; with Redis the same server is reached by two kinds of connection. First
for everybody, then for the workers alone; down, silent and reset as in sever-redis.
"""

from __future__ import annotations

from chaos.scenarios.base import Scenario
from chaos.scenarios.sever_redis import HOLD_S
from chaos.stack.addresses import PROXIES
from chaos.stage import Stage

BROKER = [name for name in PROXIES if name.startswith("broker-")]
LEDGER = [name for name in PROXIES if name.startswith("redis-")]
WORKERS = "workers"
PARTS = (
    ("sever-broker", "all", BROKER),
    ("sever-broker", WORKERS, ["broker-worker"]),
    ("sever-both", "all", LEDGER + BROKER),
)


def story(stage: Stage) -> None:
    """The broker for all, for the workers alone (not in a short run), then broker and ledger together."""
    for what, who, proxies in PARTS:
        if who == WORKERS and stage.short:
            continue
        for mode, hold_s in HOLD_S.items():
            stage.sever(who, proxies, mode, hold_s, what)
            stage.after_mails(int(stage.plan.rate_per_s))
    stage.rest_of_flood()


SCENARIO = Scenario(
    name="sever-broker",
    summary="the broker down, silent, reset, for all, then for the workers; then ledger and broker at once",
    rate_per_s=60,
    duration_s=20,
    story=story,
    expect_faults=tuple(f"{what}-{mode}" for what in ("sever-broker", "sever-both") for mode in HOLD_S),
    needs=("toxiproxy-server",),
)
