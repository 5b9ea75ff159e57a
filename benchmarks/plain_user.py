"""The load that people write first: a FastHttpUser that posts prepared bodies, with no evidence of anything.

A locustfile for load_bench.py, which says how many requests in the variable LOAD_REQUESTS. Bodies and headers
are those that our load sends; they are made before the test, so that making them costs this side nothing.
"""

from __future__ import annotations

from locust import FastHttpUser, events, task  # isort: skip  (first: it patches sockets and threads)

import itertools
import os

import gevent
import orjson

from loadtests.jobs import make

REQUESTS = int(os.environ["LOAD_REQUESTS"])
BODIES = [(job.key, orjson.dumps(job.request)) for job in (make("bench", 1, n) for n in range(REQUESTS))]
begun, answered = itertools.count(), itertools.count(1)


class PlainUser(FastHttpUser):
    """Posts the next body as soon as the last one is answered."""

    @task
    def post(self) -> None:
        """Post one; the last one answered ends the test."""
        number = next(begun)
        if number >= REQUESTS:
            self.stop()
            return
        key, body = BODIES[number]
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        self.client.post("/jobs", data=body, headers=headers)
        if next(answered) == REQUESTS:
            gevent.spawn(self.environment.runner.quit)


@events.quitting.add_listener
def check(environment: object, **_: object) -> None:
    """Fail when there were failures."""
    total = environment.stats.total  # type: ignore[attr-defined]
    environment.process_exit_code = int(total.num_failures > 0 or total.num_requests != REQUESTS)  # type: ignore[attr-defined]
