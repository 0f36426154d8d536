"""Early engagement from the candidate to the takeover, and to both ends without one, by HTTP."""

from datetime import timedelta

from portal_backend.core.clock import format_time
from tests.engagements.lifecycle import steps

ENDS = ("declined", "withdrawn", "paused")
OUT = (*ENDS, "disengaging")


def to_post_launch(walk):
    """Walk from the candidate to what follows the launch, with every illegal step on the way."""
    walk.at("candidate", "accepted", *ENDS)
    walk.world.done("dora", "PATCH", f"{walk.engagement}/request", {"consented_by": "dora"})
    walk.move("mia", "accepted", sre_team="sre")
    walk.at("accepted", "design", *OUT)
    assert walk.world.refused("sally", walk.engagement, "design") == ["reviewers_named"]
    walk.move("sally", "design", reviewers=["sam"])
    walk.at("design", "build", *OUT)
    held = {"held_at": format_time(walk.world.now - timedelta(hours=2)), "reviewers": ["sam"], "summary": "sound"}
    walk.post("sam", "design-reviews", held)
    trade = {
        "choice": "one region",
        "rejected_option": "two",
        "reliability_cost": "an hour a year",
        "accepted_by": "dora",
    }
    walk.post("sam", "trade-offs", trade)
    walk.move("sam", "build")
    walk.at("build", "launch", "training", *OUT)
    launch = walk.post("lea", "launches", {"name": "first night"})
    walk.move("lea", "launch")
    walk.at("launch", "post_launch", "training", *OUT)
    launched(walk, f"/api/engagements/launches/{launch['id']}")
    walk.move("lea", "post_launch")
    walk.at("post_launch", "training", *OUT)


def launched(walk, path):
    world = walk.world
    first = {"stage": "canary", "traffic_percent": 5, "abort_rule": "errors above 1 %"}
    assert world.ask("lea", "POST", f"{path}/stages", first).status_code == 409, "nobody signed the checklist"
    items = world.done("lea", "GET", path)["checklist"]["items"]
    answers = [{"item": item["key"], "answer": "pass", "reason": "seen"} for item in items]
    world.done("lea", "POST", f"{path}/answers", {"answers": answers})
    world.done("lea", "POST", f"{path}/signature", {})
    assert world.ask("lea", "POST", f"{path}/stages", {**first, "stage": "full"}).status_code == 409
    for stage, percent in (("dark", 100), ("canary", 5), ("ramp", 25), ("full", 100)):
        wish = {"stage": stage, "traffic_percent": percent, "abort_rule": "errors above 1 %"}
        world.done("lea", "POST", f"{path}/stages", wish)
        world.later(days=3)


def test_early_engagement_is_walked_to_the_takeover_with_every_illegal_step(ask_for):
    walk = ask_for("sam", "early", "swan", criteria=["business_value"])
    to_post_launch(walk)
    steps.analyse(walk.world, walk.engagement)
    steps.plan(walk.world, walk.engagement)
    assert walk.world.refused("sam", walk.engagement, "training") == ["watched_long_enough"]
    walk.move("sally", "training", reason="three quiet weeks")
    walk.at("training", "improvement", "onboarding", *OUT)
    steps.train(walk.world, walk.engagement)
    walk.move("sally", "onboarding")
    walk.at("onboarding", "improvement", "active", *OUT)
    steps.transfer(walk.world, walk.engagement, "shared")
    steps.spin_and_shadow(walk.world, walk.engagement)
    steps.back_up(walk.world, walk.engagement)
    walk.post("dora", "takeover-signatures", {"side": "dev_lead"})
    walk.move("sally", "active")
    walk.at("active", "analysis", "disengaging")
    assert walk.tier() == "full_sre"


def test_what_sre_never_ran_graduates_after_its_launch_without_duties_but_with_lessons(ask_for):
    walk = ask_for("dora", "early", "swan")
    to_post_launch(walk)
    graduated = {"outcome": "graduated", "reason": "it stays with its developers", "evidence": "https://wiki/quiet"}
    early = walk.world.refused("sally", walk.engagement, "disengaging", **graduated)
    assert {"launch_is_old_enough"} <= set(early) <= {"launch_is_old_enough", "outcome_holds"}
    for outcome in ("neglected", "mostly_operations"):
        refused = walk.world.refused("sally", walk.engagement, "disengaging", outcome=outcome, reason="no")
        assert refused == ["outcome"]
    walk.world.later(days=100)
    assert walk.world.refused("sally", walk.engagement, "disengaging", outcome="usage_below_forecast", reason="x") == [
        "forecast_captured"
    ]
    walk.move("sally", "disengaging", **graduated)
    walk.at("disengaging", "disengaged")
    assert walk.world.refused("sally", walk.engagement, "disengaged") == ["lessons"]
    walk.world.no_lessons(walk.engagement)
    closed = walk.move("sally", "disengaged")
    assert (closed["outcome"], closed["success"], walk.tier()) == ("graduated", True, "documentation")
    walk.closed("disengaged")


def test_an_aborted_launch_leads_on_and_a_candidate_is_withdrawn(ask_for, world):
    walk = ask_for("dora", "early", "swan")
    walk.at("candidate", "accepted", *ENDS)
    assert walk.world.refused("dora", walk.engagement, "withdrawn") == ["reason"]
    walk.move("dora", "withdrawn", reason="the idea is dropped")
    walk.closed("withdrawn")
