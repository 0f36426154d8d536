"""Questions about the whole fleet."""

from datetime import timedelta

import pytest

from engagements import history
from engagements.capacity import teams
from engagements.capacity.limits import TeamLimits
from engagements.fleet.numbers import Period, month_ends, spread
from engagements.fleet.questions import QUESTIONS, ask
from engagements.history import NewEvent
from engagements.lifecycle.models import Engagement
from engagements.reviews.models import Finding, Improvement, ReviewWork
from engagements.triage_lists.refresh import refresh
from portal_backend.core import clock
from portal_backend.core.db import upsert
from scorecards.models import ScorecardChange
from tests.engagements.conftest import MANAGER, NOW, component, ref

DAY = timedelta(days=1)
YEAR = Period(NOW - 365 * DAY, NOW)
KEPT = {"request_digest": "", "version": 1, "created_by": "ann", "created_at": NOW - DAY, "changed_by": "ann",
        "changed_at": NOW - DAY}  # fmt: skip


@pytest.fixture
def engaged(session):
    """Put an engagement there that reached a state so many days after it was accepted."""

    def put(number, model, days, state="active", began=200, closed=None):
        accepted = NOW - began * DAY
        row = {
            "id": f"eng-{number}", "entity_ref": ref(f"s{number}"), "model": model, "state": state,
            "state_since": accepted, "paused": False, "sre_team": None, "requested_by": "dora",
            "requested_at": accepted, "accepted_at": None if model == "framework" else accepted, "queued": False,
            "review_round": 1, "review_completed_at": None, "review_revision": None, "outcome": None,
            "closed_at": closed, "document": {"agreement": {"reviewers": ["x", "y"]}}, "version": 1,
        }  # fmt: skip
        upsert(session, Engagement, [row], ["id"])
        goal = "platform_active" if model == "framework" else "active"
        for phase, at in (("engagement", accepted + 5 * DAY), (goal, accepted + days * DAY)):
            event = NewEvent(ref(f"s{number}"), "engagement.phase_entered", at, "portal", f"{number}/{phase}", "",
                             details={"engagement": f"eng-{number}", "state": phase})  # fmt: skip
            history.record(session, [event], NOW)

    return put


def asked(session, question, period=YEAR):
    return ask(session, question, period, NOW)


def test_row_9_platforms_cut_the_duration_of_an_engagement(session, engaged):
    for number, days in enumerate((150, 180, 190)):
        engaged(number, "simple_prr", days)
    engaged(7, "framework", 60)
    answer = asked(session, "engagement_durations")
    by_model = {item["model"]: item for item in answer.items if "model" in item}
    assert (by_model["simple_prr"]["median"], by_model["simple_prr"]["n"]) == (180, 3)
    assert (by_model["simple_prr"]["first_quartile"], by_model["simple_prr"]["third_quartile"]) == (165, 185)
    assert (by_model["framework"]["median"], by_model["early"]["n"]) == (60, 0)
    claim = answer.items[-1]
    assert (claim["holds"], "3 times" in claim["sentence"]) == (True, True)
    assert (answer.n, "early" in answer.unknown_because) == (4, True)


def test_without_a_framework_engagement_the_claim_is_open(session, engaged):
    engaged(1, "simple_prr", 150)
    assert asked(session, "engagement_durations").items[-1]["holds"] is None


def test_what_was_reached_outside_the_period_does_not_count(session, engaged):
    engaged(1, "simple_prr", 150)
    recent = Period(NOW - 10 * DAY, NOW)
    assert asked(session, "engagement_durations", recent).n == 0


def test_row_29_waiting_is_told_of_those_that_started_and_those_that_wait(session, engaged):
    engaged(1, "simple_prr", 150)
    items = {item["group"]: item for item in asked(session, "queue").items}
    assert (items["started"]["median"], items["waiting_now"]["n"], items["requested"]["n"]) == (5, 0, 1)


def test_row_20_a_review_costs_what_people_recorded(session, engaged):
    engaged(1, "simple_prr", 150)
    for number, (side, hours) in enumerate((("sre", 30.0), ("sre", 10.0), ("dev", 20.0))):
        session.add(ReviewWork(id=f"w{number}", entity_ref=ref("s1"), engagement_id="eng-1", kind="review", side=side,
                               person="x", hours=hours, worked_at=NOW - DAY, note="", **KEPT))  # fmt: skip
    session.flush()
    answer = asked(session, "review_cost")
    simple = next(item for item in answer.items if item["model"] == "simple_prr")
    assert (simple["hours"]["median"], simple["sre_hours"]["median"], simple["reviewers"]["median"]) == (60, 40, 2)
    assert answer.unknown_because is None


def improvement(number, check, state="verified"):
    return Improvement(
        id=f"i{number}", entity_ref=ref(f"s{number}"), engagement_id=None, title="", description="", axis="emergency",
        findings=[], check_id=check, severity="major", linked=False, blocking=False, urgency=None, effort="days",
        priority=1.0, priority_terms=[], negotiated_priority=None, negotiated_reason="", state=state, state_reason="",
        state_since=NOW - DAY, deferred_until=None, due_at=None, owner_dev=None, owner_sre=None, agreed_by={},
        rejected_by={}, done_by=None, done_side=None, done_at=None, dev_reviewer=None, verified_by=None,
        verification="", review_load_hours=0.0, reusable_as="none", reusable_link="", **KEPT,
    )  # fmt: skip


def test_row_30_what_is_mended_separately_in_three_services_is_a_module_candidate(session, scored):
    scored({f"s{n}": {"statuses": {"er.runbook": ["fail", 1], "obs.probe": ["fail", 1]}} for n in range(4)})
    session.add_all([*(improvement(n, "er.runbook") for n in range(3)), improvement(8, "obs.probe", "agreed")])
    session.flush()
    items = {item["check"]: item for item in asked(session, "same_failure").items}
    assert (items["er.runbook"]["fixed_in"], items["er.runbook"]["candidate"]) == (3, "framework_module")
    assert (items["obs.probe"]["fails_in"], items["obs.probe"]["candidate"]) == (4, None)


def test_row_31_repeated_patterns_name_how_many_services_have_them(session):
    for number, pattern in enumerate(("retry-storm", "retry-storm", "leak")):
        session.add(Finding(
            id=f"f{number}", entity_ref=ref(f"s{number}"), engagement_id=None, title="", description="",
            source="incident", axis="emergency", severity="major", pattern=pattern, item=None, check_id=None,
            evidence=[], state="open", state_reason="", closed_at=None, **KEPT,
        ))  # fmt: skip
    session.flush()
    answer = asked(session, "repeated_patterns")
    assert (answer.n, list(answer.items)) == (3, [{"pattern": "retry-storm", "services": 2, "findings": 2}])


def test_row_33_services_against_sres_over_time(session):
    for number, days in enumerate((300, 200, 20)):
        event = NewEvent(ref(f"s{number}"), "service.registered", NOW - days * DAY, "portal", f"r{number}", "")
        history.record(session, [event], NOW)
    for days, headcount in ((250, 1), (10, 2)):
        wanted = TeamLimits("group:default/sre", "sre", headcount=headcount)
        teams.put(session, wanted, "x", NOW - days * DAY, MANAGER, NOW)
    answer = asked(session, "services_and_sres")
    assert (answer.items[0]["sres"], answer.items[-1]["services"], answer.items[-1]["sres"]) == (None, 3, 2)
    assert answer.items[-1]["services_per_sre"] == 1.5
    assert "before 2026-03-17" in answer.unknown_because


def test_shares_by_criticality_and_who_claims_to_be_important(session, judging, catalog_of):
    stated = ("T0", "T1", "T1", "T2")
    known = [component(f"s{n}", annotations={"criticality": tier}) for n, tier in enumerate(stated)]
    catalog_of(*known, component("x"))
    refresh(session, judging, None, NOW)
    items = {item["criticality"]: item for item in asked(session, "shares").items}
    assert (items["T1"]["services"], items["T1"]["share"], items[None]["services"]) == (2, 0.4, 1)
    answer = asked(session, "claimed_importance")
    assert (answer.items[0]["share"], "little" in answer.items[0]["sentence"]) == (0.75, True)
    assert answer.unknown_because == "1 of 5 services state no criticality."


def test_row_4_readiness_before_and_after_an_engagement(session, engaged):
    engaged(1, "simple_prr", 100, began=200)
    engaged(2, "simple_prr", 100, began=200)
    for days, percent in ((250, 40.0), (50, 90.0)):
        session.add(ScorecardChange(entity_ref=ref("s1"), at=NOW - days * DAY, catalogue_version="1",
                                    standings=[["L1", percent, 100.0]] * 7, document=b"{}"))  # fmt: skip
    session.flush()
    answer = asked(session, "readiness")
    summary, one = answer.items
    assert one["axes"]["emergency"] == {
        "level_before": "L1", "level": "L1", "percent_before": 40.0, "percent": 90.0, "gain": 50.0,
    }  # fmt: skip
    assert summary["gains"]["overall"]["median"] == 50
    assert "1 engagements" in answer.unknown_because


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_is_answered_by_http_even_of_nothing(client, question):
    answer = client.get(f"/api/engagements/fleet/{question}")
    assert answer.status_code == 200, answer.json
    assert {"n", "method", "unknown_because", "period", "items"} <= set(answer.json)
    assert answer.json["n"] in {0, len(answer.json["items"])}
    assert answer.json["unknown_because"]


def test_the_questions_are_listed_and_others_refused(client):
    assert [one["question"] for one in client.get("/api/engagements/fleet").json["items"]] == list(QUESTIONS)
    assert client.get("/api/engagements/fleet/why").status_code == 404


@pytest.mark.parametrize(
    "query", ["since=2030-01-01T00:00:00Z", "since=1990-01-01T00:00:00Z", "until=x", "top=3",
              "since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z"],
)  # fmt: skip
def test_a_faulty_period_is_a_400(client, query, monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: NOW)
    assert client.get(f"/api/engagements/fleet/shares?{query}").status_code == 400


def test_quartiles_and_months():
    assert spread([]) == dict.fromkeys(("least", "first_quartile", "median", "third_quartile", "most")) | {"n": 0}
    assert spread([3.0]) == {"n": 1, "least": 3, "first_quartile": 3, "median": 3, "third_quartile": 3, "most": 3}
    ends = month_ends(Period(NOW - 60 * DAY, NOW))
    assert [f"{end:%m-%d}" for end in ends] == ["10-01", "11-01", "11-22"]
