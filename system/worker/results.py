"""How a job ended, where Celery's users look for it: `celery-task-meta-<job id>` in the ledger's Redis.

Made by the ledger, whose scripts store it together with the outcome; `AsyncResult(job_id, app=app)` reads it
through `CompressingBackend`. Short-lived, may be missing, and never the truth: that is the job's record.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from celery import states
from celery.backends.base import compress_payload
from celery.backends.redis import RedisBackend

from system.clients import secured
from system.kinds.base import JobFailed
from system.settings import Settings

KEY_PREFIX = "celery-task-meta-"
# Above this many bytes compression is worth its time.
COMPRESS_ABOVE = 4096
METHOD = "zlib"


class CompressingBackend(RedisBackend):  # type: ignore[misc]
    """Celery's Redis backend, which compresses large results only. Reads both, as Celery's own does."""

    def encode(self, data: Any) -> Any:
        """The text to store, or compressed bytes that name their method."""
        return _compressed(super().encode(data))


def key(job_id: str) -> str:
    """Where the result of this job lies, and the channel on which its arrival is told."""
    return KEY_PREFIX + job_id


def meta(job_id: str, public_state: str, result: Any = None, error: str = "") -> str | bytes:
    """The entry for a job that has ended with SUCCESS, FAILURE or REVOKED, as Celery's backend stores it."""
    entry: dict[str, Any] = {
        "status": public_state,
        "result": _exception(public_state, error) if public_state in states.EXCEPTION_STATES else result,
        "traceback": None,
        "children": [],
        "date_done": datetime.now(UTC).isoformat(),
        "task_id": job_id,
    }
    return _compressed(json.dumps(entry, ensure_ascii=False))


def app_options(settings: Settings) -> dict[str, Any]:
    """What a Celery app needs to read results; nothing where none are kept."""
    if not settings.result_ttl_s:
        return {}
    url = _celery_url(secured(settings.ledger_url, settings.tls_ca_file))
    return {
        "result_backend": f"{__name__}.{CompressingBackend.__name__}+{url}",
        "result_expires": settings.result_ttl_s,
        "result_serializer": "json",
        "redis_socket_timeout": settings.redis_timeout_s,
        "redis_socket_connect_timeout": settings.redis_timeout_s,
    }


def _celery_url(url: str) -> str:
    # redis-py writes unix://path?db=N, Celery writes socket://path?virtual_host=N.
    if not url.startswith("unix://"):
        return url
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    query["virtual_host"] = query.pop("db", "0")
    return f"socket://{parts.netloc}{parts.path}?{urlencode(query)}"


def _exception(public_state: str, error: str) -> dict[str, Any]:
    if public_state == states.REVOKED:
        return {
            "exc_type": "TaskRevokedError",
            "exc_message": [error or "revoked"],
            "exc_module": "celery.exceptions",
        }
    return {"exc_type": JobFailed.__name__, "exc_message": [error], "exc_module": JobFailed.__module__}


def _compressed(text: str | bytes) -> str | bytes:
    raw = text.encode() if isinstance(text, str) else text
    return bytes(compress_payload(raw, METHOD)) if len(raw) > COMPRESS_ABOVE else text
