"""Who is asking: deny by default, one place where every way of proving an identity comes in.

Each route needs the scope `<area>:read` (GET, HEAD, and views marked with `reads`) or `<area>:write`, where the area is
its blueprint's name; what is public stands in PUBLIC_ENDPOINTS. Roles (who may move an engagement) are checked by the
domain, which gets the principal as an argument.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flask import Flask, Request, current_app, g, request
from werkzeug.exceptions import NotFound as WerkzeugNotFound

from portal_backend.core.config import is_address_of_loopback
from portal_backend.core.errors import NotAllowed, NotAuthenticated, UnknownRoute
from portal_backend.core.principal import LOCAL_ADMINISTRATOR, Principal

PUBLIC_ENDPOINTS = frozenset(
    {
        "health.live",
        "health.ready",
        "health.backstage_live",
        "health.backstage_ready",
        "api-docs.openapi_json",
        "docs.show",
    }
)
"""Routes that answer without a principal: what a load balancer asks, and the API's own description (no data)."""

View = TypeVar("View", bound=Callable[..., Any])

Authenticator = Callable[[Request], Principal | None]
"""One way of proving an identity: returns None when the request does not use it, raises NotAuthenticated when it fails.

Service tokens are the first; OIDC and Backstage tokens join the list in `init_app`.
"""


def init_app(app: Flask, authenticators: Sequence[Authenticator]) -> None:
    """Guard every route. Without authenticators everyone is the local administrator (the server then stays local)."""

    def authorise() -> None:
        asking: Request = request._get_current_object()  # type: ignore[attr-defined]
        if not authenticators:
            _refuse_strangers(asking)
        endpoint = asking.endpoint
        if endpoint is None:
            g.principal = identify(asking, authenticators)
            if isinstance(asking.routing_exception, WerkzeugNotFound):
                raise UnknownRoute(f"There is nothing at {asking.path}; /openapi.json lists every route.")
            return  # Flask answers a wrong method, or redirects
        if endpoint in PUBLIC_ENDPOINTS:
            return
        principal = g.principal = identify(asking, authenticators)
        scope = required_scope(asking)
        if not principal.may(scope):
            raise NotAllowed(f"This needs the scope {scope}, which {principal.name} was not given.")

    app.before_request(authorise)


def _refuse_strangers(asking: Request) -> None:
    """Keep web pages of other sites from acting as the local administrator through her browser.

    A page that rebinds its DNS name to this machine comes with its own Host, one that posts across comes with its
    own Origin.
    """
    origin = asking.headers.get("Origin")
    if not is_address_of_loopback(f"//{asking.host}") or (origin and not is_address_of_loopback(origin)):
        raise NotAllowed(
            "Without authentication this server answers this machine only, by the name localhost or 127.0.0.1."
        )


def identify(asking: Request, authenticators: Sequence[Authenticator]) -> Principal:
    """Return who is asking; raises NotAuthenticated when nobody can be made out."""
    if not authenticators:
        return LOCAL_ADMINISTRATOR
    for authenticator in authenticators:
        principal = authenticator(asking)
        if principal is not None:
            return principal
    raise NotAuthenticated("Send a token as 'Authorization: Bearer …'; `portal token issue` makes one.")


def reads(view: View) -> View:
    """Mark a view that only reads, though by POST (a query too long for an address): a read scope opens it."""
    view.only_reads = True  # type: ignore[attr-defined]
    return view


def required_scope(asking: Request) -> str:
    """Return the scope that a request needs: its blueprint's area, and read or write by its method and its view."""
    endpoint = asking.endpoint or ""
    only_reads = getattr(current_app.view_functions.get(endpoint), "only_reads", False)
    action = "read" if only_reads or asking.method in {"GET", "HEAD", "OPTIONS"} else "write"
    return f"{endpoint.partition('.')[0]}:{action}"


def current_principal() -> Principal:
    """Return the principal of the request under way."""
    principal: Principal = g.principal
    return principal
