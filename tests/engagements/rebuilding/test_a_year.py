"""A year of events, made by the portal's own functions; then states are damaged, and made again from the history."""

import contextlib
import random
from datetime import timedelta

import pytest
from sqlalchemy import Integer, delete, select, update

from engagements import history, rebuilding, support
from engagements.capacity import decisions, teams
from engagements.capacity.limits import TeamLimits
from engagements.capacity.models import CapacityEntry, PlanDecision, SreTeam
from engagements.chain.verification import verify
from engagements.history import NewEvent
from engagements.lifecycle.models import Engagement
from engagements.models import Support
from engagements.reviews.models import ChecklistAnswer, ImprovementPlan
from engagements.support import SupportRecord
from engagements.tiers import Cause, Circumstances, Tier
from engagements.triage.settings import TriageSettings
from engagements.triage_lists import dismissals
from engagements.triage_models import TriageDismissal
from portal_backend.core.db import Model
from portal_backend.core.errors import Conflict
from portal_backend.core.principal import Role
from tests.engagements.conftest import MANAGER, component, ref, somebody
from tests.engagements.lifecycle import steps
from tests.engagements.lifecycle.conftest import SRE_TEAM, START, World, put_team

SERVICES = [f"stage-{number}" for number in range(12)]
NOISE = ("deploy.finished", "deploy.rolled_back", "alert.fired", "alert.resolved", "scorecard.level_changed")


@pytest.fixture
def company(catalog_of, session, scored):
    globe = component("globe", annotations={"criticality": "T1", "revision": "1"})
    catalog_of(globe, *(component(name) for name in SERVICES))
    scored({"globe": {"level": "L3"}})
    put_team(session, 4.0)


@pytest.fixture
def world(client, monkeypatch, company):
    return World(client, monkeypatch)


def noise(session, chance, day):
    """Write what sources report of a day, some of it late, some of it twice."""
    moment = START + timedelta(days=day)
    events = [
        NewEvent(ref(chance.choice(SERVICES)), chance.choice(NOISE), moment - timedelta(hours=chance.randrange(90)),
                 "argocd", f"{day}/{number}", f"Event {number} of day {day}", details={"alert": f"A{number}"})
        for number in range(chance.randrange(1, 15))
    ]  # fmt: skip
    history.record(session, [*events, *events[:2]], moment)


def move_someone(session, chance, day):
    """Let a service ask for consultation, or go back to documentation."""
    name, moment = ref(chance.choice(SERVICES)), START + timedelta(days=day)
    wanted = chance.choice([Tier.CONSULTATION, Tier.DOCUMENTATION])
    circumstances = Circumstances(
        cause=Cause.REQUEST, lifecycle="ga", owner="group:default/bards", dev_lead_consent="dora",
        consultation_hours_used=0.0,
    )  # fmt: skip
    with contextlib.suppress(Conflict):  # SRE runs it: only handing it back moves it
        support.move(session, name, wanted, f"day {day}", somebody(Role.DEV_LEAD, Role.SRE), circumstances, moment)


def adopt_someone(session, chance, day):
    record = SupportRecord(
        ref(chance.choice(SERVICES)), Tier.FULL_SRE, START, "mia", "early", "active", reason=f"{day}"
    )
    support.adopt(session, [record], MANAGER, START + timedelta(days=day))


def a_year(session, chance):
    for day in range(365):
        noise(session, chance, day)
        if chance.random() < 0.1:
            move_someone(session, chance, day)
        if chance.random() < 0.02:
            adopt_someone(session, chance, day)
        if day % 30 == 0:
            plan_and_dismiss(session, day)
    session.commit()


def plan_and_dismiss(session, day):
    """Let the team grow, somebody decide on a plan and take that back, and a service be dismissed and come back."""
    name, moment = ref(SERVICES[day // 30 % len(SERVICES)]), START + timedelta(days=day)
    limits = TeamLimits(SRE_TEAM, headcount=10 + day, project_sres=4.0)
    teams.put(session, limits, f"day {day}", moment + timedelta(days=9), MANAGER, moment)
    row = {"ref": name, "option": "consult", "team": SRE_TEAM}
    document = {"id": f"plan-{day}", "inputs_digest": "d", "method": "greedy", "triaged_at": None, "rows": [row]}
    decisions.save(session, document, MANAGER, moment)
    decisions.decide(session, f"plan-{day}", decisions.Decision(name, day % 60 == 0, "as said"), MANAGER, moment)
    new = dismissals.NewDismissal(name, "onboard", "not now", moment + timedelta(days=20))
    dismissal = dismissals.dismiss(session, new, MANAGER, TriageSettings(), moment)
    if day % 90 == 0:
        decisions.release(session, name, "another plan", MANAGER, moment + timedelta(days=1))
        dismissals.end(session, dismissal.id, MANAGER, moment + timedelta(days=1))


def stored(session):
    """Return every row of every table that engagements keep, but the history itself."""
    session.expire_all()
    tables = [
        table
        for table in Model.metadata.sorted_tables
        if table.name.startswith(("support", "engagement", "oncall", "service_revision", "triage", "checklist",
                                  "finding", "improvement", "review", "lesson", "incident_review", "sre_team",
                                  "capacity_entry", "plan_decision"))
    ]  # fmt: skip
    rows = {table.name: session.execute(select(*without_running_number(table))).all() for table in tables}
    return {name: sorted(map(repr, found)) for name, found in rows.items()}


def without_running_number(table):
    """Return the columns that a row made again has the same as before."""
    return [column for column in table.columns if not (column.primary_key and isinstance(column.type, Integer))]


@pytest.mark.parametrize("seed", [1, 2])
def test_every_state_of_a_year_can_be_made_again_from_its_history(world, session, seed):
    chance = random.Random(seed)
    steps.to_active(world)
    session.expire_all()
    a_year(session, chance)
    before = stored(session)
    assert {part.part: part.found for part in rebuilding.rebuild_all(session) if part.found} == {}
    assert (verify(session).faults, verify(session).events > 2000) == ([], True)
    assert len(before["support"]) > 5
    assert len(before["engagement"]) == 1

    session.execute(update(Support).where(Support.tier == "full_sre").values(tier="platform", phase="wrong"))
    session.execute(delete(Support).where(Support.tier == "consultation"))
    session.add(Support(entity_ref=ref("ghost"), tier="platform", since=START, evidence={}, reason="", origin="portal",
                        version=1))  # fmt: skip
    session.execute(update(Engagement).values(state="training"))
    session.execute(delete(ChecklistAnswer))
    session.execute(delete(TriageDismissal).where(TriageDismissal.ended_at.is_not(None)))
    session.execute(delete(CapacityEntry).where(CapacityEntry.sequence == 3))
    session.execute(update(SreTeam).values(version=1))
    session.execute(update(PlanDecision).values(released_at=None))
    session.execute(update(ImprovementPlan).values(version=99))
    session.commit()
    assert stored(session) != before

    damaged = {part.part for part in rebuilding.rebuild_all(session) if part.found}
    session.rollback()
    assert damaged == {"support", "engagements", "reviews", "dismissals", "capacity"}
    assert stored(session) != before, "looking mends nothing"

    rebuilding.rebuild_all(session)
    session.commit()
    assert stored(session) == before
    assert verify(session).faults == []


def test_rebuilding_writes_no_event(world, session):
    steps.to_engagement(world)
    session.expire_all()
    count = verify(session).events
    session.execute(update(Engagement).values(state="active"))
    rebuilding.rebuild_all(session)
    session.commit()
    assert verify(session).events == count
    assert session.scalar(select(Engagement.state)) == "engagement"
