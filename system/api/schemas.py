"""What a request for a job must look like: the fields of its kind, and those that every job may have.

Used by the views and by the OpenAPI document. Refuses unknown fields and wrong types instead of mending them,
so that nobody's mistake is silently accepted.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, create_model

from system import addresses
from system.delivery.accepting import Priority, Request
from system.kinds import KINDS, Kind

BATCH_MOST = 1000

Address = Annotated[str, AfterValidator(addresses.check_address)]
Key = Annotated[str, AfterValidator(addresses.check_key)]


def _model(kind: Kind) -> type[BaseModel]:
    """The body of `POST /jobs` for one kind."""
    fields: dict[str, Any] = {"kind": (Literal[kind.name], ...), "notify": (Address | None, None)}
    if kind.name == "email":
        fields["priority"] = (Priority, "normal")
    name = f"{kind.name.capitalize()}Job"
    return create_model(name, __base__=kind.model, __doc__=kind.model.__doc__, **fields)


MODELS = {name: _model(kind) for name, kind in KINDS.items()}


class Resolution(BaseModel):
    """The body of `POST /jobs/<id>:resolve`: what a person found out about a mail in doubt."""

    model_config = ConfigDict(extra="forbid", strict=True)

    answer: Literal["stored", "not_stored", "resend"]
    note: Annotated[str, Field(max_length=200), AfterValidator(addresses.check_line)] = ""


def read_job(data: Any) -> tuple[Request | None, dict[str, str]]:
    """The checked request, or None and what is wrong, by field."""
    if not isinstance(data, dict):
        return None, {"": "must be a JSON object"}
    kind = data.get("kind")
    model = MODELS.get(kind) if isinstance(kind, str) else None
    if model is None:
        return None, {"kind": f"must be one of {', '.join(MODELS)}"}
    try:
        payload = model.model_validate(data).model_dump()
    except ValidationError as error:
        return None, wrong_fields(error)
    del payload["kind"]
    notify, priority = payload.pop("notify") or "", payload.pop("priority", "normal")
    return Request(str(kind), payload, notify, priority), {}


def wrong_fields(error: ValidationError) -> dict[str, str]:
    """What is wrong, by field."""
    return {_name(e["loc"]): e["msg"].removeprefix("Value error, ") for e in error.errors()}


def _name(location: tuple[int | str, ...]) -> str:
    text = ".".join(str(part) for part in location)
    # A field's name comes from the client and may hold anything, also half a surrogate pair.
    return text[:100].encode("utf-8", "replace").decode()
