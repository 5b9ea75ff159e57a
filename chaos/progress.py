"""What a person sees while a run goes on: a live line on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import time
from types import TracebackType

from rich.console import Console
from rich.status import Status

from chaos.observe import Observer

PLAIN_EVERY_S = 5.0


class Progress:
    """Progress of one run; without `figures` only the lines that stay."""

    def __init__(self, title: str, console: Console | None = None, *, figures: bool = True) -> None:
        self._console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self._title = title
        self._began = time.monotonic()
        self._phase = "start"
        self._fault: str | None = None
        self._last_plain = 0.0
        self._status: Status | None = None
        self._figures = figures

    def __enter__(self) -> Progress:
        if self._console.is_terminal and self._figures:
            self._status = self._console.status(self._title)
            self._status.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._status is not None:
            self._status.stop()

    def phase(self, name: str) -> None:
        """A new phase begins."""
        self._phase = name
        self._last_plain = 0.0
        self.show("")

    def fault(self, name: str | None) -> None:
        """The fault that is active now."""
        self._fault = name

    def say(self, text: str) -> None:
        """A line that stays."""
        self._print(f"{self._prefix()} {text}")

    def figures(self, observer: Observer) -> None:
        """Update the live figures."""
        if not self._figures:
            return
        accepted = observer.latest.get("api", {}).get("mail_jobs_accepted_total")
        due = observer.latest.get("api", {}).get("mail_jobs_due")
        words = [f"accepted {accepted:.0f}"] if accepted is not None else []
        words += [f"stored {observer.stored}"]
        words += [f"due {due:.0f}"] if due is not None else []
        self.show("  ".join(words))

    def show(self, figures: str) -> None:
        """Show the phase with some figures; a plain output gets a line only now and then."""
        line = f"{self._prefix()} {self._phase:<8} {figures}" + (f"  [{self._fault}]" if self._fault else "")
        if self._status is not None:
            self._status.update(line.replace("[", r"\["))
        elif time.monotonic() - self._last_plain >= PLAIN_EVERY_S:
            self._last_plain = time.monotonic()
            self._print(line.rstrip())

    def _print(self, line: str) -> None:
        # A terminal that went away must not end a run in the middle of a fault.
        with contextlib.suppress(OSError):
            self._console.print(line, markup=False)

    def _prefix(self) -> str:
        return f"{self._title} {time.monotonic() - self._began:6.1f} s"
