"""A service on a framework: to the platform, off it, and on to full support; no way beside the engagement's own."""

import pytest

ENDS = ("declined", "withdrawn", "paused")
CAPABILITIES = {"logging": True, "monitoring": True, "configuration": True, "controls": True}
CONFORMS = {"passed": True, "version_supported": True, "framework": "stage", "version": "4",
            "capabilities": CAPABILITIES}  # fmt: skip
SERVICE = "/api/services/component/default/globe"


@pytest.fixture
def walk(ask_for):
    return ask_for("dora", "framework", reason="on the common stage")


def to_platform(walk):
    """Walk to the platform with every illegal step on the way."""
    walk.at("assessing", "adopting", *ENDS)
    walk.put("dora", "modules", {"modules": [{"name": "request-log", "version": "2"}]})
    walk.move("dora", "adopting")
    walk.at("adopting", "conformant", *ENDS)
    walk.put("bot", "conformance", CONFORMS)
    walk.move("dora", "conformant")
    walk.at("conformant", "platform_active", "adopting", *ENDS)
    assert walk.world.refused("pia", walk.engagement, "platform_active") == ["tier_platform"]
    walk.world.done("pia", "PUT", f"{SERVICE}/oncall-split", {"routes": {"HostDown": "platform_infra"}})
    beside = walk.world.ask("pia", "POST", f"{SERVICE}/tier", {"tier": "platform", "reason": "beside it"})
    assert (beside.status_code, beside.json["errors"][0]["field"]) == (409, "framework_engagement")
    assert walk.tier() == "documentation"
    walk.move("pia", "platform_active")
    walk.at("platform_active", "adopting", "requested", "withdrawn")
    assert walk.tier() == "platform"


def test_the_platform_is_entered_and_left_by_the_engagement_alone(walk):
    to_platform(walk)
    walk.put("bot", "conformance", {**CONFORMS, "version_supported": False})
    beside = walk.world.ask("pia", "POST", f"{SERVICE}/tier", {"tier": "documentation", "reason": "out of support"})
    assert (beside.status_code, [each["field"] for each in beside.json["errors"]]) == (409, ["framework_engagement"])
    assert f"{walk.engagement}/transitions" in beside.json["errors"][0]["message"]
    walk.move("pia", "withdrawn", reason="out of support")
    assert walk.tier() == "documentation"
    walk.closed("withdrawn")


def test_a_service_that_lost_conformance_takes_its_tier_with_it_when_it_leaves(walk):
    to_platform(walk)
    walk.put("bot", "conformance", {**CONFORMS, "version_supported": False})
    walk.move("dora", "adopting", reason="version 5 is needed")
    walk.at("adopting", "conformant", *ENDS)
    assert walk.tier() == "platform"
    assert walk.world.refused("dora", walk.engagement, "withdrawn", reason="we leave") == ["tier_documentation"]
    walk.move("pia", "withdrawn", reason="they leave")
    left = walk.world.tier()
    assert (left["tier"], left["engagement_model"]) == ("documentation", None)


def test_a_service_on_the_platform_goes_on_to_a_review_and_keeps_its_tier(walk):
    to_platform(walk)
    walk.move("dora", "requested", reason="more than the platform")
    walk.at("requested", "accepted", *ENDS)
    assert (walk.get()["model"], walk.tier()) == ("simple_prr", "platform")
    walk.move("mia", "declined", reason="the platform will do", alternative_tier="platform")
    assert walk.tier() == "platform"
    walk.closed("declined")
