"""How log lines look: text or one JSON object a line, each with the id of the job that it is about.

Every process calls `configure` once, before it has anything to say; code that handles a job does so inside
`about`. Lines never carry a secret of the settings, not even inside somebody else's error message.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from logging.handlers import WatchedFileHandler
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from system.effective import MASK, describe, secrets_of
from system.settings import LogFormat, Settings, get_settings

log = logging.getLogger(__name__)

job_id: ContextVar[str] = ContextVar("job_id", default="")

# Celery says of which task a line is by its arguments; ours have the job's id first, in hex.
_FIRST_ARGUMENT = re.compile(r"^[\(\[]['\"]([0-9A-Za-z._-]{8,64})['\"]")
# Shorter texts are no secrets, and to blot them out would make the lines unreadable.
_SECRET_MIN = 4
# Those that libraries give their records and that say nothing here.
_DROPPED = ("data", "taskName", "color_message")


@contextmanager
def about(a_job: str) -> Iterator[None]:
    """Every line that is logged inside carries this job's id."""
    token = job_id.set(a_job)
    try:
        yield
    finally:
        job_id.reset(token)


def configure(
    settings: Settings, role: str, level: int | str = logging.INFO, file: str | None = None
) -> None:
    """Sends every line of this process to standard error (or `file`) in the wished form.

    `role` (api, worker, relay, beat) stands on each line. May be called again, and then replaces itself.
    """
    handler = WatchedFileHandler(file) if file else logging.StreamHandler(sys.__stderr__)
    dress(handler, settings, role)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    logging.captureWarnings(True)


def dress(handler: logging.Handler, settings: Settings, role: str) -> None:
    """Gives a handler that somebody else made (gunicorn's) our form."""
    form = _Json if settings.log_format is LogFormat.JSON else _Text
    handler.setFormatter(form(role, secrets_of(settings)))


def for_celery(loglevel: int | None = None, logfile: str | None = None, **_: Any) -> None:
    """Receives Celery's signal `setup_logging`, which keeps Celery from making handlers of its own.

    Also says which settings are in effect, because the worker's own start comes before this.
    """
    from billiard.util import get_logger  # noqa: PLC0415 - only Celery's processes have it

    settings = get_settings()
    role = next((word for word in ("beat", "flower") if word in sys.argv), "worker")
    configure(settings, role, loglevel or logging.INFO, logfile)
    # The pool's own logger, which tells of children that were killed, hands nothing on.
    pool = get_logger()
    pool.handlers = list(logging.getLogger().handlers)
    pool.setLevel(logging.ERROR)
    log.info("%s", describe(settings))


def job_of(record: logging.LogRecord) -> str:
    """The job that a line is about: the one being handled here, or the one a line of Celery's names."""
    if found := job_id.get():
        return found
    data = getattr(record, "data", None)
    if isinstance(data, dict):
        named = _FIRST_ARGUMENT.match(str(data.get("args", "")))
        if named:
            return named[1]
    return ""


class _Text(logging.Formatter):
    """For people: time, level, role, words, and the job if the words do not name it."""

    def __init__(self, role: str, secrets: frozenset[str]) -> None:
        super().__init__("%(asctime)s %(levelname)s " + role + ": %(message)s")
        self._blot = _blotter(secrets)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - its name in logging
        line = super().formatMessage(record)
        job = job_of(record)
        return line if job in record.message else f"{line} [job {job}]"

    def format(self, record: logging.LogRecord) -> str:
        return self._blot(super().format(record))


class _Json(JsonFormatter):
    """For machines: time (UTC), level, role, process, logger, message, job_id, and exc_info of an error."""

    def __init__(self, role: str, secrets: frozenset[str]) -> None:
        super().__init__(
            "%(levelname)s %(process)d %(name)s %(message)s",
            timestamp="time",
            rename_fields={"levelname": "level", "name": "logger"},
            static_fields={"role": role},
            reserved_attrs=[*RESERVED_ATTRS, *_DROPPED],
            json_ensure_ascii=False,
        )
        self._blot = _blotter(secrets)

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        super().add_fields(log_data, record, message_dict)
        if job := job_of(record):
            log_data["job_id"] = job

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        return {"time": log_data.pop("time"), **log_data}

    def format(self, record: logging.LogRecord) -> str:
        return self._blot(super().format(record))


def _blotter(secrets: frozenset[str]) -> Callable[[str], str]:
    worth = {text for text in secrets if len(text) >= _SECRET_MIN}
    worth |= {json.dumps(text)[1:-1] for text in worth}
    if not worth:
        return str
    found = re.compile("|".join(re.escape(text) for text in sorted(worth, key=len, reverse=True)))
    return lambda line: found.sub(MASK, line)
