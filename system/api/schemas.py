"""What a request for a job must look like.

Used by the jobs view. Refuses unknown fields and wrong types instead of mending them, so that nobody's
mistake is silently accepted.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from system import addresses
from system.delivery.accepting import Request


class EmailJob(BaseModel):
    """The body of `POST /jobs` for kind `email`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    kind: Literal["email"]
    to: Annotated[str, AfterValidator(addresses.check_address)]
    subject: Annotated[str, AfterValidator(addresses.check_subject)]
    body: Annotated[str, AfterValidator(addresses.check_body)]


def read_job(data: Any) -> tuple[Request | None, dict[str, str]]:
    """The checked request, or None and what is wrong, by field."""
    if not isinstance(data, dict):
        return None, {"": "must be a JSON object"}
    try:
        job = EmailJob.model_validate(data)
    except ValidationError as error:
        return None, {_name(e["loc"]): e["msg"].removeprefix("Value error, ") for e in error.errors()}
    return Request(job.kind, job.to, job.subject, job.body), {}


def _name(location: tuple[int | str, ...]) -> str:
    text = ".".join(str(part) for part in location)
    # A field's name comes from the client and may hold anything, also half a surrogate pair.
    return text[:100].encode("utf-8", "replace").decode()
