"""One run over several processes or hosts: the master hands out shares, workers report when theirs is done.

Called by the session when Locust runs with `--processes` or `--master/--worker`. Never offers a job itself.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import gevent

if TYPE_CHECKING:
    from locust.runners import MasterRunner, WorkerRunner

TICKET = "mailstorm_ticket"
CONCLUDE, DONE = "mailstorm_conclude", "mailstorm_done"
# Time for the ticket to reach every worker before the first job is due.
LEAD_S = 1.0


class Foreman:
    """The master's side: one ticket per run, carried to the workers with Locust's own options."""

    def __init__(self, runner: MasterRunner) -> None:
        self._runner = runner
        self._run = ""
        self._shares: dict[str, int] = {}
        self._reports: dict[str, str] = {}
        runner.register_message(DONE, self._on_done)

    def brief(self, run: str, folder: str) -> dict[str, Any]:
        """Give every connected worker a share of a new run; return the ticket to send.

        Who joins later gets none before the next run: the shares cover the plan as they are.
        """
        workers = [*self._runner.clients.ready, *self._runner.clients.running, *self._runner.clients.spawning]
        self._shares = {worker.id: number for number, worker in enumerate(workers)}
        self._run, self._reports = run, {}
        return {"run": run, "folder": folder, "epoch": time.time() + LEAD_S, "shares": self._shares}

    def conclude(self, reason: str, limit_s: float) -> None:
        """Ask every worker to conclude, and wait for their reports, at most `limit_s` seconds."""
        for worker in self._waiting():
            self._runner.send_message(CONCLUDE, {"reason": reason}, worker)
        self.wait(limit_s)

    def wait(self, limit_s: float | None = None) -> None:
        """Wait until every worker has reported or gone missing; None: without limit."""
        end = None if limit_s is None else time.monotonic() + limit_s
        while self._waiting() and (end is None or time.monotonic() < end):
            gevent.sleep(0.05)

    @property
    def shortfall(self) -> str:
        """Why the load as a whole was not offered, in words; empty when it was."""
        silent = [worker for worker in self._shares if worker not in self._reports]
        words = [f"{worker}: {why}" for worker, why in self._reports.items() if why]
        return "; ".join(words + [f"{worker}: no report" for worker in silent])

    def _waiting(self) -> list[str]:
        alive = {worker.id for worker in self._runner.clients.all} - {
            worker.id for worker in self._runner.clients.missing
        }
        return [worker for worker in self._shares if worker not in self._reports and worker in alive]

    def _on_done(self, msg: Any, **_: object) -> None:
        if msg.data["run"] == self._run:
            self._reports[msg.node_id] = msg.data["shortfall"]


def report(runner: WorkerRunner, run: str, shortfall: str) -> None:
    """Tell the master that this worker's share of a run is concluded."""
    runner.send_message(DONE, {"run": run, "shortfall": shortfall})
