"""How answers that tell an error look, for whoever reads /openapi.json."""

from typing import Any

from apispec import APISpec
from marshmallow import Schema, fields

from portal_backend.core.errors import BACKSTAGE_MOUNTS

DESCRIPTIONS = {
    "400": "The request has faults; each is named, with the remedy.",
    "default": "What else went wrong: 401 without a token that is known, 403, 404, 405, 409, 412, 413, 415, 500, 503.",
}


class ProblemFaultSchema(Schema):
    """What is wrong with one field."""

    field = fields.String(required=True, metadata={"description": "A path such as `limit` or `steps[0].name`."})
    message = fields.String(required=True, metadata={"description": "What is wrong and what to do about it."})


class ProblemSchema(Schema):
    """Problem details (RFC 9457)."""

    type = fields.String(required=True, metadata={"description": "`urn:portal:problem:` and the code."})
    title = fields.String(required=True, metadata={"description": "The words of the status."})
    status = fields.Integer(required=True)
    code = fields.String(required=True, metadata={"description": "A word that programs may rely on: `not_found`."})
    detail = fields.String(required=True, metadata={"description": "What is wrong and what to do about it."})
    instance = fields.String(required=True, metadata={"description": "The path that was asked for."})
    errors = fields.List(fields.Nested(ProblemFaultSchema), metadata={"description": "Faults of single fields."})


class BackstageErrorNameSchema(Schema):
    """The error itself, in Backstage's shape."""

    name = fields.String(required=True, metadata={"description": "`NotFoundError`, `InputError`, …"})
    message = fields.String(required=True)


class BackstageRequestSchema(Schema):
    """The request that failed."""

    method = fields.String(required=True)
    url = fields.String(required=True, metadata={"description": "Relative to the mount."})


class BackstageResponseSchema(Schema):
    """How it was answered."""

    status_code = fields.Integer(required=True, data_key="statusCode")


class BackstageErrorSchema(Schema):
    """What Backstage's backends answer when a request fails."""

    error = fields.Nested(BackstageErrorNameSchema, required=True)
    request = fields.Nested(BackstageRequestSchema, required=True)
    response = fields.Nested(BackstageResponseSchema, required=True)


def describe_errors(spec: APISpec) -> None:
    """Give every answer that tells an error its real shape, once all routes are described."""
    spec.components.schema("Problem", schema=ProblemSchema)
    spec.components.schema("BackstageError", schema=BackstageErrorSchema)
    for path, operations in spec.to_dict()["paths"].items():
        content = _content(path)
        for operation in operations.values():
            if isinstance(operation, dict) and "responses" in operation:
                _describe(operation["responses"], content)
    spec.components.responses.clear()
    spec.components.schemas.pop("Error", None)


def _content(path: str) -> dict[str, Any]:
    if f"{path}/".startswith(tuple(f"{mount}/" for mount in BACKSTAGE_MOUNTS)):
        return {"application/json": {"schema": {"$ref": "#/components/schemas/BackstageError"}}}
    return {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def _describe(responses: dict[str, Any], content: dict[str, Any]) -> None:
    for status, response in responses.items():
        if "$ref" in response:  # an answer that the framework adds by itself
            responses[status] = {"description": DESCRIPTIONS[status], "content": content}
        elif status in {"403", "409", "412"}:
            response.setdefault("content", content)
