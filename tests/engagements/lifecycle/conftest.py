"""A company of two services, an SRE team with room, people in their roles, and a clock that can be set."""

from datetime import UTC, datetime, timedelta

import pytest

from engagements.capacity import teams
from engagements.capacity.limits import TeamLimits
from portal_backend.core import auth
from portal_backend.core.clock import format_time
from portal_backend.core.principal import Principal, Role
from tests.engagements.conftest import MANAGER, component, ref

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
SRE_TEAM = "group:default/sre"
PEOPLE = {
    "dora": (Role.DEV_LEAD,),
    "dan": (Role.DEV,),
    "sam": (Role.SRE,),
    "sally": (Role.SRE_LEAD,),
    "mia": (Role.SRE_MANAGER,),
    "pia": (Role.PLATFORM_OWNER,),
    "lea": (Role.LAUNCH_COORDINATOR,),
    "ada": (Role.ADMINISTRATOR,),
    "both": (Role.DEV_LEAD, Role.SRE_LEAD),
    "bot": (Role.PLUGIN,),
}
GLOBE = ref("globe")
REQUEST = {
    "entity_ref": GLOBE,
    "model": "simple_prr",
    "reason": "the front door",
    "usage_forecast_rps": 500,
    "staffing": {"developers": 2, "sres": 2, "agreed_by": ["dora", "mia"]},
}
AGREEMENT = {
    "slo": [{"name": "availability", "objective": 0.999}],
    "deliverables": ["review document"],
    "schedule": "until summer",
    "reviewers": ["sam"],
}


class World:
    """What a test does by HTTP, as one person after the other, at the time that the clock says."""

    def __init__(self, client, monkeypatch):
        self.client = client
        self.monkeypatch = monkeypatch
        self.at(START)

    def at(self, moment):
        self.now = moment
        self.monkeypatch.setenv("PORTAL_CLOCK", format_time(moment))

    def later(self, **length):
        self.at(self.now + timedelta(**length))

    def ask(self, who, method, path, body=None, headers=None):
        person = Principal(who, frozenset(PEOPLE[who]), frozenset({"*"}))
        self.monkeypatch.setattr(auth, "LOCAL_ADMINISTRATOR", person)
        url = path if path.startswith("/") else f"/api/engagements/{path}"
        return self.client.open(url, method=method, json=body, headers=headers)

    def done(self, who, method, path, body=None, **more):
        answer = self.ask(who, method, path, body, **more)
        assert answer.status_code in (200, 201), f"{answer.status_code} {answer.get_data(as_text=True)[:1500]}"
        return answer.json

    def moved(self, who, engagement, to, **more):
        body = self.done(who, "POST", f"{engagement}/transitions", {"to": to, **more})
        assert body["state"] == to
        return body

    def refused(self, who, engagement, to, status=409, **more):
        """Try a transition that must fail, and return the names of the guards that stand in the way."""
        before = self.state(engagement)
        answer = self.ask(who, "POST", f"{engagement}/transitions", {"to": to, **more})
        assert answer.status_code == status, f"{answer.status_code} {answer.get_data(as_text=True)[:1500]}"
        assert self.state(engagement) == before
        assert all(error["message"] for error in answer.json["errors"])
        return [error["field"] for error in answer.json["errors"]]

    def no_lessons(self, engagement):
        self.done("sally", "POST", f"{engagement}/lessons/none", {"reason": "nothing new"})

    def state(self, engagement):
        items = self.done("sam", "GET", "/api/engagements?limit=200")["items"]
        return next((each["state"], each["version"]) for each in items if each["id"] == engagement)

    def show(self, engagement):
        return self.done("sam", "GET", engagement)

    def tier(self, name="globe"):
        return self.done("sam", "GET", f"/api/services/component/default/{name}/tier")

    def history(self, name="globe"):
        return self.done("sam", "GET", f"/api/services/component/default/{name}/history?limit=200")["items"]


@pytest.fixture
def world(client, monkeypatch, company):
    return World(client, monkeypatch)


@pytest.fixture
def company(catalog_of, session, scored):
    catalog_of(
        component("globe", annotations={"criticality": "T1", "revision": "1"}),
        component("rose", annotations={"criticality": "T3"}, lifecycle="deprecated"),
        component("swan", annotations={"criticality": "T2", "lifecycle": "design", "business-value": "9"}),
    )
    scored({name: {"level": "L3"} for name in ("globe", "rose", "swan")})
    put_team(session, 4.0)
    session.commit()


def put_team(session, project_sres):
    limits = TeamLimits(SRE_TEAM, headcount=10, project_sres=project_sres)
    teams.put(session, limits, "as it is", START - timedelta(days=400), MANAGER, START)
    session.commit()
