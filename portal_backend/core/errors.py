"""What can go wrong, and the one place where that becomes an HTTP answer.

Domain functions raise these; they know no HTTP beyond the number that their error carries.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge

from portal_backend.core.database_faults import SHOWN, DatabaseFault, database_fault
from portal_backend.core.faults import Fault as Fault
from portal_backend.core.faults import first_faults

BACKSTAGE_MOUNTS = ("/api/catalog", "/api/tech-insights")
BACKSTAGE_NAMES = {
    400: "InputError",
    401: "AuthenticationError",
    403: "NotAllowedError",
    404: "NotFoundError",
    409: "ConflictError",
    413: "PayloadTooLargeError",
    415: "UnsupportedMediaTypeError",
    503: "ServiceUnavailableError",
}
RETRY_SECONDS = 5
"""After which a caller may ask again whom the server could not serve."""
PATH_CHARACTERS = "/:@!$&'()*+,;=~-._"
"""What stands in a path as it is, besides letters and digits (RFC 3986)."""
CLEARER = {"Invalid input type.": "Must be an object, `{name: value, …}`."}
"""What marshmallow says without saying what it expects, and what is said in its place."""


class PortalError(Exception):
    """Base of the errors that a caller can act on."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    code = "internal_error"

    def __init__(self, message: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.faults = tuple(faults)


class InvalidInput(PortalError):
    """The caller's input cannot be taken as it is; every fault is named."""

    status = HTTPStatus.BAD_REQUEST
    code = "invalid_input"


class NotAuthenticated(PortalError):
    """No valid credentials came with the request."""

    status = HTTPStatus.UNAUTHORIZED
    code = "not_authenticated"


class NotAllowed(PortalError):
    """The caller is known, but may not do this."""

    status = HTTPStatus.FORBIDDEN
    code = "not_allowed"


class NotFound(PortalError):
    """What was asked for does not exist."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class UnknownRoute(NotFound):
    """The address leads nowhere, whatever exists."""


class Conflict(PortalError):
    """The request contradicts the present state."""

    status = HTTPStatus.CONFLICT
    code = "conflict"


class PreconditionFailed(PortalError):
    """The caller's If-Match no longer matches: somebody changed it in between."""

    status = HTTPStatus.PRECONDITION_FAILED
    code = "precondition_failed"


class Unavailable(PortalError):
    """The server runs, but what it needs does not answer; the same request may succeed later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "unavailable"


OF_DATABASE: Mapping[DatabaseFault, tuple[type[PortalError], str]] = {
    DatabaseFault.LATER: (
        Unavailable,
        "The database does not answer, or is too busy; send the same request again later, which is safe.",
    ),
    DatabaseFault.OVERTAKEN: (
        Conflict,
        "Somebody else changed the same at the same moment; read what is there now, then decide.",
    ),
}


def init_app(app: Flask) -> None:
    """Answer every error as problem details (RFC 9457), or in Backstage's shape under Backstage's mounts."""
    app.register_error_handler(PortalError, _answer_portal_error)
    app.register_error_handler(HTTPException, _answer_http_exception)
    app.register_error_handler(Exception, _answer_unexpected)


def _answer_portal_error(error: PortalError) -> Response:
    if isinstance(error, UnknownRoute) and backstage_mount():
        return current_app.response_class(status=error.status)  # as Backstage does
    return _answer(error.status, error.code, error.message, error.faults)


def _answer_http_exception(error: HTTPException) -> Response:
    if isinstance(error, MethodNotAllowed) and backstage_mount():
        return _answer_portal_error(UnknownRoute(""))  # a route of Backstage's is an address with its method
    status = HTTPStatus(error.code or 500)
    faults = first_faults(_faults_of_request(error))
    if faults:
        status = HTTPStatus.BAD_REQUEST
        code, message = InvalidInput.code, "The request has faults: " + "; ".join(str(fault) for fault in faults)
    else:
        code, message = status.phrase.lower().replace(" ", "_"), _said(error) or status.phrase
    response = _answer(status, code, message, faults)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def _said(error: HTTPException) -> str | None:
    """Return what an error says; of a body that is too large how much is taken, too."""
    limit = request.max_content_length
    if error.description == RequestEntityTooLarge.description and limit:  # nobody has said it better
        return f"The body is larger than {limit:,} bytes, the most that is taken; send less at a time."
    return error.description


def _answer_unexpected(error: Exception) -> Response:
    fault = database_fault(error)
    if fault is not None:
        kind, message = OF_DATABASE[fault]
        current_app.logger.error(
            "database fault", extra={"portal": {"fault": fault.value, "error": str(error)[:SHOWN]}}
        )
        return _answer_portal_error(kind(message))
    current_app.logger.error("unhandled error", exc_info=error)
    return _answer(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "internal_error",
        "The server met an error that it did not expect; its log has the details under this request id.",
        (),
    )


def _faults_of_request(error: HTTPException) -> list[Fault]:
    """Return what webargs found wrong, named as the documentation names it: by field, `body` where it is all of it."""
    data = getattr(error, "data", None)
    messages = data.get("messages", {}) if isinstance(data, dict) else {}
    found: list[Fault] = []
    for location, faults in messages.items():
        whole = "body" if location == "json" else location
        found += (Fault(fault.path or whole, fault.message) for fault in flatten_messages(faults))
    return found


def flatten_messages(messages: Any, prefix: str = "") -> list[Fault]:
    """Turn marshmallow's nested messages into faults with dotted paths; `_schema` stands for the whole."""
    if isinstance(messages, dict):
        faults: list[Fault] = []
        for key, inner in messages.items():
            faults += flatten_messages(inner, _join(prefix, key))
        return faults
    if isinstance(messages, list):
        return [fault for message in messages for fault in flatten_messages(message, prefix)]
    return [Fault(prefix, CLEARER.get(str(messages), str(messages)))]


def _join(prefix: str, key: object) -> str:
    if key == "_schema":
        return prefix
    if isinstance(key, int):
        return f"{prefix}[{key}]"
    return f"{prefix}.{key}" if prefix else str(key)


def _answer(status: HTTPStatus, code: str, message: str, faults: Sequence[Fault]) -> Response:
    if backstage_mount():
        response = current_app.response_class(
            current_app.json.dumps(backstage_document(status, message)),
            status=status,
            content_type="application/json; charset=utf-8",
        )
    else:
        response = current_app.response_class(
            current_app.json.dumps(_problem_document(status, code, message, faults)),
            status=status,
            mimetype="application/problem+json",
        )
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="portal"'
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


def _problem_document(status: HTTPStatus, code: str, message: str, faults: Sequence[Fault]) -> dict[str, Any]:
    document: dict[str, Any] = {
        "type": f"urn:portal:problem:{code}",
        "title": status.phrase,
        "status": int(status),
        "code": code,
        "detail": message,
        "instance": request.path,
    }
    if faults:
        document["errors"] = [{"field": fault.path, "message": fault.message} for fault in faults]
    return document


def backstage_mount() -> str | None:
    """Return which of Backstage's mounts the request under way goes to, `/api/catalog`; None when to none of them."""
    return next((mount for mount in BACKSTAGE_MOUNTS if f"{request.path}/".startswith(f"{mount}/")), None)


def backstage_document(status: HTTPStatus, message: str) -> dict[str, Any]:
    """Return what Backstage answers when the request under way fails; the address in it is relative to the mount."""
    path = request.path.removeprefix(backstage_mount() or "")
    query = f"?{request.query_string.decode(errors='replace')}" if request.query_string else ""
    return {
        "error": {"name": BACKSTAGE_NAMES.get(int(status), "Error"), "message": message},
        "request": {"method": request.method, "url": quote(path, safe=PATH_CHARACTERS) + query},
        "response": {"statusCode": int(status)},
    }
