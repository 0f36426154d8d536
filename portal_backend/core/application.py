"""The Flask application, without what Flask does at every request for applications of another sort."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Request, Response
from flask.sessions import NullSession, SessionInterface, SessionMixin
from werkzeug.routing import Map, MapAdapter, Rule
from werkzeug.wsgi import get_host

MAX_KNOWN_ROUTES = 2_000
"""Addresses whose route a process keeps at a time: finding one among two hundred costs as much as many a view."""
MAX_KNOWN_PATH = 250
"""Characters."""

Address = tuple[str, str]
"""A method and a path."""
Route = tuple[Rule, Mapping[str, Any]]
"""A rule, and the values of its variables."""


class NoSessions(SessionInterface):
    """Browsers keep no session with us: who calls proves who she is at every request."""

    def __init__(self) -> None:
        """Make the one session that every request has: it holds nothing and refuses to be written."""
        self._nothing = NullSession()

    def open_session(self, app: Flask, request: Request) -> SessionMixin:
        """Return the session that holds nothing."""
        return self._nothing

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Save nothing."""


class RouteMap(Map):
    """The routes, and those of the addresses that were asked for before."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.known: dict[Address, Route] = {}

    def add(self, rulefactory: Any) -> None:
        """Add routes, which may answer what others answered until now."""
        super().add(rulefactory)
        self.known = {}

    def keep(self, asked: Address, found: Route) -> Route:
        """Keep the route of an address and return it; when there are too many, begin again.

        A long address is not kept: whoever sends it need not have said who he is yet.
        """
        if len(asked[1]) > MAX_KNOWN_PATH:
            return found
        if len(self.known) >= MAX_KNOWN_ROUTES:
            self.known = {}
        self.known[asked] = found
        return found


class RouteAdapter(MapAdapter):
    """Finds the route of one request."""

    map: RouteMap

    def match(self, *args: Any, **more: Any) -> Any:
        """Return what MapAdapter returns; the route of a request, all that is asked for here, is kept.

        What has no route is looked for again: a caller may make up any number of addresses.
        """
        if args or more != {"return_rule": True}:
            return super().match(*args, **more)
        asked = self.default_method, self.path_info
        rule, values = self.map.known.get(asked) or self.map.keep(asked, super().match(return_rule=True))
        return rule, {**values}


class PortalApplication(Flask):
    """Flask for views that are plain functions, for callers without a session, and for routes of one host."""

    session_interface = NoSessions()
    url_map_class = RouteMap
    url_map: RouteMap

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return what finds a request's route, whatever name of ours the caller used."""
        if request is None:
            return super().create_url_adapter(None)
        host = request.host = get_host(request.environ)
        query = request.query_string.decode(errors="replace")
        return RouteAdapter(
            self.url_map, host.lower(), request.root_path, "", request.scheme, request.path, request.method, query
        )

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function: no view or hook of ours is a coroutine, so none need be looked into at each call."""
        return func
