"""A production readiness review from the request to handing back, by HTTP, as the specification tells it."""

from datetime import timedelta

import pytest

from portal_backend.core.clock import format_time

ENDS = ("declined", "withdrawn", "paused")
ASPECTS = ("operations", "on_call", "change_management", "access_rights", "capacity")
ROTATION = ["ann", "bob", "cid", "dee", "eve"]
SERVICE = "/api/services/component/default/globe"


def test_a_review_is_walked_with_every_illegal_step_at_each_state(ask_for):
    walk = ask_for("sam", "simple_prr", reason="our front door", consented_by="dora")
    requested(walk)
    engaged(walk)
    analysed(walk)
    improved(walk)
    trained(walk)
    taken_over(walk)
    handed_back(walk)
    kinds = [event["kind"] for event in walk.world.history()]
    assert kinds.count("disengagement.completed") == kinds.count("agreement.proposed") == 1


def requested(walk):
    walk.at("requested", "accepted", *ENDS)
    assert missing(walk, "accepted") == {"usage_forecast", "staffing", "sre_team"}
    walk.world.done("dora", "PATCH", f"{walk.engagement}/request", {
        "usage_forecast_rps": 500, "staffing": {"developers": 2, "sres": 2, "agreed_by": ["dora", "mia"]},
    })  # fmt: skip
    assert missing(walk, "accepted") == {"sre_team"}
    assert walk.move("mia", "accepted", sre_team="sre")["sre_team"] == "group:default/sre"
    walk.at("accepted", "engagement", *ENDS)
    walk.move("sally", "engagement")


def engaged(walk):
    walk.at("engagement", "analysis", *ENDS)
    walk.put("sam", "agreement", {
        "slo": [{"name": "availability", "objective": 0.999}], "deliverables": ["review document"],
        "schedule": "until summer", "reviewers": ["sam"],
    })  # fmt: skip
    assert (
        walk.world.ask("dora", "POST", f"{walk.engagement}/agreement/signatures", {"side": "sre_lead"}).status_code
        == 403
    )
    walk.post("dora", "agreement/signatures", {"side": "dev_lead"})
    assert missing(walk, "analysis") == {"agreement_signed"}
    walk.post("sally", "agreement/signatures", {"side": "sre_lead"})
    walk.world.done("dora", "POST", f"{walk.engagement}/transitions", {"to": "paused", "reason": "the season opens"})
    walk.at("engagement", "engagement", "declined", "withdrawn")
    walk.world.done("dora", "POST", f"{walk.engagement}/transitions", {"to": "engagement"})
    walk.move("sam", "analysis")


def analysed(walk):
    walk.at("analysis", "improvement", *ENDS)
    sheet = walk.post("sam", "checklist", {})
    answers = [{"item": line["key"], "answer": "na", "reason": "seen in the review"} for line in sheet["items"]]
    assert walk.world.ask("sam", "POST", f"{walk.engagement}/checklist/answers", {
        "answers": [{"item": sheet["items"][0]["key"], "answer": "na"}]}).status_code == 400  # fmt: skip
    walk.post("sam", "checklist/answers", {"answers": answers})
    assert missing(walk, "improvement") == {"incident_review"}
    assert walk.world.ask("dora", "POST", f"{walk.engagement}/incident-review", {"conclusion": "x"}).status_code == 403
    walk.post("sam", "incident-review", {"conclusion": "one cause twice"})
    walk.move("sam", "improvement")


def improved(walk):
    walk.at("improvement", "analysis", "training", *ENDS)
    finding = {"title": "no kill switch", "axis": "emergency", "severity": "blocker", "source": "drill"}
    blocker = walk.post("sam", "findings", finding)
    wanted = {"title": "build a kill switch", "findings": [blocker["id"]], "owner_dev": "dan", "owner_sre": "sam"}
    one = walk.post("sam", "improvements", wanted)
    path = f"/api/engagements/improvements/{one['id']}/state"
    assert walk.world.ask("sam", "POST", path, {"state": "done"}).status_code == 409
    for who in ("dora", "sally"):
        walk.world.done(who, "POST", path, {"state": "agreed"})
    drawn = walk.post("sam", "plan", {})
    for who in ("dora", "sally"):
        walk.post(who, "plan/signatures", {"version": drawn["version"]})
    assert missing(walk, "training") == {"no_open_blocker"}
    for wish in ({"state": "in_progress"}, {"state": "done", "done_by": "dan", "done_side": "dev"}):
        walk.world.done("dora", "POST", path, wish)
    walk.world.done("sally", "POST", path, {"state": "verified", "evidence": "https://drill/9", "reason": "tried"})
    assert missing(walk, "training") == set()
    walk.move("sally", "training")


def trained(walk):
    walk.at("training", "improvement", "onboarding", *ENDS)
    walk.put("sally", "rotation", {"members": ROTATION})
    held_at = format_time(walk.world.now - timedelta(hours=1))
    for kind in ("design_overview", "request_flow", "production_setup", "ops_exercise"):
        held = {"kind": kind, "lead": "sam", "attendees": ROTATION[:3], "held_at": held_at}
        walk.post("sam", "trainings", held)
    assert missing(walk, "onboarding") == {"trainings_held"}
    for kind in ("design_overview", "request_flow", "production_setup", "ops_exercise"):
        walk.post("sam", "trainings", {"kind": kind, "lead": "sam", "attendees": ROTATION[3:4], "held_at": held_at})
    walk.move("sally", "onboarding")


def taken_over(walk):
    walk.at("onboarding", "improvement", "active", *ENDS)
    skipped = walk.world.ask("sally", "PUT", f"{walk.engagement}/transfers/on_call", {"holder": "sre"})
    assert skipped.status_code == 409, "a responsibility passes by way of shared"
    for aspect in ASPECTS:
        walk.put("sally", f"transfers/{aspect}", {"holder": "shared"})
    for phase in ("spin", "shadow"):
        began = walk.world.now
        walk.world.later(days=7)
        walk.put("sam", f"pager-shadow/{phase}", {
            "began_at": format_time(began), "ended_at": format_time(walk.world.now), "pages": 5, "critical": 4,
            "actionable": 4})  # fmt: skip
    until = format_time(walk.world.now + timedelta(days=90))
    walk.put("dora", "backup", {"until": until, "developers_in_rotation": 2})
    assert missing(walk, "active") == {"both_sides_agree"}
    walk.post("dora", "takeover-signatures", {"side": "dev_lead"})
    direct = walk.world.ask("ada", "POST", f"{SERVICE}/tier", {"tier": "full_sre", "reason": "now"})
    assert direct.status_code == 409, "there is no other way into full_sre"
    walk.move("sally", "active")
    assert walk.tier() == "full_sre"


def handed_back(walk):
    walk.at("active", "analysis", "disengaging")
    assert missing(walk, "disengaging") == {"outcome", "reason"}
    neglected = {"outcome": "neglected", "reason": "no plan is signed"}
    assert walk.world.refused("sally", walk.engagement, "disengaging", **neglected) == ["ladder", "ladder"]
    walk.post("sally", "escalations", {"step": "named_engineers", "note": "two for a month"})
    walk.put("sally", "pager", {"carrier": "dev", "reason": "nobody mends the pages"})
    assert (walk.get()["pager_returned"], walk.tier()) == (True, "full_sre")
    soon = format_time(walk.world.now + timedelta(days=3))
    assert walk.world.refused("sally", walk.engagement, "disengaging", **neglected, notice_until=soon) == ["notice"]
    walk.move("sally", "disengaging", **neglected, tier="consultation")
    walk.at("disengaging", "disengaged")
    assert walk.world.ask("ada", "POST", f"{SERVICE}/tier", {"tier": "documentation", "reason": "x"}).status_code == 409
    for holder in ("dev",):
        for aspect in ASPECTS:
            walk.put("sally", f"transfers/{aspect}", {"holder": holder})
    for duty in ("dev_rota_live", "runbooks_handed", "reverse_training", "ledger_freed"):
        walk.put("sally", f"hand-back/{duty}", {"evidence_url": "https://wiki/x"})
    lesson(walk)
    assert missing(walk, "disengaged") == {"notice_over"}
    walk.world.later(days=31)
    closed = walk.move("sally", "disengaged")
    assert (closed["outcome"], closed["success"], walk.tier()) == ("neglected", False, "consultation")
    walk.closed("disengaged")


def lesson(walk):
    told = {"title": "plans need an owner", "text": "Two quarters without one.", "source": "incident",
            "pattern": "unowned-plan", "axis": "change"}  # fmt: skip
    made = walk.post("sam", "lessons", told)
    path = f"/api/engagements/lessons/{made['id']}/state"
    home = {"kind": "process", "target": "agreements name an owner"}
    assert walk.world.ask("sally", "POST", path, {"state": "linked", "home": home}).status_code == 409
    walk.world.done("sally", "POST", path, {"state": "accepted"})
    assert walk.world.done("sally", "POST", path, {"state": "linked", "home": home})["state"] == "linked"


def missing(walk, to):
    """Return the guards that are not met, as whoever may make the move reads them."""
    shown = walk.world.done("sally" if to != "accepted" else "mia", "GET", f"{walk.engagement}/transitions")
    step = next(each for each in shown["items"] if each["to"] == to)
    assert step["ready"] is not any(not guard["met"] and not guard["given_in"] for guard in step["guards"])
    return {guard["guard"] for guard in step["guards"] if not guard["met"]}


def test_declining_offers_a_tier_and_moves_none(ask_for, world):
    walk = ask_for("dora", "simple_prr")
    walk.at("requested", "accepted", *ENDS)
    declined = walk.move("mia", "declined", reason="little traffic", alternative_tier="consultation")
    assert (declined["exit"]["alternative_tier"], walk.tier()) == ("consultation", "documentation")
    walk.closed("declined")
    taken = world.done("dora", "POST", declined["links"]["take_alternative_tier"],
                       {"tier": declined["exit"]["alternative_tier"], "reason": "as offered"})  # fmt: skip
    assert taken["tier"] == "consultation"


@pytest.mark.parametrize("body", [
    {"to": "flying"}, {}, {"to": "accepted", "sre_team": 5}, {"to": "accepted", "unknown": 1}, {"to": None}, [], "x",
])  # fmt: skip
def test_what_is_no_transition_is_a_400_that_names_the_field(ask_for, world, body):
    walk = ask_for("dora", "simple_prr")
    answer = world.ask("mia", "POST", f"{walk.engagement}/transitions", body)
    assert answer.status_code == 400, answer.json
    assert world.ask("mia", "POST", "no-such-engagement-1/transitions", {"to": "accepted"}).status_code == 404
    assert world.ask("mia", "GET", "no-such-engagement-1/transitions").status_code == 404
