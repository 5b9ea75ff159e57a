"""Acceptance of jobs, one or many at once, with an honest answer about what is certain.

Called by the API. Knows three ends: accepted, certainly not accepted, unknown. Never says `not accepted` once
a byte of the request may have reached Redis.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import redis
from redis.exceptions import BusyLoadingError, NoScriptError, ResponseError

from system.delivery import scripts
from system.delivery.ledger import PREFIX, ms
from system.delivery.states import Accepted
from system.settings import Settings

# Complete answers that Redis gives before a script's first write.
_REFUSALS = ("OOM", "READONLY", "MISCONF", "NOAUTH", "NOPERM", "MASTERDOWN", "NOREPLICAS", "BUSY")


# Made once: json.dumps would make an encoder for each call.
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
_compact = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class NotAccepted(Exception):
    """Nothing was written, for certain."""


class OutcomeUnknown(Exception):
    """Perhaps written; the same request with the same key is safe."""


class BacklogFull(Exception):
    """So many jobs are unfinished that no more are taken; nothing was written."""


Priority = Literal["high", "normal", "low"]


@dataclass(frozen=True, slots=True)
class Request:
    """A checked request for a job. `notify`: an address that is told how it ended."""

    kind: str
    payload: dict[str, Any]
    notify: str = ""
    priority: Priority = "normal"

    def fingerprint(self) -> str:
        """SHA-256 of the canonical request, to tell a replay from a reused key."""
        # Every field, also one added later; `asdict` would copy the payload.
        asked = {name: getattr(self, name) for name in self.__slots__}
        return hashlib.sha256(_canonical(asked).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Wanted:
    """One job to accept: the id that it gets, the client's key (or none), and what it asks for."""

    job_id: str
    key: str
    request: Request


def _arguments(job: Wanted) -> tuple[str, ...]:
    """One job as the script wants it."""
    asked = job.request
    return (
        job.job_id,
        job.key,
        f"{PREFIX}idem:{hashlib.sha256(job.key.encode()).hexdigest()}",
        asked.fingerprint(),
        asked.kind,
        _compact(asked.payload),
        asked.notify,
        uuid.uuid4().hex if asked.notify else "",
        asked.priority,
    )


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

        Raises: as `accept_all`.
        """
        return self.accept_all([Wanted(job_id, key, request)])[0]

    def accept_all(self, jobs: Sequence[Wanted]) -> list[Accepted]:
        """Accepts all in one atomic step, or none: where one answer is a conflict, nothing was written.

        Raises:
            NotAccepted: no connection could be had, or Redis refused before any write.
            BacklogFull: too many jobs are unfinished.
            OutcomeUnknown: the request went out twice and no answer came back.

        """
        s = self._s
        first_look = ms(s.republish_first_s) if s.guarded else -1
        kept = (s.job_ttl_s, s.idempotency_ttl_s, s.mail_domain, s.max_backlog)
        how, *rest = self._twice((first_look, *kept, *(arg for job in jobs for arg in _arguments(job))))
        if how == "full":
            raise BacklogFull(rest[0])
        triples = zip(rest[::3], rest[1::3], rest[2::3], strict=True)
        return [Accepted(how, whose, state) for how, whose, state in triples]

    def close(self) -> None:
        """Closes the connections of this acceptance."""
        self._pool.disconnect()

    def _twice(self, args: tuple[str | int, ...]) -> list[Any]:
        went_out = False
        for _ in (1, 2):
            try:
                connection = self._pool.get_connection()
            except (redis.RedisError, OSError) as error:
                if went_out:
                    break
                raise NotAccepted(str(error)) from error
            try:
                return self._ask(connection, args)
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
