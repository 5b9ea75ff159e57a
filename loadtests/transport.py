"""HTTP to the system under test: kept connections, one request per call, nothing hidden.

Called by the submitter and the status reader. Never retries, never follows a redirect, never waits longer
than its limit: a hidden second POST would falsify the evidence.
"""

from __future__ import annotations

from urllib.parse import quote

import orjson
from geventhttpclient.response import HTTPParseError

from loadtests.address import base_address
from loadtests.mix import AnyJob
from loadtests.outcomes import Answer
from loadtests.wire import Reply, Wire


class Transport:
    """Speaks to one base address, such as `http://127.0.0.1:5000`; `timeout_s` limits each request whole."""

    def __init__(self, target: str, timeout_s: float = 10.0) -> None:
        parts = base_address("target", target, "http://127.0.0.1:5000")
        self._path = parts.path.rstrip("/")
        self._timeout_s = timeout_s
        self._wire = Wire(parts)
        host = parts.netloc.rpartition("@")[2]
        self._common = f"Host: {host}\r\nUser-Agent: mailstorm\r\nAccept: application/json\r\n"

    def post(self, job: AnyJob) -> Answer:
        """Submit a job once. Raises whatever went wrong before a status line had arrived."""
        body = orjson.dumps(job.request)
        headers = (
            f"Content-Type: application/json\r\nIdempotency-Key: {job.key}\r\nContent-Length: {len(body)}"
        )
        return self._ask(
            f"POST {self._path}/jobs HTTP/1.1\r\n{self._common}{headers}\r\n\r\n".encode() + body
        )

    def status(self, job_id: str) -> Answer:
        """Read a job's status once. Raises whatever went wrong before a status line had arrived."""
        return self._get(f"/jobs/{quote(job_id, safe='')}")

    def listing(self) -> Answer:
        """Read the newest jobs once. Raises whatever went wrong before a status line had arrived."""
        return self._get("/jobs?limit=20")

    def close(self) -> None:
        """Close the kept connections."""
        self._wire.close()

    def _get(self, path: str) -> Answer:
        return self._ask(f"GET {self._path}{path} HTTP/1.1\r\n{self._common}\r\n".encode())

    def _ask(self, request: bytes) -> Answer:
        reply = Reply()
        try:
            self._wire.ask(request, reply, self._timeout_s)
        except (OSError, HTTPParseError) as error:
            if reply.status is not None:
                return Answer(reply.status, None)
            if isinstance(error, TimeoutError) and error.errno is None:
                raise TimeoutError(f"no answer within {self._timeout_s:g} s") from None
            raise
        return Answer(reply.status or 0, reply.body)
