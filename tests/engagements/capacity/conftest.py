"""Teams, engagements and triaged services to plan for."""

import pytest

from engagements.capacity import teams
from engagements.capacity.limits import TeamLimits
from engagements.lifecycle.models import Engagement
from engagements.triage_lists.refresh import refresh
from portal_backend.core import auth
from portal_backend.core.db import upsert
from portal_backend.core.principal import Principal, Role
from tests.engagements.conftest import MANAGER, NOW, component, ref

SRE = "group:default/sre"


@pytest.fixture
def team(session):
    """Record a team."""

    def put(name="sre", at=NOW, **limits):
        wanted = TeamLimits(f"group:default/{name}", name, **({"headcount": 8} | limits))
        found = teams.put(session, wanted, "as agreed", at, MANAGER, NOW)
        session.commit()
        return found

    return put


@pytest.fixture
def engaged(session):
    """Put an engagement there."""

    def put(name, state="accepted", model="simple_prr", team=SRE, **more):
        document = more.pop("document", {"request": {"consented_by": "dora", "staffing": {"sres": 2}}})
        row = {
            "id": f"eng-{name}", "entity_ref": ref(name), "model": model, "state": state, "state_since": NOW,
            "paused": False, "sre_team": team, "requested_by": "dora", "requested_at": NOW, "accepted_at": NOW,
            "queued": state == "accepted", "review_round": 1, "review_completed_at": None, "review_revision": None,
            "outcome": None, "closed_at": None, "document": document, "version": 1,
        } | more  # fmt: skip
        upsert(session, Engagement, [row], ["id"])
        session.commit()

    return put


@pytest.fixture
def triaged(session, judging, catalog_of, observe, observe_catalog):
    """Put services into the catalog, with pages a shift, and triage them: {name: (annotations, pages)}."""

    def put(services, **more):
        for stated, _ in services.values():
            stated.setdefault("oncall-coverage", "24x7")
        catalog_of(*(component(name, annotations=stated, **more) for name, (stated, _) in services.items()))
        pages = {
            name: {"alerts.paging.count_30d": round(60 * each)}
            for name, (_, each) in services.items()
            if each is not None
        }
        observe_catalog()
        if pages:
            observe(pages)
        refresh(session, judging, None, NOW)
        session.commit()

    return put


@pytest.fixture
def acting(monkeypatch):
    """Let requests come from somebody with these roles."""

    def be(*roles, name="ann"):
        somebody = Principal(name, frozenset(roles), frozenset({"*"}))
        monkeypatch.setattr(auth, "LOCAL_ADMINISTRATOR", somebody)

    return be


@pytest.fixture
def now(monkeypatch):
    """Let it be NOW for every request."""
    from portal_backend.core import clock

    monkeypatch.setattr(clock, "now", lambda: NOW)
    return NOW


LEAD = Role.SRE_LEAD
