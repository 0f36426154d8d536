"""A service under review, and people with roles who ask by HTTP."""

import pytest
from sqlalchemy import insert

from engagements.lifecycle.models import Engagement
from portal_backend.core import auth, clock
from portal_backend.core.principal import Principal, Role
from tests.engagements.conftest import NOW, component, ref

CASE = "/api/engagements/e1"
GLOBE = "/api/services/component/default/globe"


@pytest.fixture(autouse=True)
def fixed_clock(monkeypatch):
    monkeypatch.setenv(clock.VARIABLE, NOW.isoformat())

    def at(moment):
        monkeypatch.setenv(clock.VARIABLE, moment.isoformat())

    return at


@pytest.fixture
def company(catalog_of):
    catalog_of(
        component("globe", annotations={"criticality": "T1"}, tags=["stage"]),
        component("rose", tags=["stage"], dependsOn=["component:globe"]),
        component("swan", owner="players"),
    )


@pytest.fixture
def engaged(session):
    """Put an engagement on record, as the life cycle would."""

    def begin(model="simple_prr", state="analysis", service="globe", identity="e1", **more):
        row = {
            "id": identity, "entity_ref": ref(service), "model": model, "state": state, "state_since": NOW,
            "paused": False, "sre_team": "group:default/players", "requested_by": "dora", "requested_at": NOW,
            "accepted_at": NOW, "queued": False, "review_round": 1, "review_completed_at": None,
            "review_revision": None, "outcome": None, "closed_at": None, "document": {}, "version": 1, **more,
        }  # fmt: skip
        session.execute(insert(Engagement), [row])
        session.commit()

    return begin


@pytest.fixture
def case(company, engaged):
    engaged()


@pytest.fixture
def acting(monkeypatch):
    """Let requests come from somebody with these roles."""

    def be(name, *roles):
        monkeypatch.setattr(auth, "LOCAL_ADMINISTRATOR", Principal(name, frozenset(roles), frozenset({"*"})))

    return be


@pytest.fixture
def sre(acting):
    acting("sam", Role.SRE)


@pytest.fixture
def kinds(client):
    """Return the kinds of the events in a service's history, the oldest first."""

    def read(service=GLOBE):
        return [event["kind"] for event in reversed(client.get(f"{service}/history?limit=200").json["items"])]

    return read
