"""People with roles, and the catalog of the scorecards' tests."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal_backend.core import auth, clock
from portal_backend.core.principal import Principal, Role
from scorecards.scorecard import update
from tests.scorecards.samples import NOW

ATTESTABLE = "er.drill"
"""No source of the tests supplies it; attested for 180 days."""
MEASURED = "obs.user_failures"
"""May be attested, but here a source supplies it."""
SHAKESPEARE = "/api/services/component/default/shakespeare"
QUILL = "/api/services/component/default/quill"

Caller = Callable[..., TestResponse]


@pytest.fixture
def judged(company, session, monkeypatch):
    monkeypatch.setenv(clock.VARIABLE, clock.format_time(NOW))
    update(session, company.judging, None, NOW)
    session.commit()
    return company


@pytest.fixture
def at(monkeypatch) -> Callable[[object], None]:
    """Set the clock."""
    return lambda moment: monkeypatch.setenv(clock.VARIABLE, clock.format_time(moment))


@pytest.fixture
def call(judged, client: FlaskClient, monkeypatch) -> Caller:
    """Ask as somebody with roles: `call("ann", [Role.SRE], "post", path, {…})`."""

    def ask(name: str, roles: list[Role], method: str, path: str, body=None, **headers: str) -> TestResponse:
        person = Principal(name, frozenset(roles), frozenset({"*"}))
        monkeypatch.setattr(auth, "LOCAL_ADMINISTRATOR", person)
        given = {} if body is None else {"json": body}
        return getattr(client, method)(path, headers=headers, **given)

    return ask
