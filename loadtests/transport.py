"""HTTP to the system under test: one pool of kept connections, one request per call, nothing hidden.

Called by the submitter and the status reader. Never retries, never follows a redirect, never waits longer
than its limit: a hidden second POST would falsify the evidence.
"""

from __future__ import annotations

import json
from urllib.parse import quote, urlsplit

import gevent
from geventhttpclient.client import HTTPClient
from geventhttpclient.response import HTTPParseError

from loadtests.jobs import Job
from loadtests.outcomes import Answer

# Far above what file descriptors allow: a full pool would silently make waiting part of the load.
CONCURRENCY = 100_000


class Transport:
    """Speaks to one base address, such as `http://127.0.0.1:5000`; `timeout_s` limits each request whole."""

    def __init__(self, target: str, timeout_s: float = 10.0) -> None:
        parts = urlsplit(target)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"target {target!r}: an address such as http://127.0.0.1:5000 is needed")
        self._path = parts.path.rstrip("/")
        self._timeout_s = timeout_s
        self._client = HTTPClient.from_url(
            target,
            concurrency=CONCURRENCY,
            connection_timeout=timeout_s,
            network_timeout=timeout_s,
        )
        # The client repeats a broken GET as often as its pool is large, at once. There is no option;
        # -1 makes the number of repeats 0 (held by a test that counts connections).
        self._client._connection_pool.size = -1

    def post(self, job: Job) -> Answer:
        """Submit a job once. Raises whatever went wrong before a status line had arrived."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": job.key}
        return self._ask("POST", f"{self._path}/jobs", json.dumps(job.request).encode(), headers)

    def status(self, job_id: str) -> Answer:
        """Read a job's status once. Raises whatever went wrong before a status line had arrived."""
        return self._ask("GET", f"{self._path}/jobs/{quote(job_id, safe='')}", b"", {})

    def close(self) -> None:
        """Close the kept connections."""
        self._client.close()

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        status: int | None = None
        limit = gevent.Timeout.start_new(self._timeout_s)
        try:
            response = self._client.request(method, path, body, headers)
            status = response.get_code()
            return Answer(status, bytes(response.read()))
        except (OSError, HTTPParseError, gevent.Timeout) as error:
            if error is not limit and isinstance(error, gevent.Timeout):
                raise
            if status is not None:
                return Answer(status, None)
            if error is limit:
                raise TimeoutError(f"no answer within {self._timeout_s:g} s") from None
            raise
        finally:
            limit.close()
