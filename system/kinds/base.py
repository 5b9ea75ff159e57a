"""What a kind of job is made of.

Used by every module beside it. A `run` may happen twice, after a lost lease, and two may overlap: its effect
must be the same then. Never talks to the ledger or to the broker.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict

from system import addresses


class JobFailed(Exception):
    """The job failed for good; the words are for the client."""


class LeaseLost(Exception):
    """Somebody else owns the job by now, or nobody can say."""


class Body(BaseModel):
    """The fields of a job. Unknown ones and wrong types are refused instead of mended."""

    model_config = ConfigDict(extra="forbid", strict=True)


Text = Annotated[str, AfterValidator(addresses.check_body)]


@dataclass(frozen=True, slots=True)
class Job:
    """What a `run` gets: the `attempt` counts from 1 and is never the same twice.

    `still_mine` renews the lease; to be called every `beat_s` seconds in long work.
    """

    job_id: str
    attempt: int
    payload: dict[str, Any]
    greet_dir: Path
    still_mine: Callable[[], bool]
    beat_s: float


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. `run` answers a result that JSON can hold; it is None for mails, which the mailer sends.

    `run` may raise JobFailed (for good), LeaseLost, or OSError (worth another try).
    """

    name: str
    model: type[Body]
    run: Callable[[Job], Any] | None
    lane: str = "default"
