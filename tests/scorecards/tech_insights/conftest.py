"""A company whose services are judged, and what is asked about them in Tech Insights' way."""

import pytest
from sqlalchemy import event

from portal_backend.core import clock
from portal_backend.core.db import db
from portal_backend.core.quick_reading import Reader
from scorecards.scorecard import update
from tests.scorecards.samples import NOW

MOUNT = "/api/tech-insights"
ONE = f"{MOUNT}/checks/run/default/component/shakespeare"
MANY = f"{MOUNT}/checks/run"


@pytest.fixture
def judged(company, session, monkeypatch):
    monkeypatch.setenv(clock.VARIABLE, clock.format_time(NOW))
    company.observe({"deploys.change_failure_rate_30d": 0.4})
    update(session, company.judging, None, NOW)
    session.commit()
    return company


def by_id(results):
    return {result["check"]["id"]: result for result in results}


@pytest.fixture
def statements(app, monkeypatch):
    """Every statement from here on, whichever way it is asked."""
    found: list[str] = []
    rows = Reader.rows

    def noted(reader, sql, *rest):
        found.append(sql)
        return rows(reader, sql, *rest)

    monkeypatch.setattr(Reader, "rows", noted)
    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *args: found.append(args[2]))
    return found
