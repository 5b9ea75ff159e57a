"""Holds an answer against the OpenAPI document: its status, its media type, its headers and its body."""

import re

from jsonschema import Draft202012Validator


class Document:
    """An OpenAPI document as a judge of answers."""

    def __init__(self, document):
        self._document, self.paths = document, document["paths"]

    def path_of(self, address):
        """The path of the document that an address belongs to; the one with the fewest holes."""
        address = address.partition("?")[0]
        fits = [path for path in self.paths if re.fullmatch(re.sub(r"{\w+}", "[^/]+", path), address)]
        return min(fits, key=lambda path: path.count("{") - path.count(":"))

    def check(self, method, path, answer):
        """Of a Flask test client's answer."""
        self.check_parts(
            method, path, answer.status_code, answer.headers, answer.json if answer.is_json else None
        )

    def check_parts(self, method, path, status, headers, body):
        responses = self.paths[path][method]["responses"]
        assert str(status) in responses, f"{method} {path} answered {status}"
        response = self._resolved(responses[str(status)])
        kind = headers["Content-Type"].partition(";")[0]
        assert kind in response["content"], f"{method} {path} {status} answered {kind}"
        told = response.get("headers", {}).keys()
        for name in ("Retry-After", "WWW-Authenticate", "Idempotency-Replayed", "Location"):
            assert name in told or name not in headers, f"{method} {path} {status} has {name}"
        if kind.endswith("json"):
            schema = {**response["content"][kind]["schema"], "components": self._document["components"]}
            Draft202012Validator(schema).validate(body)

    def _resolved(self, shown):
        return (
            self._document["components"]["responses"][shown["$ref"].rpartition("/")[2]]
            if "$ref" in shown
            else shown
        )
