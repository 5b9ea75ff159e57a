"""Puts the Delivery tab into Locust's page, and heals when the load stops or Locust ends.

Made by the locustfile, one for each process; does nothing where there is no web UI.
"""

from __future__ import annotations

import logging
from typing import Any

import gevent
from flask import Response, request
from locust.env import Environment
from locust.runners import MasterRunner

from loadtests.tab.breaker import Breaker, Harness, Nobody
from loadtests.tab.figures import GIVE_SINK
from loadtests.tab.pages import Pages, mounted
from loadtests.tab.picture import Picture
from loadtests.tab.remote import RemoteError
from loadtests.tab.sink_faults import SinkFaults
from loadtests.tab.watch import Load, Watch

log = logging.getLogger("mailstorm")
TAB = {"title": "Delivery", "key": "delivery"}
LAST_HEAL_S = 20.0
"""How long the end of Locust waits for the healing; the harness heals at its own end anyway."""
MASTER_STEPS = 6
"""Over so many seconds a master takes rates: its figures come every 3 s."""


class Tab:
    """The tab of one process; `load` tells what became of the jobs."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._breaker: Breaker | None = None

    def attach(self, environment: Environment) -> None:
        """Take Locust's environment (init)."""
        web: Any = environment.web_ui
        options: Any = environment.parsed_options
        if web is None:
            return
        over = MASTER_STEPS if isinstance(environment.runner, MasterRunner) else 2
        picture = Picture(over)
        breaker = self._breaker = _breaker(options, picture)
        blind = "not known: the sink does not answer" if options.sink else GIVE_SINK
        watch = Watch(self._load, breaker, lambda: environment.host, picture, blind)
        watch.begin()
        pages = Pages(watch, breaker, lambda: str(environment.runner.state), options.web_host or "")  # type: ignore[union-attr]
        web.app.register_blueprint(pages.blueprint(options.web_base_path or "", web.auth_required_if_enabled))
        web.app.after_request(_mount)
        web.template_args.setdefault("extended_tabs", []).append(TAB)
        # Added last it is asked first: what is broken would hold up the end of the load.
        environment.events.quitting.add_listener(self.quit)  # type: ignore[no-untyped-call]

    def heal(self, **_: object) -> None:
        """Heal, without waiting for it (test_stopping)."""
        if self._breaker is not None:
            gevent.spawn(self._heal)

    def quit(self, **_: object) -> None:
        """Heal before Locust ends (quitting)."""
        if self._breaker is not None:
            gevent.spawn(self._heal).join(LAST_HEAL_S)

    def _heal(self) -> None:
        assert self._breaker is not None
        try:
            self._breaker.heal(load_ended=True)
        except RemoteError as error:
            log.error("NOT HEALED: %s", error)


def _breaker(options: Any, picture: Picture) -> Breaker:
    if options.chaos:
        return Harness(options.chaos)
    if options.sink:
        return SinkFaults(options.sink, lambda from_s, to_s: picture.rate("delivered", from_s, to_s))
    return Nobody()


def _mount(response: Response) -> Response:
    return (
        mounted(response) if request.endpoint == "locust.index" and response.status_code == 200 else response
    )
