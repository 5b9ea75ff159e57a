"""One sink as a child process, for as long as a `with` block lasts.

Used by tests, ours or anybody's. Asks the sink nothing but its ports; never leaves it running.
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Self

START_LIMIT_S = 30.0
STOP_LIMIT_S = 10.0
_STDERR_MOST = 8192


class SinkError(Exception):
    """The sink refused, did not answer or did not start; in its own words where it has some."""


class SinkProcess:
    """A sink of one's own while the `with` block lasts; afterwards neither process nor temporary folder."""

    out: Path
    smtp_host = "127.0.0.1"
    smtp_port: int
    control_url: str
    pid: int

    def __init__(
        self,
        out: Path | None = None,
        *,
        username: str | None = None,
        password: str | None = None,
        options: Sequence[str] = (),
    ) -> None:
        """`out` None: a temporary folder; `options` as `python -m fake_smtp --help` lists them."""
        if (username is None) != (password is None):
            raise ValueError("username and password go together: give both or none")
        self._given_out, self._options = out, list(options)
        self._username, self._password = username, password

    def __enter__(self) -> Self:
        """Start it and wait until it listens. Raises SinkError with its stderr when it does not."""
        with ExitStack() as stack:
            self.out = stack.enter_context(_folder()) if self._given_out is None else Path(self._given_out)
            # A file, not a pipe: a sink with much to say would stop at a full one.
            self._errors = stack.enter_context(tempfile.TemporaryFile())
            process = stack.enter_context(_running(self._argv(), self._environment(), self._errors))
            ready = self._ready(process)
            self.smtp_port, self.pid = ready["smtp_port"], ready["pid"]
            self.control_url = f"http://{self.smtp_host}:{ready['control_port']}"
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def stderr(self) -> str:
        """Return the end of what the running sink said on stderr."""
        size = os.fstat(self._errors.fileno()).st_size
        # pread: the offset of this file belongs to the sink as well.
        start = max(0, size - _STDERR_MOST)
        return os.pread(self._errors.fileno(), _STDERR_MOST, start).decode("utf-8", "replace").strip()

    def _argv(self) -> list[str]:
        # -P: a package in the folder where the tests run must not stand in for one of the sink's.
        argv = [sys.executable, "-P", "-m", "fake_smtp", "--out", str(self.out), "--stop-with-stdin"]
        login = [] if self._username is None else [f"--username={self._username}"]
        return [*argv, *login, *self._options]

    def _environment(self) -> dict[str, str]:
        # Settings meant for another sink would give this one a fixed port, a login or a plan.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FAKE_SMTP_")}
        return kept if self._password is None else {**kept, "FAKE_SMTP_PASSWORD": self._password}

    def _ready(self, process: subprocess.Popen[bytes]) -> dict[str, int]:
        assert process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(START_LIMIT_S):
                raise SinkError(f"the sink was not ready within {START_LIMIT_S:g} s: {self.stderr()}")
        line = process.stdout.readline()
        if line:
            ready: dict[str, int] = json.loads(line)
            return ready
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_LIMIT_S)
        raise SinkError(f"the sink did not start (exit code {process.returncode}): {self.stderr()}")


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="fake-smtp-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def _running(
    argv: list[str], environment: dict[str, str], errors: IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process, and end it: asked first, killed after the limit. The end of stdin ends it as well."""
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(STOP_LIMIT_S)
            finally:
                process.kill()
