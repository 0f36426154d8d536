"""What the simulated servers share: the mark on every answer, their index page, JSON, and the clock."""

from datetime import UTC, datetime
from typing import Any

import orjson
from flask import Flask, Response

from portal_backend.core.clock import now

SIMULATED_HEADER = "X-Simulated"
VERSION = "3.0.0-simulated"
INDEX = """<!doctype html><title>Simulated {system}</title>
<h1>Simulated {system}</h1>
<p>This is not {system}. It answers {system}'s HTTP API from the files of the Shakespeare example: nothing here was
measured, and no service stands behind it.</p>
"""


def make_app(name: str, system: str) -> Flask:
    """Return a Flask application that says on every answer that it is simulated."""
    app = Flask(name, static_folder=None)
    app.after_request(_mark)
    app.add_url_rule("/", "index", lambda: INDEX.format(system=system))
    return app


def _mark(response: Response) -> Response:
    response.headers[SIMULATED_HEADER] = "true"
    return response


def answer(document: Any, status: int = 200) -> Response:
    """Answer with JSON."""
    return Response(orjson.dumps(document), status=status, mimetype="application/json")


def present() -> datetime:
    """Return the present: the portal's clock, so that a fixed PORTAL_CLOCK fixes the simulation too."""
    return now()


def rfc3339(seconds: float) -> str:
    """Write Unix seconds as RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")
