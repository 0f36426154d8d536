"""The Flask application, without what Flask does at every request for applications of another sort."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Request, Response
from flask.sessions import NullSession, SessionInterface, SessionMixin


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


class PortalApplication(Flask):
    """Flask for views that are plain functions, and for callers without a session."""

    session_interface = NoSessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function: no view or hook of ours is a coroutine, so none need be looked into at each call."""
        return func
