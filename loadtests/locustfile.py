"""Locust's way in: `locust -f loadtests/locustfile.py --host http://127.0.0.1:5000`, with or without web UI.

User classes and wiring to Locust's events, nothing else. Never imported by tests or by the experiment:
importing locust patches the whole process.
"""

from __future__ import annotations

from locust import User, events, task  # isort: skip  (first: it patches sockets and threads)

import os
import signal

import gevent
from gevent.event import Event
from locust.env import Environment

from loadtests import options
from loadtests.session import Session

session = Session()


def on_init(environment: Environment, **_: object) -> None:
    """Check the options before anything runs, and make SIGINT take the same way out as SIGTERM."""
    session.attach(environment)
    # A KeyboardInterrupt would come up in any greenlet, for example between a request and its record.
    gevent.signal_handler(signal.SIGINT, os.kill, os.getpid(), signal.SIGTERM)


for hook, listener in (
    (events.init_command_line_parser, options.add),
    (events.init, on_init),
    (events.test_start, session.start),
    (events.test_stopping, session.stop),
):
    hook.add_listener(listener)  # type: ignore[no-untyped-call]


class JobsUser(User):
    """Stands for the load in Locust's lists; the schedule belongs to the run, so more users change none."""

    fixed_count = 1

    @task
    def wait_for_the_end(self) -> None:
        """Do nothing until the run ends."""
        Event().wait()
