"""A company in trouble: a service that depends on others, sources with health, and a history of what happened."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from engagements import history
from engagements.history import NewEvent
from plugins.models import Source
from plugins.sources import sync_sources
from portal_backend.core import clock
from portal_backend.core.config import SourceConfig
from tests.engagements.conftest import NOW, component, ref

PAGE = "/api/services/component/default/globe/incident-view"
SOURCES = [
    SourceConfig("catalog", "catalog"),
    SourceConfig("prometheus", "prometheus", "http://127.0.0.1:1"),
    SourceConfig("argocd", "argocd", "http://127.0.0.1:2"),
]


def entity(name, links=(), **more):
    one = component(name, **more)
    one["metadata"]["links"] = list(links)
    return one


@pytest.fixture(autouse=True)
def at_ten(monkeypatch):
    monkeypatch.setenv(clock.VARIABLE, clock.format_time(NOW))


@pytest.fixture
def company(catalog_of):
    catalog_of(
        entity(
            "globe",
            annotations={"criticality": "T1", "contact": "globe@example.org"},
            links=[
                {"url": "https://wiki.example/globe-runbook", "title": "Runbook of Globe"},
                {"url": "https://chat.example/globe", "title": "Chat", "type": "chat"},
                {"url": "mailto:globe@example.org", "title": "Mail"},
            ],
            dependsOn=["component:default/rose", "component:default/swan", "resource:default/ledger"],
        ),
        entity("rose", annotations={"criticality": "T0"}),
        entity("swan"),
        entity("fortune", dependsOn=["component:default/globe"]),
    )


@pytest.fixture
def sources_up(session):
    """All sources succeeded five minutes ago; name those that failed, and how long ago they last succeeded."""

    def up(**failing):
        sync_sources(session, SOURCES)
        values = {"last_attempt_at": NOW - timedelta(minutes=1), "last_success_at": NOW - timedelta(minutes=5)}
        session.execute(update(Source).values(**values, every_seconds=300))
        for name, since in failing.items():
            broken = {"failure_kind": "unreachable", "failure_message": "connection refused", "consecutive_failures": 3}
            last = None if since is None else NOW - since
            session.execute(update(Source).where(Source.name == name).values(**broken, last_success_at=last))
        session.commit()

    return up


@pytest.fixture
def happened(session):
    """Write events into histories: (name, kind, minutes ago, details or summary)."""
    count = [0]

    def write(*events, source=None, simulated=False):
        rows = []
        for name, kind, minutes, *more in events:
            count[0] += 1
            details = next((one for one in more if isinstance(one, dict)), {})
            summary = next((one for one in more if isinstance(one, str)), f"{kind} {details.get('alert', name)}")
            by = source or {"deploy": "argocd", "alert": "prometheus"}.get(kind.split(".")[0], "portal")
            at = NOW - timedelta(minutes=minutes)
            rows.append(
                NewEvent(ref(name), kind, at, by, f"e{count[0]}", summary, details=details, simulated=simulated)
            )
        history.record(session, rows, NOW)
        session.commit()

    return write


@pytest.fixture
def page(client):
    def get():
        answer = client.get(PAGE)
        assert answer.status_code == 200, answer.json
        return answer.json

    return get
