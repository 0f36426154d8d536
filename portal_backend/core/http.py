"""What every HTTP answer of ours shares: orjson bodies, ETags, request ids, and the blueprint that views are put on."""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from http import HTTPStatus
from itertools import chain
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import orjson
from flask import Flask, Request, Response, current_app, g, request
from flask.json.provider import JSONProvider
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, ValidationError, fields, validate
from webargs import missing
from webargs.flaskparser import FlaskParser

from portal_backend.core.clock import format_time
from portal_backend.core.errors import Fault, InvalidInput, NotFound
from portal_backend.core.pagination import DEFAULT_LIMIT, MAX_LIMIT

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MAX_BODY_BYTES = 2 * 1024 * 1024
CONDITIONS = frozenset({"HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE"})
"""Headers that make a request conditional, as WSGI names them."""
READS = frozenset({"GET", "HEAD"})
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class ReadyResponse(Response):
    """An answer whose body lies ready as bytes, and whose headers need no more work."""

    def get_wsgi_response(self, environ: "WSGIEnvironment") -> tuple[Iterable[bytes], str, list[tuple[str, str]]]:
        """Return the body, the status and the headers as they are; a part of them only, where HTTP wants that."""
        if self.status_code != 200 or environ["REQUEST_METHOD"] == "HEAD":
            return super().get_wsgi_response(environ)
        return self.response, self.status, self.headers.to_wsgi_list()  # type: ignore[return-value]


class OrjsonProvider(JSONProvider):
    """Flask's JSON by orjson."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Write JSON; times as RFC 3339 UTC."""
        return orjson.dumps(obj, default=_default, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Read JSON; raises ValueError when it is malformed."""
        return orjson.loads(s)


def _default(value: Any) -> Any:
    if hasattr(value, "tzinfo"):
        return format_time(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


FIRST_YEAR, LAST_YEAR = 1000, 9000
"""Of times that are taken: nearer to the ends of the calendar, neither UTC nor a span before or behind can be told."""


class Moment(fields.AwareDateTime):
    """A time in RFC 3339 UTC, `2026-11-22T10:00:00Z`."""

    default_error_messages: ClassVar = {  # type: ignore[misc]
        "invalid": "Not a time; write for example 2026-11-22T10:00:00Z.",
        "invalid_awareness": "A time without its offset; write for example 2026-11-22T10:00:00Z.",
        "remote": "Must lie between the years 1000 and 9000.",
    }

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        moment: datetime = super()._deserialize(value, attr, data, **kwargs)
        if not FIRST_YEAR <= moment.year < LAST_YEAR:
            raise self.make_error("remote")
        return moment

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else format_time(value)


class PageQuery(Schema):
    """The parameters of every paged list."""

    limit = fields.Integer(
        load_default=DEFAULT_LIMIT,
        validate=validate.Range(1, MAX_LIMIT),
        metadata={"description": f"Items on a page, 1 to {MAX_LIMIT}."},
    )
    cursor = fields.String(
        load_default=None, metadata={"description": "The `next_cursor` of the previous page; opaque."}
    )


class NoBody(Schema):
    """The body of a write that takes none: nothing, or an empty object."""


JSON_WORDS: Mapping[type, str] = {
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    NoneType: "null",
}
"""What JSON calls what is no object."""
UNKNOWN_FIELD = "Unknown field."
"""As marshmallow says it."""


class StrictParser(FlaskParser):
    """Reads a request's parameters; an unknown one is a fault, never ignored."""

    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": RAISE, "json": RAISE}
    DEFAULT_VALIDATION_STATUS = HTTPStatus.BAD_REQUEST

    def load_json(self, req: Request, schema: Schema) -> Any:
        """Return the body; raises InvalidInput for one of another type, which would otherwise count as none.

        The usual parser takes lone surrogates and NaN, which nothing can store, and falls over deep nesting.
        """
        body = req.get_data()
        if not body.strip():
            return missing
        if not req.is_json:
            message = f"is {req.mimetype or 'not stated'}; send the body as application/json"
            raise InvalidInput(f"The content type {message}.", [Fault("Content-Type", message)])
        try:
            read = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise InvalidInput(f"The body is no JSON: {error}.", [Fault("json", f"is no JSON: {error}")]) from error
        if not (isinstance(read, dict) or schema.many):
            message = f"must be an object, `{{name: value, …}}`; this is {JSON_WORDS[type(read)]}"
            raise InvalidInput(f"The body {message}.", [Fault("body", message)])
        return read

    def handle_error(self, error: ValidationError, req: Request, schema: Schema, **more: Any) -> NoReturn:
        """Refuse the request; whoever guessed a name wrong is told those that there are."""
        for messages in error.messages_dict.values():
            _name_the_known(messages, schema)
        super().handle_error(error, req, schema, **more)
        raise error


def _name_the_known(messages: Any, schema: Schema) -> None:
    """Add the fields that a schema knows to each message that says a field is unknown."""
    if not isinstance(messages, dict):
        return
    known = ", ".join(sorted(field.data_key or name for name, field in schema.load_fields.items()))
    for name, found in messages.items():
        if found == [UNKNOWN_FIELD]:
            messages[name] = [f"Unknown field; there are {known}." if known else UNKNOWN_FIELD]
        elif isinstance(name, int):
            _name_the_known(found, schema)
        elif name in schema.load_fields:
            field = schema.load_fields[name]
            inner = field.inner if isinstance(field, fields.List) else field
            if isinstance(inner, fields.Nested):
                _name_the_known(found, inner.schema)


class ApiBlueprint(Blueprint):
    """A blueprint whose views refuse parameters that they do not know."""

    ARGUMENTS_PARSER = StrictParser()

    def arguments(self, schema: type[Schema] | Schema, *, location: str = "json", **more: Any) -> Any:
        """Read what a view is given by a schema; a body that may be left out is described as such."""
        if location == "json":
            reading = schema if isinstance(schema, Schema) else schema()
            more.setdefault("required", any(field.required for field in reading.load_fields.values()))
        return super().arguments(schema, location=location, **more)


def make_blueprint(name: str, import_name: str, url_prefix: str, description: str) -> ApiBlueprint:
    """Return a blueprint whose name is the area of its scopes (`<name>:read`, `<name>:write`)."""
    return ApiBlueprint(name, import_name, url_prefix=url_prefix, description=description)


def plain_json(value: Any) -> Response:
    """Answer with a value that has its JSON form already: walking it by its schema again would double the time."""
    return json_bytes(current_app.json.dumps(value).encode())


def json_bytes(body: bytes) -> Response:
    """Answer with a JSON document that is stored ready to send."""
    return ReadyResponse(body, content_type="application/json")


def init_app(app: Flask) -> None:
    """Install what every answer shares."""
    app.json = OrjsonProvider(app)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.before_request(_name_request)
    app.before_request(_refuse_nul)
    app.before_request(_refuse_unread_parameters)
    app.after_request(_finish)


def _name_request() -> None:
    """Take the caller's request id if it is a plain word, else make one: it names this request in every log line."""
    given = request.environ.get("HTTP_X_REQUEST_ID")
    g.request_id = given if given and REQUEST_ID.fullmatch(given) else os.urandom(16).hex()


def _refuse_nul() -> None:
    """Refuse a NUL in an address: no database keeps one. The catalog's routes look for themselves."""
    path = request.path
    if path.startswith("/api/catalog/"):
        return
    if "\0" in path:
        raise NotFound("Nothing has a NUL character in its name; look at the address.")
    if b"%00" in request.query_string:
        faults = [Fault(name, "holds a NUL character (%00); take it out") for name in _parameters_with_nul()]
        raise InvalidInput("A parameter holds a NUL character (%00); take it out.", faults)


def _parameters_with_nul() -> list[str]:
    """Return the names of the parameters that hold a NUL, or have one in their name."""
    return sorted({name.replace("\0", "") for name, value in request.args.items(multi=True) if "\0" in name + value})


def _refuse_unread_parameters() -> None:
    """Refuse query parameters on a view that reads none: whoever sends one believes that it has an effect."""
    if not request.environ.get("QUERY_STRING"):
        return
    view = current_app.view_functions.get(request.endpoint or "")
    if view is None or _reads_parameters(view) or not request.args:
        return
    if request.path.startswith("/api/"):
        message = "is no parameter of this route; /openapi.json lists those of every route"
        faults = [Fault(name, message) for name in request.args]
        raise InvalidInput(f"This route takes no query parameters; it was given {', '.join(request.args)}.", faults)


@lru_cache(1_024)
def _reads_parameters(view: Any) -> bool:
    return any(parameter["in"] == "query" for parameter in _documented(view))


def _documented(view: Any) -> Iterable[Mapping[str, Any]]:
    """Return the parameters of a view: those that are parsed for it, and those that it describes and parses itself."""
    description = getattr(view, "_apidoc", {})
    parsed = description.get("arguments", {}).get("parameters", ())
    return chain(parsed, description.get("manual_doc", {}).get("parameters", ()))


def _finish(response: Response) -> Response:
    headers = response.headers
    headers.add("X-Request-Id", g.get("request_id", ""))
    headers.add("X-Content-Type-Options", "nosniff")
    environ, status = request.environ, response.status_code
    if status == HTTPStatus.NO_CONTENT:
        headers.remove("Content-Type")  # clients that go by it would parse the empty body
    if status == HTTPStatus.OK and environ["REQUEST_METHOD"] in READS and not response.direct_passthrough:
        headers.setdefault("Cache-Control", "private, no-cache")
        if "ETag" not in headers:
            headers.add("ETag", entity_tag(response.get_data()))
        if not environ.keys().isdisjoint(CONDITIONS):
            response.make_conditional(environ)
    return response


def entity_tag(body: bytes) -> str:
    """Return the ETag of a body."""
    return f'"{hashlib.sha1(body, usedforsecurity=False).hexdigest()}"'
