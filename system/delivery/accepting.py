"""Acceptance of a job, with an honest answer about what is certain.

Called by the API. Knows three ends: accepted, certainly not accepted, unknown. Never says `not accepted` once
a byte of the request may have reached Redis.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

import redis
from redis.exceptions import BusyLoadingError, NoScriptError, ResponseError

from system.delivery import scripts
from system.delivery.ledger import PREFIX, ms
from system.delivery.states import Accepted
from system.settings import Settings

# Complete answers that Redis gives before a script's first write.
_REFUSALS = ("OOM", "READONLY", "MISCONF", "NOAUTH", "NOPERM", "MASTERDOWN", "NOREPLICAS", "BUSY")


class NotAccepted(Exception):
    """Nothing was written, for certain."""


class OutcomeUnknown(Exception):
    """Perhaps written; the same request with the same key is safe."""


@dataclass(frozen=True, slots=True)
class Request:
    """A checked request for a mail."""

    kind: str
    to: str
    subject: str
    body: str

    def fingerprint(self) -> str:
        """SHA-256 of the canonical request, to tell a replay from a reused key."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def _certain_refusal(error: Exception) -> bool:
    if isinstance(error, BusyLoadingError):
        return True
    return isinstance(error, ResponseError) and str(error).startswith(_REFUSALS)


class Acceptance:
    """Writes job records; `client` must not retry by itself, else certainty is lost."""

    def __init__(self, client: redis.Redis, settings: Settings) -> None:
        self._pool = client.connection_pool
        self._s = settings

    def accept(self, job_id: str, key: str, request: Request) -> Accepted:
        """Accepts once under this id and key, or answers the job that the key already has.

        Raises:
            NotAccepted: no connection could be had, or Redis refused before any write.
            OutcomeUnknown: the request went out twice and no answer came back.

        """
        s = self._s
        idem = f"{PREFIX}idem:{hashlib.sha256(key.encode()).hexdigest()}"
        first_look = ms(s.republish_first_s) if s.guarded else -1
        args = (
            job_id,
            key,
            idem,
            request.fingerprint(),
            request.kind,
            request.to,
            request.subject,
            request.body,
        )
        return self._twice((*args, first_look, s.job_ttl_s, s.idempotency_ttl_s, s.mail_domain))

    def close(self) -> None:
        """Closes the connections of this acceptance."""
        self._pool.disconnect()

    def _twice(self, args: tuple[str | int, ...]) -> Accepted:
        went_out = False
        for _ in (1, 2):
            try:
                connection = self._pool.get_connection()
            except (redis.RedisError, OSError) as error:
                if went_out:
                    break
                raise NotAccepted(str(error)) from error
            try:
                how, whose, state, _ = self._ask(connection, args)
                return Accepted(how, whose, state)
            except (redis.RedisError, OSError) as error:
                connection.disconnect()  # type: ignore[no-untyped-call]
                if not went_out and _certain_refusal(error):
                    raise NotAccepted(str(error)) from error
                went_out = True
            finally:
                self._pool.release(connection)
        raise OutcomeUnknown("the ledger took the request and gave no answer")

    def _ask(self, connection: Any, args: tuple[str | int, ...]) -> list[Any]:
        text, sha = scripts.source("accept")
        try:
            connection.send_command("EVALSHA", sha, 1, scripts.ROUTE, *args)
            return connection.read_response()  # type: ignore[no-any-return]
        except NoScriptError:
            connection.send_command("EVAL", text, 1, scripts.ROUTE, *args)
            return connection.read_response()  # type: ignore[no-any-return]
