"""python -m fake_smtp: start one sink, print its ports as one JSON line, run until SIGTERM or SIGINT.

`python -m fake_smtp faults [--markdown]` lists what it can do to a client instead.

Exit codes: 0 stopped on request, 64 wrong usage, 3 the environment (port, folder, disk) refuses or a worker
died.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import resource
import signal
import sys
import threading
from contextlib import suppress

from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import RequestPayloadError

from fake_smtp import table
from fake_smtp.crew import Crew
from fake_smtp.folder import FolderInUseError
from fake_smtp.hand import WorkerGoneError
from fake_smtp.loops import LOOPS
from fake_smtp.options import ENVIRONMENT, Options, Parser, parse
from fake_smtp.place import PortError
from fake_smtp.sink import Sink


def main() -> int:
    """Run one sink, or list the faults; return the exit code."""
    if sys.argv[1:2] == ["faults"]:
        return _list_faults(sys.argv[2:])
    options = parse()
    logging.basicConfig(level=logging.WARNING, format="fake_smtp: %(name)s: %(message)s")
    # INFO would cost more than the mail itself; its warnings tell what the records tell better.
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    # Its warnings are about writes to clients that have gone.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    logging.getLogger("aiohttp.server").addFilter(_is_ours)
    # A storm of connections is what this is for; the usual 1024 files would end it early.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        # Before there is a loop: the workers are copies of this process.
        crew = Crew(options) if options.processes > 1 else None
    except (OSError, FolderInUseError) as error:
        return _refuse_start(options, error)
    with asyncio.Runner(loop_factory=LOOPS[options.loop]) as runner:
        return runner.run(_run(options, crew))


def _is_ours(record: logging.LogRecord) -> bool:
    """Leave out what an HTTP client did wrong: it got its 400, and could fill the disk with tracebacks."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | RequestPayloadError | ConnectionError)


def _list_faults(argv: list[str]) -> int:
    parser = Parser(prog="python -m fake_smtp faults", description="List the faults that a plan can name.")
    parser.add_argument("--markdown", action="store_true", help="as a table in Markdown")
    sys.stdout.write(table.markdown() if parser.parse_args(argv).markdown else table.text())
    return 0


async def _run(options: Options, crew: Crew | None) -> int:
    try:
        sink = Sink(options, crew)
    except (OSError, FolderInUseError) as error:
        if crew is not None:
            crew.dismiss()
        return _refuse_start(options, error)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, sink.stopping.set)
    if options.stop_with_stdin:
        # A thread: an event loop cannot watch every kind of stdin. A daemon: it may wait for ever.
        threading.Thread(target=_await_stdin, args=(loop, sink.stopping), daemon=True).start()
    try:
        ready = await sink.start()
    except OSError as error:
        await sink.stop()
        return _refuse_start(options, PortError(error.errno, error.strerror))
    except WorkerGoneError:
        # The sink has said which one, and how.
        await sink.stop()
        return ENVIRONMENT
    # What is here now stays; and what a mail leaves behind is seldom a cycle.
    gc.freeze()
    gc.set_threshold(20_000)
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    await sink.stopping.wait()
    await sink.stop()
    return ENVIRONMENT if sink.failure else 0


def _await_stdin(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
    while os.read(0, 4096):
        pass
    with suppress(RuntimeError):
        # It raises when the loop has ended by itself meanwhile.
        loop.call_soon_threadsafe(stopping.set)


def _refuse_start(options: Options, error: OSError | FolderInUseError) -> int:
    if isinstance(error, FolderInUseError):
        return _refuse(f"{error}; choose another --out or stop that one")
    if isinstance(error, PortError):
        return _refuse(f"{error.strerror}; choose another port or host, or 0 for a free port")
    return _refuse(f"cannot write to {options.out}: {error.strerror}; choose another --out")


def _refuse(sentence: str) -> int:
    sys.stderr.write(f"fake_smtp: {sentence}\n")
    return ENVIRONMENT


if __name__ == "__main__":
    sys.exit(main())
