"""Does one thing at a time on the live stage: a story, a fault, or watching what is left of the last one.

Asked by the control API, works in a thread of its own. Never ends before everything broken is healed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests

from chaos.control.live_stage import LiveStage
from chaos.errors import HarnessError, StoryCut
from chaos.observe import Events
from chaos.signals import shielded

HEAL_LIMIT_S = 75.0
"""A killed server may take 30 s to serve again, and twice that when it is forced."""


class BusyError(Exception):
    """Something is going on already; the words say what."""


@dataclass(frozen=True)
class Job:
    """What was asked for: `kind` is `scenario` or `fault`."""

    kind: str
    name: str
    act: Callable[[LiveStage], None]


class Director:
    """A context manager: at its end everything is healed. `trouble`: what could not be healed, in words."""

    def __init__(self, stage: LiveStage, events: Events, say: Callable[[str], None]) -> None:
        self.trouble = ""
        self._stage = stage
        self._events = events
        self._say = say
        self._job: Job | None = None
        self._since_s = 0.0
        self._next: Job | None = None
        self._ending = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="director")

    def __enter__(self) -> Director:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with shielded():
            with self._changed:
                self._ending = True
                self._next = None
                self._stage.interrupt()
                self._changed.notify_all()
            self._thread.join()

    def start(self, job: Job) -> None:
        """Begin it. Raises BusyError while something else goes on; the mere watching of a recovery ends."""
        with self._changed:
            busy = self._job or self._next
            if busy is not None:
                raise BusyError(f"{busy.kind} {busy.name} is going on: wait for its end, or heal first")
            if self._ending:
                raise BusyError("this harness is stopping")
            self._next = job
            self._stage.interrupt()
            self._changed.notify_all()

    def heal(self, *, load_ended: bool = False) -> dict[str, Any]:
        """End whatever goes on and wait until that is read back; say what was healed.

        After the end of the load nothing can recover, so nothing is watched. Raises HarnessError for what
        cannot be healed.
        """
        live = self._events.live
        with self._changed:
            # Not what is on by now: a fault that is just being injected will be healed as well.
            before, stopped = live.healed(), self._job or self._next
            self._next = None
            if self._job is not None:
                self._stage.interrupt()
            if not self._changed.wait_for(lambda: self._job is None, HEAL_LIMIT_S):
                raise HarnessError(f"not healed within {HEAL_LIMIT_S:g} s: {', '.join(live.active())}")
            if load_ended:
                self._stage.interrupt()  # whoever watches by now
            found = self._stage.sweep()
            left = live.active()
            if left:
                raise HarnessError(f"cannot be healed: {', '.join(left)}. {self.trouble}")
            self.trouble = ""
        what = f"{stopped.kind} {stopped.name}" if stopped else None
        return {"healed": sorted(live.healed() - before), "stopped": what, "found_broken": found}

    def running(self) -> dict[str, Any] | None:
        """What goes on now, as plain data; None: nothing that would refuse the next."""
        job = self._job or self._next
        return None if job is None else {"kind": job.kind, "name": job.name, "since_s": self._since_s}

    def watching(self) -> str | None:
        """The healed fault whose recovery is watched."""
        fault = self._stage.unrecovered
        return None if fault is None else fault.name

    # -- the thread -------------------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._next is not None or self._ending)
                if self._ending:
                    return
                self._job, self._next, self._since_s = self._next, None, time.time()
                self._stage.resume()
            self._perform(self._job)
            with self._changed:
                self._job = None
                if not (self._ending or self._next):
                    self._stage.resume()
                self._changed.notify_all()
            self._watch()

    def _perform(self, job: Job | None) -> None:
        assert job is not None
        try:
            job.act(self._stage)
        except StoryCut as cut:
            self._note(f"{job.kind} {job.name}: {cut}")
        except Exception as error:  # told, and the rest of `up` goes on
            left = self._events.live.active()
            words = f"{job.kind} {job.name}: {_words(error)}"
            self.trouble = f"NOT HEALED, {', '.join(left)}: {words}" if left else words
            self._note(self.trouble)

    def _watch(self) -> None:
        """See how the last fault ends for the mail, until somebody wants something else."""
        fault = self._stage.unrecovered
        if fault is None:
            return
        try:
            self._stage.await_recovery(fault)
        except StoryCut:
            self._stage.leave()
        except Exception as error:
            self._note(f"{fault.name}: recovery not seen: {_words(error)}")
            self._stage.unrecovered = None

    def _note(self, text: str) -> None:
        self._events.append("note", text=text)
        self._say(text)


def _words(error: Exception) -> str:
    """What went wrong; of a refused HTTP request what the server said."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"refused: {error.response.text[:300]}"
    return str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"
