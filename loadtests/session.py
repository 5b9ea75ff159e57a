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
from gevent.event import Event
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from loadtests import crew, mix
from loadtests.closed import Closed
from loadtests.figures import Collected, Figures, put, together
from loadtests.flood import Flood, Plan
from loadtests.follow import Follower
from loadtests.options import CLOSED, Options, checked
from loadtests.reader import Reader
from loadtests.rows import Rows
from loadtests.stored import SinkFeed, Watch
from loadtests.submit import Settings, Submitter
from loadtests.tally import Tally
from loadtests.transport import Transport
from reports.evidence import SUBMISSIONS, Appender

log = logging.getLogger("mailstorm")


class Session:
    """What this process has offered so far. `environment` is Locust's."""

    def __init__(self) -> None:
        self._environment: Any = None
        self._attached = Event()
        self._flood: Flood | None = None
        self._foreman: crew.Foreman | None = None
        self._nth = 0
        self._grace_s = 0.0
        self._settle_s = 0.0
        self._rows = Rows(None)
        self._tally: Tally | None = None
        self._watch: Watch | None = None
        self._collected = Collected()
        self.run = ""
        """The id of the run that is on or was the last; empty: none yet."""
        self.folder: Path | None = None
        """Where this host's load processes leave their evidence of it."""

    def attach(self, environment: Environment) -> None:
        """Take Locust's environment. Ends the process with code 2 and words when an option cannot be."""
        self._environment, self._rows = environment, Rows(environment)
        # Added last it is asked first, before the runner tells its workers to leave.
        environment.events.quitting.add_listener(self.quit)  # type: ignore[no-untyped-call]
        try:
            checked(environment.parsed_options or Namespace())
        except ValueError as error:
            sys.stderr.write(f"locust: {error}\n")
            sys.exit(2)
        if isinstance(environment.runner, MasterRunner):
            self._foreman = crew.Foreman(environment.runner)
            environment.events.worker_report.add_listener(self._collected.take)  # type: ignore[no-untyped-call]
        elif isinstance(environment.runner, WorkerRunner):
            environment.events.report_to_master.add_listener(self._report_figures)  # type: ignore[no-untyped-call]
            environment.runner.register_message(crew.CONCLUDE, self._on_conclude, concurrent=True)
        self._attached.set()

    def figures(self) -> Figures:
        """Return the figures of the run over all its processes (see `figures.SUMS` and `figures.LARGEST`).

        On a master they are up to 3 s old: what its workers have reported last.
        """
        if self._foreman:
            return self._collected.of(self.run)
        return together([self._tally.figures()] if self._tally else [])

    def start(self, **_: object) -> None:
        """Begin a run (test_start): open its evidence and offer its flood, or hand out its shares."""
        # A worker that joins when a run is on hears of the run before it is attached.
        self._attached.wait()
        self._nth += 1
        self._flood = self._watch = None
        values = self._environment.parsed_options
        try:
            chosen = checked(values)
            self._grace_s = chosen.stop_grace_s
            self._settle_s = chosen.settle_s if chosen.sink else 0.0
            run, folder = chosen.run_id(self._nth), chosen.folder(self._nth).resolve()
            if self._foreman:
                _refuse_used(folder)
                self.run, self.folder = run, folder
                ticket = self._foreman.brief(run, str(folder))
                # Only here is it known which classes were picked in the web UI.
                ticket["mix"] = str(mix.of_classes(self._environment.user_classes))
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
        self._rows.complete()

    def serve(self) -> None:
        """Be one of Locust's users until the run ends; only the closed model gives them something to do."""
        if isinstance(self._flood, Closed):
            self._flood.serve()
        Event().wait()

    def _mix_of_classes(self, ticket: dict[str, Any] | None) -> mix.Mix:
        return mix.parse(ticket["mix"]) if ticket else mix.of_classes(self._environment.user_classes)

    def _offer(self, chosen: Options, run: str, folder: Path, ticket: dict[str, Any] | None) -> None:
        target = self._environment.host
        if not target:
            raise ValueError("no target: give --host http://HOST:PORT")
        share, shares = 0, 1
        if not ticket:
            _refuse_used(folder)
        else:
            run, folder, shares = ticket["run"], Path(ticket["folder"]), len(ticket["shares"])
            me = self._environment.runner.client_id
            if me not in ticket["shares"]:
                log.warning("this worker joined when run %s was on: it takes part from the next one on", run)
                return
            share = ticket["shares"][me]
        self.run, self.folder = run, folder
        transport = Transport(target, chosen.timeout_s)
        evidence = Tally(Appender(folder / SUBMISSIONS, run, "load"), run, share, shares, self._rows.step)
        self._tally = evidence
        settings = Settings(chosen.resubmit_limit_s, chosen.resubmit_rejected)
        submitter = Submitter(transport.post, evidence, self._rows.request, gevent.sleep, settings)
        follower = Follower(transport.status, evidence, self._rows.request, gevent.sleep, done=evidence.done)
        reader = Reader(follower, transport.listing, self._rows.request, chosen.schedule.seed)
        plan = Plan(
            run,
            target,
            chosen.schedule,
            chosen.for_s,
            chosen.status_share,
            share,
            shares,
            mix=chosen.mix or self._mix_of_classes(ticket),
            think_s=chosen.think_s,
            until_done=chosen.until_done,
        )
        model = Closed if chosen.model == CLOSED else Flood
        self._flood = model(plan, evidence, submitter, follower, chosen.late_limit_s, reader)
        log.info(
            "run %s: %s, mix %s, to %s, evidence in %s", run, self._flood.described, plan.mix, target, folder
        )
        if chosen.sink:
            self._watch = Watch(SinkFeed(chosen.sink), evidence)
            self._watch.begin()
            gevent.spawn(self._watch.run)
        # Only now: whatever took its time before this must not move the due times.
        ago_s = time.time() - ticket["epoch"] if ticket else 0.0
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
            self._foreman.conclude(reason, self._grace_s + self._settle_s + 5.0)
            self._set_exit_code(self._foreman.shortfall)
        elif self._flood:
            self._flood.conclude(reason, self._grace_s)
            self._set_exit_code(self._flood.shortfall)
            if self._watch:
                self._watch.conclude(self._settle_s)
            if isinstance(self._environment.runner, WorkerRunner):
                self._rows.send()
                crew.report(self._environment.runner, self._flood.plan.run, self._flood.shortfall)

    def _set_exit_code(self, shortfall: str) -> None:
        if shortfall and self._environment.process_exit_code != 2:
            log.error("the load was not offered: %s", shortfall)
        if self._environment.process_exit_code != 2:
            self._environment.process_exit_code = 2 if shortfall else 0

    def _refuse(self, why: str) -> None:
        self._set_exit_code(why)
        if isinstance(self._environment.runner, WorkerRunner):
            ticket = getattr(self._environment.parsed_options, crew.TICKET, {})
            crew.report(self._environment.runner, ticket.get("run", ""), why)
        elif self._environment.parsed_options.headless:
            gevent.spawn(self._environment.runner.quit)

    def _report_figures(self, data: dict[str, Any], **_: object) -> None:
        put(data, self.run, self.figures())


def _refuse_used(folder: Path) -> None:
    if (folder / SUBMISSIONS).exists():
        raise ValueError(f"{folder} holds the evidence of another load: give a new --evidence and --run-id")
