"""Findings, improvements with their priority, plans and the incident review."""

from datetime import timedelta

import pytest

from engagements import history, support, triage_inputs
from engagements.history import NewEvent
from engagements.reviews import facts, improvements, rebuilding
from engagements.reviews.incident_review import panel
from engagements.reviews.models import Improvement
from engagements.reviews.priority import Grounds, compute, rank
from engagements.reviews.settings import ReviewSettings
from engagements.support import SupportRecord
from engagements.tiers import Tier
from engagements.triage.settings import TriageSettings
from engagements.triage.signals import Unknown
from portal_backend.core.principal import Role
from scorecards import scorecard
from tests.engagements.conftest import MANAGER, NOW, ref
from tests.engagements.reviews.conftest import CASE

FINDINGS, IMPROVEMENTS, PLAN = f"{CASE}/findings", f"{CASE}/improvements", f"{CASE}/plan"
ONE = "/api/engagements/improvements/i1"
SLO = {"slo.count": 1, "slo.availability.target": 0.99, "slo.window_days": 28, "slo.owner": "bards"}
FINDING = {"id": "f1", "title": "No kill switch", "source": "drill", "axis": "emergency", "severity": "blocker"}

pytestmark = pytest.mark.usefixtures("case")


@pytest.fixture
def leads(acting, client):
    """Let the leads of both sides sign, one after the other."""

    def sign(address, **body):
        answers = []
        for name, role, side in (("dora", Role.DEV_LEAD, "dev"), ("sara", Role.SRE_LEAD, "sre")):
            acting(name, role)
            answers.append(client.post(address, json={"side": side, **body}))
        return answers

    return sign


@pytest.fixture
def proposed(client, sre):
    client.post(FINDINGS, json=FINDING)
    body = {"id": "i1", "title": "Build a kill switch", "findings": ["f1"], "owner_dev": "dan", "owner_sre": "sam"}
    answer = client.post(IMPROVEMENTS, json=body)
    assert answer.status_code == 201, answer.json
    return answer.json


@pytest.fixture
def agreed(proposed, leads, acting):
    answer = leads(f"{ONE}/state", state="agreed")[1].json
    acting("sam", Role.SRE)
    return answer


def to(client, state, **body):
    return client.post(f"{ONE}/state", json={"state": state, **body})


def fields(answer):
    return [error["field"] for error in answer.json["errors"]]


def test_a_finding_is_one_however_often_it_is_sent(client, sre, kinds):
    first, second = (client.post(FINDINGS, json=FINDING).json for _ in range(2))
    assert first == second
    assert kinds().count("finding.opened") == 1
    other = client.post(FINDINGS, json={**FINDING, "title": "Something else"})
    assert (other.status_code, fields(other)) == (409, ["id"])


def test_an_open_blocker_bars_until_it_is_resolved_with_evidence(client, sre, session):
    client.post(FINDINGS, json=FINDING)
    assert facts.gather(session, "e1", NOW).open_blockers == ("No kill switch",)
    state = "/api/engagements/findings/f1/state"
    assert fields(client.post(state, json={"state": "resolved", "reason": "built"})) == ["evidence"]
    done = {"state": "resolved", "reason": "built", "evidence": ["https://drill.example/7"]}
    assert client.post(state, json=done).json["state"] == "resolved"
    session.expire_all()
    assert facts.gather(session, "e1", NOW).open_blockers == ()


def test_a_blocker_is_no_risk_to_accept_and_a_risk_is_accepted_by_the_lead(client, acting, sre):
    client.post(FINDINGS, json=FINDING)
    state = "/api/engagements/findings/f1/state"
    assert fields(client.post(state, json={"state": "accepted", "reason": "rare"})) == ["severity"]
    client.post(FINDINGS, json={**FINDING, "id": "f2", "severity": "minor"})
    minor = "/api/engagements/findings/f2/state"
    assert client.post(minor, json={"state": "accepted", "reason": "rare"}).status_code == 403
    acting("sara", Role.SRE_LEAD)
    assert client.post(minor, json={"state": "accepted", "reason": "rare"}).json["state"] == "accepted"


def test_a_finding_of_a_check_is_resolved_by_that_check_alone(client, sre, observe):
    finding = {**FINDING, "source": "check", "axis": "observability", "check": "obs.slo.defined"}
    client.post(FINDINGS, json=finding)
    resolve = {"state": "resolved", "reason": "written", "evidence": ["https://x.example"]}
    assert fields(client.post("/api/engagements/findings/f1/state", json=resolve)) == ["check"]
    observe({"globe": SLO})
    assert client.post("/api/engagements/findings/f1/state", json=resolve).json["state"] == "resolved"


def test_findings_are_filtered_and_paged(client, sre):
    for n in range(3):
        client.post(FINDINGS, json={**FINDING, "id": f"f{n}", "pattern": "odd" if n % 2 else "even"})
    first = client.get("/api/engagements/findings?limit=2").json
    second = client.get("/api/engagements/findings", query_string={"limit": 2, "cursor": first["next_cursor"]}).json
    assert [item["id"] for item in first["items"] + second["items"]] == ["f2", "f1", "f0"]
    odd = client.get("/api/engagements/findings?pattern=odd&state=open").json["items"]
    assert [item["id"] for item in odd] == ["f1"]
    assert client.get(f"{FINDINGS}?severity=minor").json["items"] == []
    assert client.get("/api/engagements/findings?cursor=nonsense").status_code == 400


def test_row_13_the_priority_is_computed_and_every_term_stated(proposed):
    terms = {term["term"]: term for term in proposed["priority_terms"]}
    assert (terms["criticality_of_check"]["points"], terms["slo_or_incident_link"]["points"]) == (4.0, 3.0)
    assert terms["axis_gap"]["points"] == 0 and "never judged" in terms["axis_gap"]["sentence"]
    assert terms["blast_radius"]["raw"] == 1  # rose depends on it
    assert proposed["priority"] == round(sum(term["points"] for term in terms.values()), 2) == 7.2


def test_the_formula_runs_from_0_to_10_and_effort_only_breaks_ties():
    settings = ReviewSettings()
    scale = (settings.priority_weights, settings.severity_values, settings.full_at_dependents)
    best, _ = compute(Grounds("blocker", "c", "an incident", "change", 0.0, 100), *scale)
    least, _ = compute(Grounds("minor", None, "", "change", 100.0, 0), *scale)
    assert (best, least) == (10.0, 1.0)
    order = sorted([rank(None, 5, "weeks", "a"), rank(None, 5, "hours", "b"), rank(None, 4, "hours", "c")])
    assert [each[3] for each in order] == ["b", "a", "c"]


def test_row_13_the_negotiated_priority_stands_beside_the_computed_one(client, proposed, sre):
    assert client.patch(ONE, json={"negotiated_priority": 9.5}).status_code == 400
    body = client.patch(ONE, json={"negotiated_priority": 9.5, "negotiated_reason": "opening night"}).json
    assert (body["priority"], body["negotiated_priority"], body["version"]) == (7.2, 9.5, 2)
    again = client.patch(ONE, json={"negotiated_priority": 9.5, "negotiated_reason": "opening night"}).json
    assert again["version"] == 2
    stale = client.patch(ONE, json={"effort": "weeks"}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412


def test_urgent_follow_ups_of_incidents_jump_the_order(client, proposed, sre):
    body = {"id": "i2", "title": "Rotate the certificate", "axis": "emergency", "severity": "minor", "urgency": "P0"}
    client.post(IMPROVEMENTS, json=body)
    assert [item["id"] for item in client.get(IMPROVEMENTS).json["items"]] == ["i2", "i1"]


def test_row_13_to_agree_takes_both_sides_and_owners_of_both(client, sre, leads, kinds):
    client.post(FINDINGS, json=FINDING)
    client.post(IMPROVEMENTS, json={"id": "i1", "title": "Build a kill switch", "findings": ["f1"]})
    assert [fields(answer) for answer in leads(f"{ONE}/state", state="agreed")] == [["owner_dev", "owner_sre"]] * 2
    first, second = leads(f"{ONE}/state", state="agreed", owner_dev="dan", owner_sre="sam")
    assert (first.json["state"], first.json["agreed_by"]) == ("negotiating", {"dev": "dora"})
    assert (second.json["state"], second.json["agreed_by"]) == ("agreed", {"dev": "dora", "sre": "sara"})
    leads(f"{ONE}/state", state="agreed")
    assert kinds().count("improvement.agreed") == 1


def test_one_person_does_not_sign_for_both_sides(client, proposed, acting):
    acting("zoe", Role.DEV_LEAD, Role.SRE_LEAD)
    assert to(client, "agreed").status_code == 409
    assert to(client, "agreed", side="dev").json["state"] == "negotiating"
    assert fields(to(client, "agreed", side="sre")) == ["side"]
    acting("dan", Role.DEV)
    assert to(client, "agreed", side="dev").status_code == 403


def test_the_ways_of_an_improvement_are_kept_to(client, agreed, sre):
    for state in ("done", "verified", "proposed"):
        answer = to(client, state)
        assert (answer.status_code, fields(answer)) == (409, ["state"])
    assert fields(to(client, "deferred")) == ["reason", "until"]
    past = to(client, "deferred", reason="later", until=(NOW - timedelta(days=1)).isoformat())
    assert fields(past) == ["until"]
    later = (NOW + timedelta(days=30)).isoformat()
    assert to(client, "deferred", reason="after opening night", until=later).json["state"] == "deferred"
    assert to(client, "in_progress").status_code == 409


def test_row_20_a_change_by_sre_is_reviewed_by_a_developer_other_than_the_doer(client, agreed, sre):
    to(client, "in_progress")
    assert fields(to(client, "done", done_side="sre")) == ["dev_reviewer"]
    assert fields(to(client, "done", done_side="sre", dev_reviewer="sam")) == ["dev_reviewer"]
    body = to(client, "done", done_side="sre", dev_reviewer="dan", review_load_hours=3).json
    assert (body["state"], body["done_by"], body["dev_reviewer"]) == ("done", "sam", "dan")


def test_without_a_check_another_sre_verifies_with_evidence_and_the_finding_closes(client, agreed, sre, acting):
    to(client, "in_progress")
    to(client, "done", done_side="sre", dev_reviewer="dan")
    assert set(fields(to(client, "verified"))) == {"evidence", "actor"}
    acting("sue", Role.SRE)
    body = to(client, "verified", evidence="the drill of 20 November").json
    assert (body["state"], body["verified_by"]) == ("verified", "sue")
    assert client.get("/api/engagements/findings/f1").json["state"] == "resolved"


@pytest.fixture
def of_a_check(client, sre, leads, acting):
    finding = {**FINDING, "source": "check", "axis": "observability", "check": "obs.slo.defined"}
    client.post(FINDINGS, json=finding)
    body = {"id": "i1", "title": "Write an SLO", "findings": ["f1"], "owner_dev": "dan", "owner_sre": "sam"}
    client.post(IMPROVEMENTS, json=body)
    leads(f"{ONE}/state", state="agreed")
    acting("dan", Role.DEV)
    to(client, "in_progress")
    to(client, "done")
    acting("sue", Role.SRE)


def test_row_13_what_a_check_shows_is_verified_by_that_check_and_by_no_hand(client, of_a_check, observe):
    answer = to(client, "verified", evidence="I saw it")
    assert (answer.status_code, fields(answer)) == (409, ["check"])
    observe({"globe": SLO})
    body = to(client, "verified").json
    assert (body["state"], body["verified_by"]) == ("verified", "obs.slo.defined")


def test_row_13_judging_verifies_what_is_done_by_itself(client, of_a_check, observe, session, judging):
    scorecard.update(session, judging, None, NOW)
    assert improvements.verify_by_checks(session, [ref("globe")], NOW) == []
    session.commit()
    observe({"globe": SLO})
    scorecard.update(session, judging, None, NOW)
    assert improvements.verify_by_checks(session, [ref("globe")], NOW) == ["i1"]
    assert improvements.verify_by_checks(session, [ref("globe")], NOW) == []
    session.commit()
    assert client.get(ONE).json["changed_by"] == "portal"
    assert client.get("/api/engagements/findings/f1").json["state"] == "resolved"


def test_to_reject_takes_a_reason_and_both_sides(client, proposed, leads, sre):
    assert fields(to(client, "rejected")) == ["reason"]
    first, second = leads(f"{ONE}/state", state="rejected", reason="the service ends next month")
    assert (first.json["state"], second.json["state"]) == ("negotiating", "rejected")
    assert second.json["rejected_by"] == {"dev": "dora", "sre": "sara"}


def test_row_13_a_plan_is_signed_by_both_and_a_change_makes_the_next_version(
    client, agreed, leads, sre, session, kinds
):
    plan = client.post(PLAN).json
    assert (plan["version"], [item["improvement"] for item in plan["items"]]) == (1, ["i1"])
    assert client.post(PLAN).json == plan
    first, second = leads(f"{PLAN}/signatures", version=1)
    assert (first.json["signed"], second.json["signed"]) == (False, True)
    assert facts.gather(session, "e1", NOW).plan_signed_by == {"dev_lead", "sre_lead"}
    to(client, "in_progress")
    assert client.get(PLAN).json["items"][0]["version"] == 1  # work on it changes no content
    client.patch(ONE, json={"negotiated_priority": 2, "negotiated_reason": "less"})
    newest, oldest = client.get(PLAN).json["items"]
    assert (newest["version"], newest["signed"], oldest["signed"]) == (2, False, True)
    session.expire_all()
    assert facts.gather(session, "e1", NOW).plan_signed_by == frozenset()
    replaced = leads(f"{PLAN}/signatures", version=1)
    assert [answer.status_code for answer in replaced] == [409, 409]
    leads(f"{PLAN}/signatures", version=2)
    leads(f"{PLAN}/signatures", version=2)
    assert kinds().count("plan.agreed") == 2


def test_row_13_a_plan_shows_its_age(client, agreed, fixed_clock):
    client.post(PLAN)
    fixed_clock(NOW + timedelta(days=41))
    assert client.get(PLAN).json["items"][0]["age_days"] == 41


def test_only_leads_sign_a_plan(client, agreed, sre, acting):
    client.post(PLAN)
    sam = client.post(f"{PLAN}/signatures", json={"version": 1})
    assert sam.status_code == 403
    acting("dora", Role.DEV_LEAD)
    assert client.post(f"{PLAN}/signatures", json={"version": 1, "side": "sre"}).status_code == 403
    assert client.post(f"{PLAN}/signatures", json={"version": 7}).status_code == 404


INCIDENTS = (
    ("incident.opened", 30, {"incident": "7", "severity": "SEV1", "cause": "bad_change"}),
    ("incident.opened", 20, {"incident": "8", "severity": 2, "cause": "bad_change"}),
    ("incident.opened", 10, {"incident": "9", "severity": "odd"}),
    ("postmortem.published", 25, {"incident": "7", "actions": [
        {"title": "Canary", "priority": "P1", "due_at": "2026-11-01"},
        {"title": "Docs", "due_at": "2026-11-01T00:00:00Z", "done": True},
        {"title": "Later", "due_at": "2027-01-01"}]}),
)  # fmt: skip


@pytest.fixture
def incidents(session):
    events = [
        NewEvent(ref("globe"), kind, NOW - timedelta(days=age), "pager", f"{kind}{age}", "It broke.", details=details)
        for kind, age, details in INCIDENTS
    ]
    history.record(session, events, NOW)
    session.commit()


def test_row_12_incidents_are_counted_repeated_causes_and_overdue_actions_named(client, incidents):
    body = client.get(f"{CASE}/incident-review").json
    assert body["by_severity"] == {"sev1": 1, "sev2": 1, "unknown": 1}
    assert body["repeated_causes"] == [{"pattern": "bad_change", "incidents": ["7", "8"]}]
    assert [action["title"] for action in body["overdue_actions"]] == ["Canary"]
    assert body["without_postmortem"] == ["8"]
    assert body["done"] is False


def test_row_12_the_review_makes_findings_on_emergency_once(client, incidents, sre, session, kinds):
    done = {"conclusion": "Changes break it: canary first."}
    body = client.post(f"{CASE}/incident-review", json=done).json
    assert (body["done"], body["review"]["created_by"]) == (True, "sam")
    found = client.get(FINDINGS).json["items"]
    assert {item["axis"] for item in found} == {"emergency"}
    assert {item["pattern"]: item["severity"] for item in found} == {
        "bad_change": "major", "overdue_follow_up": "blocker", "missing_postmortem": "major",
    }  # fmt: skip
    client.post(f"{CASE}/incident-review", json=done)
    assert kinds().count("incident_review.done") == 1
    assert facts.gather(session, "e1", NOW).incident_review_done is True


def test_row_12_only_sre_completes_it(client, acting):
    acting("dora", Role.DEV_LEAD)
    assert client.post(f"{CASE}/incident-review", json={"conclusion": "x"}).status_code == 403


def test_odd_details_of_incidents_are_read_without_harm():
    events = [{"kind": "postmortem.published", "id": "p", "details": {"actions": "none", "cause": 7}},
              {"kind": "postmortem.published", "id": "q", "details": {"actions": ["x", {"due": "soon"}]}}]  # fmt: skip
    assert panel(events, NOW)["overdue_actions"] == []


def test_every_record_is_made_again_from_the_history(client, agreed, leads, incidents, sre, session):
    client.post(PLAN)
    leads(f"{PLAN}/signatures", version=1)
    client.post(f"{CASE}/checklist/answers", json={"answers": [{"item": "er.drill", "answer": "na", "reason": "x"}]})
    assert rebuilding.verify(session) == []
    row = session.get(Improvement, "i1")
    row.title = "Something else"
    session.commit()
    assert rebuilding.rebuild(session) == ["improvement/i1"]
    session.commit()
    assert client.get(ONE).json["title"] == "Build a kill switch"
    session.delete(session.get(Improvement, "i1"))
    session.commit()
    assert rebuilding.rebuild(session) == ["improvement/i1"]
    assert rebuilding.verify(session) == []


@pytest.mark.parametrize("body", [
    {}, {"title": ""}, {"title": 7}, {"title": "x", "axis": "hope"}, {"title": "x" * 600, "axis": "change"},
    {"title": "x", "axis": "change", "colour": "red"}, {"title": "x"}, {"title": "a\0b", "axis": "change"},
    {"title": "x", "axis": "change", "findings": ["nothing"]}, {"title": "x", "axis": "change", "id": "../x"},
])  # fmt: skip
def test_what_is_no_improvement_is_refused(client, sre, body):
    assert client.post(IMPROVEMENTS, json=body).status_code == 400
    assert client.get(IMPROVEMENTS).json["items"] == []


def test_a_closed_engagement_takes_no_more_records(client, sre, engaged):
    engaged(identity="old", service="rose", state="disengaged", closed_at=NOW)
    assert client.post("/api/engagements/old/findings", json=FINDING).status_code == 409


def test_a_finding_or_an_improvement_of_a_check_names_one_that_there_is(client, sre):
    assert fields(client.post(FINDINGS, json={**FINDING, "check": "no.check"})) == ["check"]
    assert fields(client.post(FINDINGS, json={**FINDING, "source": "check"})) == ["check"]
    assert fields(client.post(IMPROVEMENTS, json={"title": "x", "axis": "change", "check": "no.check"})) == ["check"]


def test_who_did_it_stands_once_it_is_done(client, agreed, sre):
    to(client, "in_progress")
    to(client, "done", done_side="sre", dev_reviewer="dan")
    assert fields(client.patch(ONE, json={"done_by": "somebody", "review_load_hours": 2})) == ["done_by"]
    assert client.patch(ONE, json={"review_load_hours": 2}).json["review_load_hours"] == 2
    assert to(client, "in_progress").json["state"] == "in_progress"


def test_agreed_improvements_that_are_long_overdue_are_counted(client, agreed, sre, session):
    assert improvements.overdue(session, [ref("globe")], NOW) == {}
    client.patch(ONE, json={"due_at": (NOW - timedelta(days=31)).isoformat()})
    assert improvements.overdue(session, [ref("globe")], NOW) == {ref("globe"): 1}
    assert improvements.overdue(session, [ref("globe")], NOW - timedelta(days=2)) == {ref("globe"): 0}


def test_triage_sees_improvements_that_are_long_overdue(client, agreed, sre, session, judging):
    support.adopt(session, [SupportRecord(ref("globe"), Tier.FULL_SRE, NOW, "mia")], MANAGER, NOW)
    session.commit()
    client.patch(ONE, json={"due_at": (NOW - timedelta(days=31)).isoformat()})
    evidence = {each.ref: each for each in triage_inputs.gather(session, judging, TriageSettings(), NOW)}
    assert evidence[ref("globe")].signal("improvements.overdue_30d").value == 1
    assert isinstance(evidence[ref("rose")].signal("improvements.overdue_30d"), Unknown)
