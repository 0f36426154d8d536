"""A receiver that runs, and a company that was judged."""

import pytest

from portal_backend.core import clock
from scorecards.scorecard import update
from scorecards.webhooks import settings
from tests.scorecards.samples import NOW
from tests.scorecards.webhooks.receiving import LOCAL, Receiver


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def judged(company, session, app, monkeypatch):
    monkeypatch.setenv(clock.VARIABLE, clock.format_time(NOW))
    settings.init_app(app, LOCAL)
    update(session, company.judging, None, NOW)
    session.commit()
    yield company
    del app.extensions["webhooks"]
