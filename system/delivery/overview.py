"""The ledger seen from above: counters, the due set's size, the login breaker, the relay's last run.

Read by the API for /metrics and /ready. Never changes anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import redis

from system.delivery.ledger import PREFIX


@dataclass(frozen=True, slots=True)
class Overview:
    """Figures of one moment. Ages are seconds; `relay_age_s` is None while no relay has ever run."""

    stats: dict[str, int]
    due: int
    held: int
    breaker_open: bool
    breaker_reason: str
    relay_run_s: float | None
    relay_age_s: float | None


def read_overview(client: redis.Redis) -> Overview:
    """All figures in one round trip.

    Raises:
        redis.RedisError: the ledger cannot be read.

    """
    with client.pipeline(transaction=False) as pipe:
        pipe.hgetall(PREFIX + "stats")
        pipe.zcard(PREFIX + "due")
        pipe.zcard(PREFIX + "held")
        pipe.hgetall(PREFIX + "breaker")
        pipe.get(PREFIX + "relay")
        pipe.time()
        stats, due, held, breaker, relay, (seconds, micros) = pipe.execute()
    now = seconds + micros / 1e6
    run = int(relay) / 1000 if relay else None
    return Overview(
        stats={name: int(value) for name, value in stats.items()},
        due=due,
        held=held,
        breaker_open=breaker.get("open") == "1",
        breaker_reason=breaker.get("reason", ""),
        relay_run_s=run,
        relay_age_s=None if run is None else max(0.0, now - run),
    )
