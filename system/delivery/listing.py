"""Lists of jobs for people: newest first, filtered, page by page.

Used by the API and by the digest of doubts. Never changes anything; any function may raise redis.RedisError.
"""

from __future__ import annotations

from dataclasses import dataclass

import redis

from system.delivery import scripts
from system.delivery.ledger import PREFIX
from system.delivery.states import PUBLIC, STATES, Job

# So many jobs are looked at for one page; a rarer kind or state takes more pages.
LOOK_AT_MOST = 2000
HELD = "held"
FILTERS = frozenset({*STATES, *PUBLIC.values(), HELD})


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs, without their trails; `cursor` leads to the rest and is empty at the end."""

    jobs: list[Job]
    cursor: str


def page(client: redis.Redis, state: str = "", kind: str = "", limit: int = 50, cursor: str = "") -> Page:
    """One page of jobs. `state`: one of FILTERS, or empty for any; `cursor`: where the last page ended.

    Raises:
        ValueError: there is no such state, or this is no cursor of ours.

    """
    doubts = state in {HELD, "in_doubt"}
    after, score = _position(cursor)
    answer = scripts.run(
        client,
        "list",
        "doubts" if doubts else "jobs",
        after,
        score,
        limit,
        LOOK_AT_MOST,
        _states(state),
        kind,
        int(state == HELD),
    )
    with client.pipeline(transaction=False) as pipe:
        for job_id in answer[1]:
            pipe.hgetall(f"{PREFIX}job:{job_id}")
        records = pipe.execute()
    pairs = zip(answer[1], records, strict=True)
    return Page([Job(job_id, fields, []) for job_id, fields in pairs if "state" in fields], str(answer[0]))


def _position(cursor: str) -> tuple[str, str]:
    if not cursor:
        return "", ""
    job_id, _, score = cursor.partition("-")
    if not (job_id.isalnum() and job_id.isascii() and score.isdigit() and score.isascii()):
        raise ValueError("not a cursor that a page of this list gave")
    return job_id, score


def _states(state: str) -> str:
    """The states that a filter stands for, as the script wants them: `,a,b,`."""
    if not state:
        return ""
    if state not in FILTERS:
        raise ValueError(f"must be one of {', '.join(sorted(FILTERS))}")
    if state == HELD:
        return ",in_doubt,"
    found = [word for word in STATES if state in (word, PUBLIC[word])]
    return f",{','.join(found)},"
