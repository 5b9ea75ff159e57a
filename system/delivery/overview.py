"""The ledger seen from above: counters, the due set's size, the oldest jobs, the login breaker, the relay.

Read by the API for /metrics and /ready. Never changes anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import redis

from system.delivery.ledger import PREFIX


@dataclass(frozen=True, slots=True)
class Overview:
    """Figures of one moment. Ages in seconds (0: there is none); `relay_age_s` None: no relay ever ran."""

    stats: dict[str, int]
    due: int
    held: int
    oldest_job_s: float
    oldest_doubt_s: float
    breaker_open: bool
    breaker_reason: str
    relay_run_s: float | None
    relay_age_s: float | None


def read_overview(client: redis.Redis) -> Overview:
    """All figures in one round trip and as of one moment, so that they add up.

    Raises:
        redis.RedisError: the ledger cannot be read.

    """
    with client.pipeline(transaction=True) as pipe:
        pipe.hgetall(PREFIX + "stats")
        pipe.zcard(PREFIX + "due")
        pipe.zcard(PREFIX + "held")
        pipe.zrange(PREFIX + "open", 0, 0, withscores=True)
        pipe.zrange(PREFIX + "doubts", 0, 0, withscores=True)
        pipe.hgetall(PREFIX + "breaker")
        pipe.get(PREFIX + "relay")
        pipe.time()
        stats, due, held, job, doubt, breaker, relay, (seconds, micros) = pipe.execute()
    now = seconds + micros / 1e6
    run = int(relay) / 1000 if relay else None
    return Overview(
        stats={name: int(value) for name, value in stats.items()},
        due=due,
        held=held,
        oldest_job_s=_age_s(job, now),
        oldest_doubt_s=_age_s(doubt, now),
        breaker_open=breaker.get("open") == "1",
        breaker_reason=breaker.get("reason", ""),
        relay_run_s=run,
        relay_age_s=None if run is None else max(0.0, now - run),
    )


def _age_s(first: list[tuple[str, float]], now_s: float) -> float:
    """Of the first of a list that is sorted by time (ms)."""
    return max(0.0, now_s - first[0][1] / 1000) if first else 0.0
