"""Pages of other origins that may call the API from a browser (CORS): a Backstage frontend has an address of its own.

Credentials of a browser (cookies) are never asked for: who calls proves who she is by the Authorization header.
"""

from collections.abc import Collection

from flask import Flask, Response, current_app, request

from portal_backend.core.config import is_address_of_loopback

METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
REQUEST_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-Id"
EXPOSED_HEADERS = "ETag, Link, Retry-After, X-Request-Id"
PREFLIGHT_SECONDS = 600
"""For how long a browser need not ask again."""


def init_app(app: Flask, origins: Collection[str], *, trust_loopback: bool) -> None:
    """Let pages of these origins (`https://backstage.example.org`) read answers; goes before whatever refuses requests.

    `trust_loopback` adds every page that this machine itself serves. A browser asks without credentials whether it may
    send a request; that is answered without a principal, and tells nothing.
    """

    def is_trusted(origin: str) -> bool:
        return origin in origins or (trust_loopback and is_address_of_loopback(origin))

    def answer_preflight() -> Response | None:
        environ = request.environ
        if environ["REQUEST_METHOD"] != "OPTIONS" or "HTTP_ACCESS_CONTROL_REQUEST_METHOD" not in environ:
            return None
        return current_app.response_class(status=204)

    def permit(response: Response) -> Response:
        origin = request.environ.get("HTTP_ORIGIN")
        if origin is None:
            return response
        response.headers.add("Vary", "Origin")
        if is_trusted(origin):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
            if request.method == "OPTIONS":
                response.headers["Access-Control-Allow-Methods"] = METHODS
                response.headers["Access-Control-Allow-Headers"] = REQUEST_HEADERS
                response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
        return response

    app.before_request(answer_preflight)
    app.after_request(permit)
