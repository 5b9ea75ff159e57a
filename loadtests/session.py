"""From Locust's events to floods: one flood per test run and process, its rows, its end and the exit code.

Called by the locustfile only. Never lets a broken system end the run, and never quits before every try has
its outcome on disk.
"""

from __future__ import annotations

import logging
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import gevent
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from loadtests import crew
from loadtests.flood import Flood, Plan
from loadtests.follow import Follower
from loadtests.options import Options, checked
from loadtests.submit import Settings, Submitter
from loadtests.transport import Transport
from reports.evidence import SUBMISSIONS, Appender

log = logging.getLogger("mailstorm")


class Session:
    """What this process has offered so far. `environment` is Locust's."""

    def __init__(self) -> None:
        self._environment: Any = None
        self._flood: Flood | None = None
        self._foreman: crew.Foreman | None = None
        self._nth = 0
        self._grace_s = 0.0

    def attach(self, environment: Environment) -> None:
        """Take Locust's environment. Ends the process with code 2 and words when an option cannot be."""
        self._environment = environment
        # Added last it is asked first, before the runner tells its workers to leave.
        environment.events.quitting.add_listener(self.quit)  # type: ignore[no-untyped-call]
        try:
            checked(environment.parsed_options or Namespace())
        except ValueError as error:
            sys.stderr.write(f"locust: {error}\n")
            sys.exit(2)
        if isinstance(environment.runner, MasterRunner):
            self._foreman = crew.Foreman(environment.runner)
        elif isinstance(environment.runner, WorkerRunner):
            environment.runner.register_message(crew.CONCLUDE, self._on_conclude, concurrent=True)

    def start(self, **_: object) -> None:
        """Begin a run (test_start): open its evidence and offer its flood, or hand out its shares."""
        self._nth += 1
        self._flood = None
        values = self._environment.parsed_options
        try:
            chosen = checked(values)
            self._grace_s = chosen.stop_grace_s
            run, folder = chosen.run_id(self._nth), chosen.folder(self._nth).resolve()
            if self._foreman:
                _refuse_used(folder)
                ticket = self._foreman.brief(run, str(folder))
                setattr(values, crew.TICKET, ticket)
                gevent.spawn(self._end_with_crew, self._foreman)
            else:
                self._offer(chosen, run, folder, getattr(values, crew.TICKET, None))
        except Exception as error:  # whatever it is: a load that offers nothing must end, not hang
            self._refuse(f"{type(error).__name__}: {error}")

    def stop(self, **_: object) -> None:
        """End the run because a person or Locust's run time says so (test_stopping)."""
        self._conclude("stopped")

    def quit(self, **_: object) -> None:
        """End the run because the process ends (quitting): by signal, unless it had ended before."""
        self._conclude("signal")

    def _offer(self, chosen: Options, run: str, folder: Path, ticket: dict[str, Any] | None) -> None:
        target = self._environment.host
        if not target:
            raise ValueError("no target: give --host http://HOST:PORT")
        share, shares, ago_s = 0, 1, 0.0
        if not ticket:
            _refuse_used(folder)
        else:
            run, folder, shares = ticket["run"], Path(ticket["folder"]), len(ticket["shares"])
            share, ago_s = ticket["shares"][self._environment.runner.client_id], time.time() - ticket["epoch"]
        transport = Transport(target, chosen.timeout_s)
        evidence = Appender(folder / SUBMISSIONS, run, "load")
        settings = Settings(chosen.resubmit_limit_s, chosen.resubmit_rejected)
        submitter = Submitter(transport.post, evidence, self._row, gevent.sleep, settings)
        follower = Follower(transport.status, evidence, self._row, gevent.sleep)
        plan = Plan(run, target, chosen.schedule, chosen.for_s, chosen.status_share, share, shares)
        log.info("run %s: %s to %s, evidence in %s", run, chosen.schedule, target, folder)
        self._flood = Flood(plan, evidence, submitter, follower, chosen.late_limit_s)
        gevent.spawn(self._flood.run, ago_s)
        gevent.spawn(self._end_by_itself, self._flood)

    def _end_by_itself(self, flood: Flood) -> None:
        if flood.wait():
            self._conclude("finished")
            if not isinstance(self._environment.runner, WorkerRunner):
                self._end_test()

    def _end_with_crew(self, foreman: crew.Foreman) -> None:
        foreman.wait()
        self._end_test()

    def _end_test(self) -> None:
        runner = self._environment.runner
        if self._environment.parsed_options.headless:
            runner.quit()
        else:
            runner.stop()

    def _on_conclude(self, msg: Any, **_: object) -> None:
        self._conclude(msg.data["reason"])

    def _conclude(self, reason: str) -> None:
        if self._foreman:
            # Workers need a moment more than their grace to report.
            self._foreman.conclude(reason, self._grace_s + 5.0)
            self._settle(self._foreman.shortfall)
        elif self._flood:
            self._flood.conclude(reason, self._grace_s)
            self._settle(self._flood.shortfall)
            if isinstance(self._environment.runner, WorkerRunner):
                crew.report(self._environment.runner, self._flood.plan.run, self._flood.shortfall)

    def _settle(self, shortfall: str) -> None:
        if shortfall and self._environment.process_exit_code != 2:
            log.error("the load was not offered: %s", shortfall)
        if self._environment.process_exit_code != 2:
            self._environment.process_exit_code = 2 if shortfall else 0

    def _refuse(self, why: str) -> None:
        self._settle(why)
        if isinstance(self._environment.runner, WorkerRunner):
            ticket = getattr(self._environment.parsed_options, crew.TICKET, {})
            crew.report(self._environment.runner, ticket.get("run", ""), why)
        elif self._environment.parsed_options.headless:
            gevent.spawn(self._environment.runner.quit)

    def _row(self, method: str, name: str, seconds: float, size: int, error: str | None) -> None:
        self._environment.events.request.fire(
            request_type=method,
            name=name,
            response_time=seconds * 1000,
            response_length=size,
            response=None,
            context={},
            exception=RuntimeError(error) if error else None,
            start_time=time.time() - seconds,
            url=name,
        )


def _refuse_used(folder: Path) -> None:
    if (folder / SUBMISSIONS).exists():
        raise ValueError(f"{folder} holds the evidence of another load: give a new --evidence and --run-id")
