"""Early engagement and after: designs, trade-offs, launches, the first days, service reviews, drift, cost."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from engagements import history
from engagements.history import NewEvent
from engagements.lifecycle.models import Engagement
from engagements.reviews import facts
from engagements.reviews.launching import continuous
from engagements.reviews.settings import ReviewSettings
from portal_backend import judgement
from portal_backend.core.principal import Role
from scorecards import scorecard
from tests.engagements.conftest import NOW, component, ref
from tests.engagements.reviews.conftest import CASE, GLOBE

LAUNCHES = f"{CASE}/launches"
L1 = "/api/engagements/launches/l1"
TRADE_OFF = {"choice": "one region", "rejected_option": "two regions", "reliability_cost": "an outage of the region",
             "accepted_by": "dora"}  # fmt: skip


@pytest.fixture
def case(company, engaged, sre):
    engaged(model="early", state="design")


@pytest.fixture
def planned(case, client):
    return client.post(LAUNCHES, json={"id": "l1", "name": "Opening night"}).json


@pytest.fixture
def signed(planned, client, acting):
    answers = [{"item": item["key"], "answer": "pass"} for item in planned["checklist"]["items"]]
    client.post(f"{L1}/answers", json={"answers": answers})
    acting("lola", Role.LAUNCH_COORDINATOR)
    assert client.post(f"{L1}/signature").json["signed_by"] == "lola"
    acting("sam", Role.SRE)


def enter(client, stage, percent, **more):
    return client.post(
        f"{L1}/stages", json={"stage": stage, "traffic_percent": percent, "abort_rule": "errors", **more}
    )


def fields(answer):
    return [error["field"] for error in answer.json["errors"]]


def happened(session, *events, service="globe"):
    made = [
        NewEvent(ref(service), kind, at, "test", f"{service}{kind}{n}{at}", "It happened.", details=details)
        for n, (kind, at, details) in enumerate(events)
    ]
    history.record(session, made, NOW)
    session.commit()


def test_a_launch_is_planned_for_another_time_under_the_same_name(planned, client, kinds):
    body = {"id": "l1", "name": "Opening night", "planned_at": "2026-12-01T18:00:00Z"}
    assert client.post(LAUNCHES, json=body).json["planned_at"] == "2026-12-01T18:00:00Z"
    client.post(LAUNCHES, json=body)
    assert kinds().count("launch.planned") == 2


def test_row_22_a_design_review_and_its_trade_offs_are_on_record(case, client, session, kinds):
    seen = facts.gather(session, "e1", NOW)
    assert (seen.design_reviews, seen.trade_offs_recorded) == (0, False)
    review = {"held_at": "2026-11-20T10:00:00Z", "reviewers": ["sam"], "document_url": "https://docs.example/globe",
              "summary": "Sound."}  # fmt: skip
    first = client.post(f"{CASE}/design-reviews", json=review)
    assert client.post(f"{CASE}/design-reviews", json=review).json == first.json
    assert client.post(f"{CASE}/trade-offs", json=TRADE_OFF).json["accepted_by"] == "dora"
    session.expire_all()
    seen = facts.gather(session, "e1", NOW)
    assert (seen.design_reviews, seen.trade_offs_recorded) == (1, True)
    assert kinds().count("design.reviewed") == 1
    future = client.post(f"{CASE}/design-reviews", json={**review, "held_at": "2027-01-01T00:00:00Z"})
    assert (future.status_code, fields(future)) == (400, ["held_at"])


def test_row_22_that_there_is_no_trade_off_is_said_with_a_reason(case, client, session):
    assert fields(client.post(f"{CASE}/trade-offs", json={"none": True})) == ["reason"]
    half = client.post(f"{CASE}/trade-offs", json={"choice": "one region"})
    assert fields(half) == ["rejected_option", "reliability_cost", "accepted_by"]
    client.post(f"{CASE}/trade-offs", json={"none": True, "reason": "nothing was given up"})
    assert facts.gather(session, "e1", NOW).trade_offs_recorded is True
    client.post(f"{CASE}/trade-offs", json=TRADE_OFF)
    again = client.post(f"{CASE}/trade-offs", json={"none": True, "reason": "after all"})
    assert again.status_code == 409
    assert len(client.get(f"{CASE}/trade-offs").json["items"]) == 2


def test_row_07_a_launch_checklist_is_signed_by_a_launch_coordinator(planned, client, acting, session):
    assert facts.gather(session, "e1", NOW).launch_checklist_open is True
    items = [item["key"] for item in planned["checklist"]["items"]]
    acting("lola", Role.LAUNCH_COORDINATOR)
    early = client.post(f"{L1}/signature")
    assert (early.status_code, len(fields(early))) == (409, len(items))
    answers = [{"item": key, "answer": "pass"} for key in items]
    client.post(f"{L1}/answers", json={"answers": answers})
    client.post(f"{L1}/answers", json={"answers": [{"item": items[1], "answer": "fail", "reason": "unknown"}]})
    assert fields(client.post(f"{L1}/signature")) == [f"items.{items[1]}"]
    client.post(f"{L1}/answers", json={"answers": [{"item": items[1], "answer": "pass"}]})
    acting("sam", Role.SRE)
    assert client.post(f"{L1}/signature").status_code == 403
    acting("lola", Role.LAUNCH_COORDINATOR)
    assert client.post(f"{L1}/signature").json["signed_by"] == "lola"
    after = client.post(f"{L1}/answers", json={"answers": [{"item": items[0], "answer": "na", "reason": "same"}]}).json
    assert after["signed_by"] is None


def test_row_07_a_service_without_an_engagement_is_advised_on_its_launch(case, client, acting):
    acting("lola", Role.LAUNCH_COORDINATOR)
    launch = client.post("/api/services/component/default/rose/launches", json={"name": "Premiere"}).json
    assert (launch["engagement_id"], launch["stage"]) == (None, "planned")
    found = client.get("/api/services/component/default/rose/launches").json["items"]
    assert [each["id"] for each in found] == [launch["id"]]


def test_row_24_the_stages_are_entered_in_order_from_the_dark_to_full(signed, client, session, kinds):
    assert fields(enter(client, "full", 100)) == ["stage"]
    assert fields(enter(client, "canary", 5)) == ["reason"]
    dark = enter(client, "dark", 50).json
    assert dark["stages"][0]["answers_discarded"] is True
    assert fields(enter(client, "ramp", 20)) == ["stage"]
    canary = enter(client, "canary", 5).json
    assert canary["stages"][1]["answers_discarded"] is False
    assert (canary["stages"][0]["outcome"], canary["stages"][1]["ended_at"]) == ("passed", None)
    assert fields(enter(client, "ramp", 4)) == ["traffic_percent"]
    ramp = enter(client, "ramp", 50).json
    assert ramp["stages"][2]["warnings"] == ["45 % more traffic in one step; the advice is 25 % at most."]
    assert enter(client, "ramp", 75).json["stages"][3]["warnings"] == []
    assert fields(enter(client, "full", 90)) == ["traffic_percent"]
    full = client.post(f"{L1}/stages", json={"stage": "full", "traffic_percent": 100}).json
    assert (full["stage"], full["full_at"]) == ("full", "2026-11-22T10:00:00Z")
    assert client.post(f"{L1}/stages", json={"stage": "full", "traffic_percent": 100}).json == full
    assert kinds().count("launch.stage_entered") == 5
    seen = facts.gather(session, "e1", NOW)
    assert (seen.launch_stage, seen.launch_full_at) == ("full", NOW)
    assert client.post(f"{L1}/abort", json={"reason": "too late"}).status_code == 200


def test_row_24_users_come_into_play_only_after_the_checklist_is_signed(planned, client):
    assert enter(client, "dark", 10).status_code == 200
    assert fields(enter(client, "canary", 5)) == ["checklist"]
    no_rule = client.post(f"{L1}/stages", json={"stage": "canary", "traffic_percent": 5})
    assert fields(no_rule) == ["abort_rule", "checklist"]


def test_row_24_aborting_leads_back_or_to_the_end(signed, client, session, kinds):
    enter(client, "dark", 10)
    enter(client, "canary", 5)
    enter(client, "ramp", 20)
    assert fields(client.post(f"{L1}/abort", json={"reason": "errors", "back_to": "full"})) == ["back_to"]
    back = client.post(f"{L1}/abort", json={"reason": "errors", "back_to": "canary"}).json
    assert (back["stage"], [each["outcome"] for each in back["stages"]]) == (
        "canary", ["passed", "passed", "aborted", None],
    )  # fmt: skip
    assert enter(client, "ramp", 20).json["stage"] == "ramp"
    ended = client.post(f"{L1}/abort", json={"reason": "the play is off"}).json
    assert ended["stage"] == "aborted"
    assert client.post(f"{L1}/abort", json={"reason": "the play is off"}).json == ended
    assert fields(enter(client, "dark", 10)) == ["stage"]
    assert kinds().count("launch.aborted") == 2
    assert facts.gather(session, "e1", NOW).launch_stage == "aborted"


@pytest.mark.parametrize("percent", [0, -1, 101, "many", None])
def test_a_share_of_traffic_is_a_share(planned, client, percent):
    assert enter(client, "dark", percent).status_code == 400


def test_row_25_the_first_days_are_compared_with_services_without_early_engagement(
    signed, client, session, fixed_clock
):
    old = NOW - timedelta(days=200)
    happened(session, ("service.registered", old, {}), ("incident.opened", old + timedelta(days=3), {}),
             ("deploy.rolled_back", old + timedelta(days=4), {}), ("incident.opened", NOW, {}),
             service="rose")  # fmt: skip
    happened(session, ("service.registered", old, {}), service="swan")
    for stage, percent in (("dark", 10), ("canary", 5), ("ramp", 25), ("full", 100)):
        assert enter(client, stage, percent).status_code == 200
    happened(session, ("incident.opened", NOW + timedelta(days=1), {}),
             ("deploy.finished", NOW + timedelta(days=2), {"emergency": True}),
             ("incident.opened", NOW + timedelta(days=95), {}))  # fmt: skip
    fixed_clock(NOW + timedelta(days=30))
    body = client.get(f"{CASE}/post-launch").json
    assert (body["incidents"], body["emergency_changes"], body["days_observed"]) == (1, 1, 30)
    assert body["others"] == {"services": 2, "incidents_per_service": 0.5, "emergency_changes_per_service": 0.5}


def test_row_25_without_a_launch_nothing_is_compared(case, client):
    body = client.get(f"{CASE}/post-launch").json
    assert (body["launched_at"], body["days_observed"]) == (None, 0)


def test_row_40_the_lead_time_runs_from_the_idea_to_full_traffic_at_l3(signed, client, session):
    address = f"{GLOBE}/lead-time"
    assert client.get(address).json["seconds"] is None
    happened(session, ("service.registered", NOW - timedelta(hours=12), {}),
             ("scorecard.level_changed", NOW - timedelta(hours=8), {"from": "L1", "to": "L2"}),
             ("scorecard.level_changed", NOW - timedelta(hours=6), {"from": "L2", "to": "L3"}))  # fmt: skip
    for stage, percent in (("dark", 10), ("canary", 5), ("ramp", 25), ("full", 100)):
        enter(client, stage, percent)
    body = client.get(address).json
    assert (body["seconds"], body["met"], body["began_with"]) == (12 * 3600, True, "registration")


def test_row_16_service_reviews_have_a_cadence(company, engaged, sre, client, fixed_clock):
    engaged(state="active")
    reviews = f"{GLOBE}/reviews"
    assert client.get(reviews).json == {
        "items": [],
        "next_cursor": None,
        "next_due_at": "2027-02-20T10:00:00Z",
        "overdue": False,
    }
    fixed_clock(NOW + timedelta(days=91))
    assert client.get(reviews).json["overdue"] is True
    held = {"held_at": "2027-02-21T09:00:00Z", "attendees": ["sam", "dora"], "notes": "All is well.", "score": 4}
    first = client.post(reviews, json=held)
    assert client.post(reviews, json=held).json == first.json
    body = client.get(reviews).json
    assert (len(body["items"]), body["next_due_at"], body["overdue"]) == (1, "2027-05-22T09:00:00Z", False)
    assert client.get("/api/services/component/default/rose/reviews").json["next_due_at"] is None


def test_row_16_a_blocker_that_begins_to_fail_on_a_service_that_sre_runs_is_told_once(
    company, engaged, observe, session, judging, kinds
):
    engaged(state="active")
    engaged(state="analysis", service="rose", identity="e2")
    good = {"slo.count": 1, "slo.availability.target": 0.99, "slo.window_days": 28, "slo.owner": "bards"}
    observe({"globe": good, "rose": good})
    scorecard.update(session, judging, None, NOW)
    later = NOW + timedelta(hours=1)
    observe({"globe": {"slo.count": 0}, "rose": {"slo.count": 0}}, now=later)
    scorecard.update(session, judging, None, later)
    refs = [ref("globe"), ref("rose")]
    assert continuous.drift(session, judging, refs, NOW, later) == [ref("globe")]
    continuous.drift(session, judging, refs, NOW, later)
    session.commit()
    assert kinds().count("review.drifted") == 1
    assert "review.drifted" not in kinds("/api/services/component/default/rose")


def test_row_16_a_new_dependency_is_proposed_for_review_once(
    company, engaged, sre, client, session, judging, catalog_of
):
    engaged(state="analysis", service="rose")
    client.post(f"{CASE}/checklist")
    session.execute(update(Engagement).values(state="active"))
    session.commit()
    settings = ReviewSettings()
    assert continuous.propose_for_new_dependencies(session, judging, settings, NOW) == []
    catalog_of(
        component("globe", annotations={"criticality": "T1"}, tags=["stage"]),
        component("rose", tags=["stage"], dependsOn=["component:globe", "component:swan"]),
        component("swan", owner="players"),
    )
    made = continuous.propose_for_new_dependencies(session, judging, settings, NOW)
    assert [row.title for row in made] == ["Review the new dependency component:default/swan."]
    continuous.propose_for_new_dependencies(session, judging, settings, NOW)
    session.commit()
    found = client.get(f"{CASE}/improvements").json["items"]
    assert [(row["blocking"], row["state"]) for row in found] == [(False, "proposed")]


def test_row_20_the_cost_of_a_review_is_what_it_took_both_sides(case, client, kinds):
    entry = {"kind": "review", "side": "sre", "person": "sam", "hours": 6, "worked_at": "2026-11-20T10:00:00Z"}
    first = client.post(f"{CASE}/hours", json=entry).json
    assert client.post(f"{CASE}/hours", json=entry).json == first
    client.post(f"{CASE}/hours", json={**entry, "kind": "communication", "side": "dev", "person": "dan", "hours": 2})
    client.post(f"{CASE}/improvements", json={"id": "i1", "title": "x", "axis": "change"})
    client.patch("/api/engagements/improvements/i1", json={"review_load_hours": 1.5, "done_side": "sre"})
    body = client.get(f"{CASE}/cost").json
    assert (body["hours"], body["by_side"], body["review_load_hours"], body["sre_changes"]) == (
        9.5, {"sre": 6.0, "dev": 2.0}, 1.5, 1,
    )  # fmt: skip
    assert kinds().count("review.hours_spent") == 2


def finish(client, identity, service, engagement, **more):
    body = {"id": identity, "title": f"fix {identity}", "check": "obs.slo.defined", "owner_dev": "d", "owner_sre": "s"}
    client.post(f"/api/engagements/{engagement}/improvements", json=body)
    for wish in ({"state": "agreed", "side": "dev"}, {"state": "agreed", "side": "sre"}, {"state": "in_progress"},
                 {"state": "done", "done_side": "dev", **more}):  # fmt: skip
        answer = client.post(f"/api/engagements/improvements/{identity}/state", json=wish)
        assert answer.status_code == 200, answer.json


def test_row_30_and_row_32_fixes_that_repeat_and_work_that_others_can_use(company, engaged, client, acting):
    acting("root", Role.ADMINISTRATOR)
    for n, service in enumerate(("globe", "rose", "swan")):
        engaged(service=service, identity=f"e{n}")
        finish(client, f"i{n}", service, f"e{n}", reusable_as="module" if n == 0 else "none")
    assert client.get("/api/engagements/improvements/reuse").json == {
        "finished": 3, "reusable": 1, "ratio": 0.3333, "by_kind": {"none": 2, "guide": 0, "check": 0, "module": 1},
    }  # fmt: skip
    repeated = client.get("/api/engagements/improvements/repeated").json["items"]
    assert [each["check"] for each in repeated] == ["obs.slo.defined"]
    assert "3 services" in repeated[0]["sentence"]


def test_row_04_and_row_09_the_gate_and_the_gain_are_two_results(company, engaged, observe, session, judging, client):
    before = NOW - timedelta(days=30)
    observe({"globe": {"slo.count": 0}}, now=before)
    scorecard.update(session, judging, None, before)
    engaged(accepted_at=NOW - timedelta(days=20))
    observe({"globe": {"slo.count": 1, "slo.availability.target": 0.99, "slo.window_days": 28, "slo.owner": "bards"}})
    scorecard.update(session, judging, None, NOW)
    session.commit()
    body = client.get(f"{CASE}/outcome").json
    assert (body["gate"]["passed"], body["gate"]["required_level"], body["ended_at"]) == (False, "L3", None)
    axes = {each["axis"]: each for each in body["axes"]}
    observability = axes["observability"]
    assert observability["gained"] == round(observability["percent_after"] - observability["percent_before"], 1) > 0
    assert len(axes) == 7


def test_row_04_what_was_not_judged_then_has_no_difference(case, client):
    assert {each["gained"] for each in client.get(f"{CASE}/outcome").json["axes"]} == {None}


def test_judging_lets_the_reviews_follow(company, engaged, observe, session, judging, app, client, acting, kinds):
    acting("root", Role.ADMINISTRATOR)
    engaged(state="improvement")
    finish(client, "i1", "globe", "e1")
    observe({"globe": {"slo.count": 1, "slo.availability.target": 0.99, "slo.window_days": 28, "slo.owner": "bards"}})
    with app.app_context():
        for _ in range(2):
            judgement.judge(session, [ref("globe")], NOW)
        session.commit()
    assert client.get("/api/engagements/improvements/i1").json["state"] == "verified"
    assert kinds().count("improvement.verified") == 1
