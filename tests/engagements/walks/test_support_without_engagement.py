"""Support without an engagement: the guide that every service has, advice within its hours, and no way beside these."""

import pytest

SERVICE = "/api/services/component/default/globe"
ADVICE = {"topic": "caching", "axis": "capacity", "hours": 6, "sres": ["sam"], "held_at": "2026-03-01T09:00:00Z",
          "recommendations": ["bound the cache"]}  # fmt: skip


def tier_refused(world, who, tier, status=409, **more):
    before = world.tier()
    answer = world.ask(who, "POST", f"{SERVICE}/tier", {"tier": tier, "reason": "please", **more})
    assert answer.status_code == status, answer.json
    assert world.tier() == before
    return [each["field"] for each in answer.json["errors"]]


def test_a_service_is_advised_and_goes_back_to_the_guide(world):
    assert (world.tier()["tier"], world.tier()["version"]) == ("documentation", 0)
    assert tier_refused(world, "dan", "consultation", 409) == ["role", "development_agrees"]
    assert tier_refused(world, "dan", "consultation", 403, consented_by="dora") == ["role"]
    assert tier_refused(world, "sam", "consultation") == ["development_agrees"]
    assert "way" in tier_refused(world, "ada", "full_sre")
    moved = world.done(
        "sam", "POST", f"{SERVICE}/tier", {"tier": "consultation", "reason": "advice", "consented_by": "dora"}
    )
    again = world.done("dora", "POST", f"{SERVICE}/tier", {"tier": "consultation", "reason": "again"})
    assert (moved["tier"], again["version"]) == ("consultation", moved["version"])
    held = world.done("sam", "POST", f"{SERVICE}/consultations", ADVICE)
    assert world.done("sam", "POST", f"{SERVICE}/consultations", ADVICE)["id"] == held["id"]
    assert world.ask("dan", "POST", f"{SERVICE}/consultations", {**ADVICE, "topic": "x"}).status_code == 403
    over = world.ask("sam", "POST", f"{SERVICE}/consultations", {**ADVICE, "topic": "more", "hours": 35})
    assert (over.status_code, "34 hours are left" in over.json["detail"]) == (409, True)
    shown = world.done("dora", "GET", f"{SERVICE}/consultations")
    assert (shown["hours_used"], shown["hours_left"]) == (6, 34)
    assert world.done("dora", "POST", f"{SERVICE}/tier", {"tier": "documentation", "reason": "done"})["tier"] == (
        "documentation"
    )
    assert [event["kind"] for event in world.history() if event["kind"] != "improvement.proposed"] == [
        "tier.changed", "tier.changed", "consultation.held",
    ]  # fmt: skip


def test_whoever_saw_another_support_is_refused(world):
    tag = {"If-Match": world.ask("dora", "GET", f"{SERVICE}/tier").headers["ETag"]}
    wish = {"tier": "consultation", "reason": "advice"}
    assert world.ask("dora", "POST", f"{SERVICE}/tier", wish, headers=tag).status_code == 200
    back = {"tier": "documentation", "reason": "done"}
    assert world.ask("dora", "POST", f"{SERVICE}/tier", back, headers=tag).status_code == 412


@pytest.mark.parametrize("model", ["simple_prr", "early", "framework"])
def test_each_model_is_told_as_a_whole(world, model):
    told = world.done("dan", "GET", f"models/{model}")
    listed = world.done("dan", "GET", "models")["items"]
    assert told in listed
    assert len(listed) == 3
    assert {each["from"] for each in told["transitions"]} <= set(told["states"])
    assert all(each["roles"] and each["event"] for each in told["transitions"])
    fields = {guard["given_in"] for each in told["transitions"] for guard in each["guards"]}
    assert {"reason", "alternative_tier"} <= fields
    assert world.ask("dan", "GET", "models/waterfall").status_code == 404
