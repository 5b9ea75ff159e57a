"""Several processes that take mails on one port: starts them, tells them what to do, and sees them end.

Made by `__main__` before there is an event loop, used by `sink` and its context. Takes no mail itself.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fake_smtp.hand import Hand
from fake_smtp.loops import LOOPS
from fake_smtp.options import Options
from fake_smtp.place import Place, PortError, bind, certificates, lock_soon
from fake_smtp.plan import Plan
from fake_smtp.worker import Worker

_STOP_LIMIT_S = 10.0
_INTERNAL = 70


class Crew:
    """The workers of one sink."""

    def __init__(self, options: Options) -> None:
        """Start them; they wait. Raises FolderInUseError, PortError and OSError (the folder).

        To be called before there is an event loop or a thread: they are copies of this process.
        """
        self._options = options
        self.raw = lock_soon(options.out)
        self._certificates = certificates(options)
        self._reserved = bind(options.host, options.smtp_port)
        self.port: int = self._reserved.getsockname()[1]
        self._tallies = Path(tempfile.mkdtemp(prefix="fake-smtp-"))
        self._hands: list[Hand] = []
        self._lost: Callable[[str], None] = lambda _words: None
        self._ending = False
        for number in range(1, options.processes + 1):
            self._hands.append(self._start(number))

    @property
    def pids(self) -> list[int]:
        """The process ids."""
        return [hand.pid for hand in self._hands]

    async def open(self, sessions: int, mails: int, lost: Callable[[str], None]) -> None:
        """Let them bind the port and go on behind these numbers; `lost` hears, in words, of any bad end.

        Raises PortError and WorkerGoneError.
        """
        self._lost = lost
        for hand in self._hands:
            await hand.attach(self._ended)
        try:
            await self._all("open", sessions=sessions, mails=mails)
        except OSError as error:
            raise PortError(error.errno, error.strerror) from error

    async def serve(self) -> None:
        """Let them take connections. Raises WorkerGoneError and OSError."""
        await self._all("serve")

    async def set_plan(self, number: int, plan: Plan) -> None:
        """Put a plan in force, with counts of its own. Raises WorkerGoneError."""
        await self._all("plan", number=number, plan=plan.to_json())
        for old in self._tallies.iterdir():
            if int(old.name) < number:
                shutil.rmtree(old, ignore_errors=True)

    async def set_phase(self, phase: str | None) -> None:
        """Say which phase is on. Raises WorkerGoneError."""
        await self._all("phase", phase=phase)

    async def settle(self) -> None:
        """Return when all that any of them has decided to store is on disk. Raises WorkerGoneError.

        A worker that stands still before its disk keeps this waiting: until it goes on nobody
        may be told that its mail is not stored.
        """
        await self._all("settle")

    async def counters(self) -> list[dict[str, Any]]:
        """Return what each has counted, for `Counters.add`. Raises WorkerGoneError."""
        return await self._all("counters")

    async def stop(self) -> None:
        """Let them end their sessions and write their last records; afterwards none is left."""
        self._ending = True
        for hand in self._hands:
            hand.tell("stop")
        await asyncio.gather(*map(self._end, self._hands))
        self._clean_up()

    async def _end(self, hand: Hand) -> None:
        if not await hand.ends(_STOP_LIMIT_S):
            self._lost(f"{hand} did not stop within {_STOP_LIMIT_S:g} s, and is killed")
            await hand.kill()

    def dismiss(self) -> None:
        """End them when nothing has come of the start."""
        for hand in self._hands:
            hand.dismiss()
        self._clean_up()

    def _clean_up(self) -> None:
        self._reserved.close()
        shutil.rmtree(self._tallies, ignore_errors=True)

    async def _all(self, do: str, **what: Any) -> list[Any]:
        return await asyncio.gather(*[hand.ask(do, **what) for hand in self._hands])

    def _ended(self, hand: Hand, code: int) -> None:
        if code or not self._ending:
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            self._lost(f"{hand} {how}; its mails are on disk")

    def _start(self, number: int) -> Hand:
        parent, child = socket.socketpair()
        pid = os.fork()
        if pid:
            child.close()
            return Hand(number, pid, parent)
        code = _INTERNAL
        try:
            # While anybody but the parent holds its end of an order line, that line has no end.
            parent.close()
            code = self._work(number, child)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _work(self, number: int, orders: socket.socket) -> int:
        # Who stops this sink tells the parent, and the parent tells us.
        for ignored in (signal.SIGTERM, signal.SIGINT):
            signal.signal(ignored, signal.SIG_IGN)
        for hand in self._hands:
            hand.leave()
        self._reserved.close()
        place = Place(number, self.raw, self.port, self._tallies, self._certificates)
        with asyncio.Runner(loop_factory=LOOPS[self._options.loop]) as runner:
            return runner.run(Worker(self._options, place).work(orders))
