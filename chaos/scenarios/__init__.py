"""The stories: one file each, always docstring, load, faults, expectations. To add one, copy `calm`.

The registry is the only list: the command line, the suite and the documentation read it.
"""

from __future__ import annotations

from chaos.scenarios import break_smtp_login, calm, drop_after_dot, kill_redis, kill_workers, sever_redis
from chaos.scenarios.base import Scenario

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        calm.SCENARIO,
        kill_workers.SCENARIO,
        sever_redis.SCENARIO,
        break_smtp_login.SCENARIO,
        drop_after_dot.SCENARIO,
        kill_redis.SCENARIO,
    )
}

STANDARD_SUITE = ("calm", "kill-workers", "sever-redis", "break-smtp-login", "drop-after-dot")
