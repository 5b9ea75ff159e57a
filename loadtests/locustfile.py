"""Locust's way in: `locust -f loadtests/locustfile.py --host http://127.0.0.1:5000`, with or without web UI.

User classes and wiring to Locust's events, nothing else. Never imported by tests or by the experiment:
importing locust patches the whole process.
"""

from __future__ import annotations

from locust import User, events, task  # isort: skip  (first: it patches sockets and threads)

import os
import signal

import gevent
from locust.env import Environment

from loadtests import exposition, options
from loadtests.session import Session
from loadtests.tab.attach import Tab

session = Session()
tab = Tab(session)


def on_init(environment: Environment, **_: object) -> None:
    """Check the options before anything runs, and make SIGINT take the same way out as SIGTERM."""
    session.attach(environment)
    exposition.mount(environment, session.figures)
    tab.attach(environment)
    # A KeyboardInterrupt would come up in any greenlet, for example between a request and its record.
    gevent.signal_handler(signal.SIGINT, os.kill, os.getpid(), signal.SIGTERM)


for hook, listener in (
    (events.init_command_line_parser, options.add),
    (events.init, on_init),
    (events.test_start, session.start),
    (events.test_stopping, tab.heal),  # first: what is broken would hold up the end of the load
    (events.test_stopping, session.stop),
):
    hook.add_listener(listener)  # type: ignore[no-untyped-call]


class Person(User):
    """Stands for the load in Locust's lists. Which classes are chosen, and their weights, make the mix.

    In the open model the schedule belongs to the run, so more users change none; in the closed model each
    user takes the next job of the plan when he has finished with one.
    """

    abstract = True
    kind = "email"

    @task
    def take_part(self) -> None:
        """Take part until the run ends."""
        session.serve()


class EmailUser(Person):
    """Has a mail sent."""

    weight = 8


class GreetUser(Person):
    """Has a greeting written to a file, and is told by mail."""

    kind = "greet"


class SleepUser(Person):
    """Keeps a worker busy for a moment, and is told by mail."""

    kind = "sleep"


class AddUser(Person):
    """Has two numbers added, and is told by mail."""

    kind = "add"


class ReverseUser(Person):
    """Has a text reversed, and is told by mail."""

    kind = "reverse"


class SentimentUser(Person):
    """Has a text judged, and is told by mail."""

    kind = "sentiment"


class StatusReader(Person):
    """Reads the list of jobs, or the status of a recent one; beside the jobs, not instead of them."""

    kind = "read"
    weight = 2
