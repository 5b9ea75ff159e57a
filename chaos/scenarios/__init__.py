"""The stories: one file each, always docstring, load, faults, expectations. To add one, copy `calm`.

The registry is the only list: the command line, the suite and the documentation read it.
"""

from __future__ import annotations

from chaos.scenarios import (
    break_smtp_login,
    calm,
    drop_after_dot,
    kill_redis,
    kill_workers,
    lying_sink,
    sever_broker,
    sever_redis,
)
from chaos.scenarios.base import Scenario

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        calm.SCENARIO,
        kill_workers.SCENARIO,
        sever_redis.SCENARIO,
        sever_broker.SCENARIO,
        break_smtp_login.SCENARIO,
        drop_after_dot.SCENARIO,
        kill_redis.SCENARIO,
        lying_sink.SCENARIO,
    )
}

STANDARD_SUITE = {
    "redis": ("calm", "kill-workers", "sever-redis", "break-smtp-login", "drop-after-dot"),
    "rabbitmq": ("calm", "kill-workers", "sever-broker", "break-smtp-login", "drop-after-dot"),
}
"""By broker: what is severed is what carries the hints, and the ledger."""
