"""What travels over HTTP, in JSON Schema: the models of the requests, refined, and the answers by hand.

Used by the OpenAPI document. The answers are closed (no field but these), so that the test against a running
API finds every field that is not told of.
"""

from __future__ import annotations

from typing import Any

from system import addresses
from system.api.problems import BASE, TITLES
from system.api.schemas import BATCH_MOST, MODELS, Resolution
from system.delivery.listing import FILTERS

Schema = dict[str, Any]


def closed(needed: Schema, optional: Schema | None = None, **more: Any) -> Schema:
    """An object with these properties and no others."""
    properties = {**needed, **(optional or {})}
    shape = {"type": "object", "properties": properties, "required": list(needed)}
    return {**shape, "additionalProperties": False, **more}


def ref(name: str) -> Schema:
    """The schema of this name."""
    return {"$ref": f"#/components/schemas/{name}"}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _list_of(schema: Schema, **more: int) -> Schema:
    return {"type": "array", "items": schema, **more}


STRING: Schema = {"type": "string"}
ANY: Schema = {"description": "anything that JSON can hold"}
ID: Schema = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
KEY: Schema = {"type": "string", "pattern": f"^[!#-;=?-~]{{1,{addresses.MAX_KEY}}}$"}
_NO_KEY: Schema = {**KEY, "pattern": KEY["pattern"].replace("{1,", "{0,"), "description": "empty: none"}
KIND: Schema = {"enum": list(MODELS)}
STATE: Schema = {"enum": ["PENDING", "STARTED", "RETRY", "SUCCESS", "FAILURE", "REVOKED"]}
FILTER: Schema = {"enum": ["", *sorted(FILTERS)], "description": "a state, or empty for any"}
KIND_FILTER: Schema = {"enum": ["", *MODELS], "description": "a kind, or empty for any"}
CURSOR: Schema = {"type": "string", "pattern": "^([0-9a-f]{32}-[0-9]{1,15})?$"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_TIME: Schema = {"type": "string", "format": "date-time"}

# What the models check by code, which pydantic cannot say in JSON Schema.
_ADDRESS: Schema = {"type": "string", "format": "email", "maxLength": addresses.MAX_ADDRESS}
_CONTROLS = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
_LINE: Schema = {"type": "string", "pattern": f"^[^{_CONTROLS}]*$"}
_FULL_LINE: Schema = {
    "type": "string",
    "maxLength": addresses.MAX_SUBJECT,
    "pattern": rf"^[^{_CONTROLS}]*[^\s{_CONTROLS}][^{_CONTROLS}]*$",
}
_TEXT: Schema = {"type": "string", "minLength": 1, "pattern": r"^[^\u0000]*$"}
_REFINED: Schema = {
    "to": _ADDRESS,
    "notify": _or_null(_ADDRESS),
    "subject": _FULL_LINE,
    "name": _FULL_LINE,
    "body": _TEXT,
    "text": _TEXT,
    "note": {**_LINE, "maxLength": 200},
}


def _request(model: Any, without: str = "", more: Schema | None = None) -> Schema:
    """The schema of a request's model, refined."""
    shape: Schema = model.model_json_schema()
    fields = {name: _REFINED.get(name) or _bounded(schema) for name, schema in shape["properties"].items()}
    fields |= more or {}
    fields.pop(without, None)
    needed = {name: fields.pop(name) for name in shape["required"] if name != without}
    return closed(needed, fields, description=shape["description"])


def _bounded(schema: Schema) -> Schema:
    """The schema with the bounds of a union of numbers, which pydantic leaves in its own words."""
    words = {"ge": "minimum", "le": "maximum"}
    return {words.get(name, name): value for name, value in schema.items()}


def _form(model: Any, **more: Any) -> Schema:
    """The schema of a request to the page, which has names of its own for two fields."""
    shape = _request(model)
    names = {"kind": "form_type", "to": "recipient"}
    fields = {names.get(name, name): schema for name, schema in shape["properties"].items()}
    required = [names.get(name, name) for name in shape["required"]]
    return {**shape, "properties": fields, "required": required, **more}


def _html_form(model: Any) -> Schema:
    """The same where it comes from a form, whose other fields are passed over."""
    shape = _form(model, additionalProperties=True)
    shape["properties"]["notify"] = _ADDRESS
    return shape


_ACCEPTED = {"id": ID, "state": STATE, "status_url": STRING}
_JOB = {
    "id": ID,
    "kind": KIND,
    "key": _or_null(STRING),
    "state": STATE,
    "detail": STRING,
    "attempts": _COUNT,
    "created_at": _TIME,
    "updated_at": _TIME,
    "payload": {"type": "object"},
    "result": ANY,
    "error": _or_null(STRING),
    "notify": _or_null(STRING),
    "notify_job": _or_null(ID),
}
_ENTRY = closed({"at_ms": _COUNT, "event": STRING, "fence": _COUNT, "worker": STRING, "detail": STRING})
_CHECKS = ("ledger", "broker", "smtp_login", "relay", "backlog")
_ENDS = ["SUCCESS", "FAILURE", "REVOKED"]

_REQUESTS = {
    **{f"{kind}-job": _request(model) for kind, model in MODELS.items()},
    **{f"{kind}-job-of-a-batch": _request(model, more={"key": _NO_KEY}) for kind, model in MODELS.items()},
    **{f"{kind}-fields": _request(MODELS[kind], without="kind") for kind in ("greet", "sleep", "add")},
    "job-request": {"oneOf": [ref(f"{kind}-job") for kind in MODELS]},
    "batch-request": closed(
        {
            "jobs": _list_of(
                {"oneOf": [ref(f"{kind}-job-of-a-batch") for kind in MODELS]}, minItems=1, maxItems=BATCH_MOST
            )
        }
    ),
    "page-request": {"oneOf": [_form(model) for model in MODELS.values()]},
    "html-form": {"oneOf": [_html_form(model) for model in MODELS.values()]},
    "resolution": _request(Resolution),
}
_ANSWERS = {
    "accepted": closed(_ACCEPTED),
    "batch-accepted": closed({"jobs": _list_of(closed({**_ACCEPTED, "replayed": {"type": "boolean"}}))}),
    "page-accepted": closed({"task_id": ID, "message": STRING, "status_url": STRING}),
    "job": closed({**_JOB, "trail": _list_of(_ENTRY)}),
    "jobs": closed({"jobs": _list_of(closed(_JOB)), "next": _or_null(STRING)}),
    "job-status": closed({"job_id": ID, "state": STATE}, {"result": ANY, "error": STRING}),
    "result": {
        "oneOf": [
            closed({"state": {"const": "PENDING"}, "status": STRING}),
            closed({"state": {"enum": _ENDS}, "result": ANY}),
            closed({"status": {"enum": ["PENDING", *_ENDS]}, "result": ANY}),
        ]
    },
    "check-status": closed({"task_id": ID, "state": STATE, "result": ANY}),
    "health": closed({"status": {"const": "ok"}}),
    "readiness": closed(
        {"ready": {"type": "boolean"}, "checks": closed(dict.fromkeys(_CHECKS, STRING))},
        description="each check is `ok` or words",
    ),
    "problem": closed(
        {
            "type": {"enum": [f"{BASE}/{name}" for name in TITLES]},
            "title": STRING,
            "status": _COUNT,
            "detail": STRING,
        },
        {"errors": _list_of(closed({"field": STRING, "message": STRING}))},
        description="RFC 9457; the end of `type` names the problem, `errors` names the wrong fields",
    ),
}
SCHEMAS: dict[str, Schema] = {**_REQUESTS, **_ANSWERS}
