"""The plan from the database, by HTTP and on the command line, and what people decide on it."""

import json
import re
from datetime import timedelta

import pytest
from click.testing import CliRunner

from engagements import history, support
from engagements.capacity import planning
from engagements.capacity.planner import optimum
from engagements.capacity.planning import PlanWish
from engagements.capacity.settings import CapacitySettings
from engagements.support import SupportRecord
from engagements.tiers import Tier
from engagements.triage_lists.refresh import refresh
from portal_backend.commands import common
from portal_backend.commands.engagements import engagements as commands
from portal_backend.core.principal import Role
from tests.engagements.capacity.conftest import SRE
from tests.engagements.conftest import MANAGER, NOW, ref

PLAN = "/api/engagements/plan"
NUMBERS = CapacitySettings()
T0, T1, T2 = ({"criticality": tier, "business-value": "9"} for tier in ("T0", "T1", "T2"))


@pytest.fixture
def company(triaged, team, engaged, now):
    """Two services wait for a team that can take one: the more valuable one pages too much."""
    triaged({"noisy": (dict(T0), 2.5), "quiet": (dict(T1), 0.2), "other": (dict(T2), 0.1)})
    team(headcount=8)
    engaged("noisy")
    engaged("quiet")


def rows_of(plan):
    return {row["ref"].rpartition("/")[2]: row for row in plan["rows"]}


def test_ruling_5_the_plan_may_differ_from_the_queue_and_says_so(company, client):
    plan = client.get(PLAN).json
    rows = rows_of(plan)
    assert (rows["quiet"]["option"], rows["quiet"]["team"], rows["quiet"]["act"]) == ("full", SRE, "start")
    assert rows["noisy"]["option"] != "full"
    assert (rows["noisy"]["queue_rank"], rows["quiet"]["queue_rank"]) == (1, 2)
    refused = next(each for each in rows["noisy"]["rejected"] if each["option"] == "full")
    assert "pages_per_shift" in refused["binding"]
    assert [(each["taken"], each["waits"]) for each in plan["differs_from_queue"]] == [(ref("quiet"), ref("noisy"))]


def test_without_consent_a_service_is_not_taken_on(company, client):
    other = rows_of(client.get(PLAN).json)["other"]
    refused = next(each for each in other["rejected"] if each["option"] == "full")
    assert refused["binding"] == ["gate"]
    assert "developers did not agree" in refused["sentence"]
    assumed = rows_of(client.get(f"{PLAN}?assume_consent=true").json)["other"]
    assert not any("did not agree" in each["sentence"] for each in assumed["rejected"])


def test_the_points_of_each_row_follow_from_the_numbers_that_are_shown(company, client, session, judging):
    support.adopt(session, [SupportRecord(ref("other"), Tier.CONSULTATION, NOW, "mia")], MANAGER, NOW)
    refresh(session, judging, None, NOW)
    session.commit()
    rows = rows_of(client.get(PLAN).json)
    assert {row["points_basis"].partition(" − ")[2] for row in rows.values()} == {"2 for the change", ""}
    for row in rows.values():
        value, share, _, change = re.fullmatch(
            r"([\d.]+) × ([\d.]+)( − ([\d.]+) for the change)?", row["points_basis"]
        ).groups()
        assert float(value) * float(share) - float(change or 0) == pytest.approx(row["points"], abs=0.006)
        assert f"{row['points']:g} points ({row['points_basis']})" in row["sentence"]


def test_each_limit_of_a_plan_says_how_it_follows(company, engaged, client):
    engaged("quiet", state="improvement")
    plan = client.get(PLAN).json
    limits = {limit["limit"]: limit for limit in plan["limits"]}
    taken = plan["teams"][0]["committed_sre_quarters"]
    assert taken > 0
    assert limits["project_sres"]["basis"] == (
        f"(8 SREs × 50%, what operations leave) × 4 quarters − {taken:g} SRE-quarters of what runs, 0 at least"
    )
    assert limits["project_sres"]["cap"] == pytest.approx(8 * 0.5 * 4 - taken, abs=0.01)
    assert limits["operations_hours"]["basis"] == "8 SREs × 40 hours × 13 weeks × 50%"
    assert limits["stacks"]["basis"] == "as recorded"


def test_the_same_input_gives_the_same_bytes(company, client):
    assert client.get(PLAN).data == client.get(PLAN).data


@pytest.mark.skipif(optimum.solver_version() is None, reason="the extra [planner] is not installed")
def test_the_optimum_says_its_gap(company, client):
    plan = client.get(f"{PLAN}?method=optimum").json
    assert (plan["method"], plan["gap"], plan["reproducible"]) == ("optimum", 0.0, True)
    assert plan["solver"] == optimum.solver_version()


def test_a_missing_solver_is_a_400_with_the_remedy(company, client, monkeypatch):
    def missing():
        raise optimum.SolverMissing("pip install 'portal-backend[planner]'")

    monkeypatch.setattr(optimum, "_highspy", missing)
    answer = client.get(f"{PLAN}?method=optimum")
    assert answer.status_code == 400
    assert "portal-backend[planner]" in answer.json["detail"]


def test_people_accept_and_reject_rows_and_later_plans_keep_to_it(company, client, acting, session):
    acting(Role.SRE_LEAD, name="sally")
    saved = client.post(PLAN, json={}).json
    assert client.post(PLAN, json={}).json["plan"]["id"] == saved["plan"]["id"]
    assert len(client.get("/api/engagements/plans").json["items"]) == 1
    base = f"/api/engagements/plans/{saved['plan']['id']}/rows/component/default"
    reject = {"accepted": False, "reason": "their release is frozen"}
    for _ in range(2):
        assert client.post(f"{base}/quiet/decision", json=reject).status_code == 200
    assert len(client.get(f"/api/engagements/plans/{saved['plan']['id']}").json["decisions"]) == 1
    row = rows_of(client.get(PLAN).json)["quiet"]
    assert row["option"] != "full"
    assert any("their release is frozen" in each["sentence"] for each in row["rejected"])
    kinds = [event.kind for event in history.read(session, ref("quiet")).items]
    assert kinds.count("plan.row_decided") == 1

    accept = {"accepted": True, "reason": "agreed"}
    refused = client.post(f"{base}/quiet/decision", json=accept)
    release = "/api/engagements/plan/decisions/component/default/quiet/release"
    assert (refused.status_code, release in refused.json["detail"]) == (409, True)
    assert client.post(release, json={"reason": "thawed"}).json == {"released": 1}
    assert client.post(release, json={"reason": "thawed"}).json == {"released": 0}
    assert client.post(f"{base}/quiet/decision", json=accept).status_code == 200
    row = rows_of(client.get(PLAN).json)["quiet"]
    assert (row["option"], row["stands"]) == ("full", "Accepted by sally: agreed")


def test_deciding_takes_a_lead_and_a_row_that_exists(company, client, acting):
    acting(Role.SRE_LEAD)
    plan_id = client.post(PLAN, json={}).json["plan"]["id"]
    body = {"accepted": True, "reason": "x"}
    base = f"/api/engagements/plans/{plan_id}/rows/component/default"
    assert client.post(f"{base}/nothing/decision", json=body).status_code == 404
    assert client.post("/api/engagements/plans/x/rows/component/default/quiet/decision", json=body).status_code == 404
    assert client.post(f"{base}/quiet/decision", json={"accepted": "yes", "reason": "x"}).status_code == 400
    acting(Role.DEV_LEAD)
    assert client.post(f"{base}/quiet/decision", json=body).status_code == 403
    assert client.post(PLAN, json={}).status_code == 403


@pytest.mark.parametrize("query", ["method=magic", "seconds=0", "seconds=1e9", "top=3", "one_more=perhaps"])
def test_a_faulty_wish_is_a_400(client, query):
    assert client.get(f"{PLAN}?{query}").status_code == 400


def test_a_running_engagement_is_planned_around(company, session, engaged, client):
    engaged("noisy", "analysis")
    row = rows_of(client.get(PLAN).json)["noisy"]
    assert (row["option"], row["act"]) == ("full", "start")
    assert "running" in row["stands"]
    assert client.get(PLAN).json["teams"][0]["committed_sre_quarters"] == 4.0


def test_a_service_on_the_way_out_frees_its_room(company, session, engaged, client, judging):
    support.adopt(
        session, [SupportRecord(ref("noisy"), Tier.FULL_SRE, NOW, "mia", "simple_prr", "active")], MANAGER, NOW
    )
    refresh(session, judging, None, NOW)
    session.commit()
    assert rows_of(client.get(PLAN).json)["noisy"]["stands"].startswith("It is T0")
    engaged("noisy", "disengaging")
    plan = client.get(PLAN).json
    assert (rows_of(plan)["noisy"]["option"], rows_of(plan)["quiet"]["option"]) == ("none", "full")


def test_no_team_no_support(triaged, now, client):
    triaged({"a": (dict(T0), 0.1)})
    plan = client.get(PLAN).json
    assert [row["option"] for row in plan["rows"]] == ["none"]
    assert "no team" in next(each for each in plan["rows"][0]["rejected"] if each["option"] == "consult")["sentence"]


def test_the_number_of_queries_does_not_grow_with_the_services(session, triaged, team, engaged):
    from sqlalchemy import event

    team()
    counts = []
    for size in (2, 60):
        triaged({f"s{n}": (dict(T1), 0.1) for n in range(size)})
        for number in range(size):
            engaged(f"s{number}")
        statements = []

        def count(*args, into=statements):
            into.append(args[2])

        engine = session.get_bind()
        event.listen(engine, "before_cursor_execute", count)
        planning.gather(session, NUMBERS, PlanWish(), NOW + timedelta(days=1))
        event.remove(engine, "before_cursor_execute", count)
        counts.append(len(statements))
    assert counts[0] == counts[1]


def test_the_plan_on_the_command_line(company, app, monkeypatch):
    monkeypatch.setattr(common, "configured", lambda: None)
    monkeypatch.setattr(common, "create_app", lambda _: app)
    monkeypatch.setattr(common, "require_schema", lambda: None)
    monkeypatch.setattr(common.console, "size", (250, 100))
    shown = CliRunner().invoke(commands, ["plan"])
    assert shown.exit_code == 0, shown.output
    assert "component:default/quiet" in shown.stdout
    assert "One more SRE in group:default/sre" in shown.stdout
    made = json.loads(CliRunner().invoke(commands, ["plan", "--json"]).stdout)
    assert made["method"] == "greedy"
