"""A service on a framework through its life by HTTP, and on from there to full support."""

import pytest

from tests.engagements.lifecycle import steps
from tests.engagements.lifecycle.conftest import GLOBE, REQUEST
from tests.engagements.lifecycle.test_early import ENDS, legal_are

CAPABILITIES = {"logging": True, "monitoring": True, "configuration": True, "controls": True}
CONFORMS = {"passed": True, "version_supported": True, "framework": "stage", "version": "4",
            "capabilities": CAPABILITIES}  # fmt: skip
SPLIT = "/api/services/component/default/globe/oncall-split"


@pytest.fixture
def one(world):
    request = {"entity_ref": GLOBE, "model": "framework", "reason": "on the common stage"}
    return world.done("dora", "POST", "/api/engagements", request)["id"]


def to_platform(world, one):
    world.done("dora", "PUT", f"{one}/modules", {"modules": [{"name": "request-log", "version": "2"}]})
    world.moved("dora", one, "adopting")
    world.done("pia", "PUT", f"{one}/conformance", CONFORMS)
    world.moved("dora", one, "conformant")
    world.done("pia", "PUT", SPLIT, {"routes": {"HostDown": "platform_infra"}})
    world.moved("pia", one, "platform_active")


def test_row_36_and_41_a_service_walks_to_the_platform(world, one):
    legal_are(world, one, "adopting", *ENDS)
    assert world.refused("dora", one, "adopting") == ["modules_chosen"]
    assert world.refused("sam", one, "adopting") == ["role", "modules_chosen"]
    world.done("dora", "PUT", f"{one}/modules", {"modules": [{"name": "request-log", "version": "2"}]})
    world.moved("dora", one, "adopting")
    legal_are(world, one, "conformant", *ENDS)
    assert world.refused("dora", one, "conformant") == ["conformance_passes", "conformance_passes"]
    world.done("pia", "PUT", f"{one}/conformance", {**CONFORMS, "passed": False, "capabilities": {"logging": True}})
    assert world.refused("dora", one, "conformant") == ["conformance_passes"]
    world.done("pia", "PUT", f"{one}/conformance", {**CONFORMS, "capabilities": {"logging": True}})
    world.moved("dora", one, "conformant")
    legal_are(world, one, "platform_active", "adopting", *ENDS)
    assert world.refused("pia", one, "platform_active") == ["tier_platform"] * 4
    world.done("pia", "PUT", f"{one}/conformance", CONFORMS)
    world.done("pia", "PUT", SPLIT, {"routes": {"HostDown": "platform_infra"}})
    assert world.refused("dora", one, "platform_active", status=403) == ["role"]
    world.moved("pia", one, "platform_active")
    assert world.tier()["tier"] == "platform"
    legal_are(world, one, "adopting", "requested", "withdrawn")


def test_ruling_8_lost_conformance_is_a_signal_and_people_move_the_state(world, one):
    to_platform(world, one)
    assert world.refused("dora", one, "adopting") == ["conformance_lost", "reason"]
    world.done("pia", "PUT", f"{one}/conformance", {**CONFORMS, "passed": False})
    signals = world.done("sam", "GET", "signals?kind=conformance_lost")["items"]
    assert [(each["engagement"], each["overdue"]) for each in signals] == [(one, False)]
    world.later(days=31)
    assert world.done("sam", "GET", "signals?kind=conformance_lost")["items"][0]["overdue"] is True
    assert world.show(one)["state"] == "platform_active"
    world.moved("dora", one, "adopting", reason="it fails")
    assert world.tier()["tier"] == "platform"


def test_row_42_a_service_on_the_platform_goes_on_to_a_review(world, one):
    to_platform(world, one)
    asked = world.moved("dora", one, "requested", reason="we need more")
    assert (asked["model"], asked["origin"]["model"], world.tier()["tier"]) == ("simple_prr", "framework", "platform")
    world.done("dora", "PATCH", f"{one}/request", {"usage_forecast_rps": 9, "staffing": REQUEST["staffing"]})
    world.moved("mia", one, "accepted", sre_team="sre")
    world.moved("sally", one, "engagement")
    assert world.tier()["tier"] == "platform"
    steps.to_active(world, one)
    assert world.tier()["tier"] == "full_sre"


def test_a_service_leaves_the_platform_when_its_framework_leaves_support(world, one):
    to_platform(world, one)
    assert world.refused("pia", one, "withdrawn", reason="leaving") == ["tier_documentation"]
    world.done("pia", "PUT", f"{one}/conformance", {**CONFORMS, "version_supported": False})
    world.moved("pia", one, "withdrawn", reason="leaving")
    left = world.tier()
    assert (left["tier"], left["engagement_model"], left["phase"]) == ("documentation", None, None)


def test_row_43_every_alert_has_one_scope_and_the_others_are_found(world, session):
    from engagements import history
    from engagements.history import NewEvent

    fired = [NewEvent(GLOBE, "alert.fired", world.now, "prometheus", name, name, details={"alert": name})
             for name in ("HostDown", "SlowPages")]  # fmt: skip
    history.record(session, fired, world.now)
    session.commit()
    answer = world.done("sally", "PUT", SPLIT, {"routes": {"HostDown": "platform_infra"}})
    assert answer["unrouted"] == ["SlowPages"]
    assert (
        world.done("sam", "GET", "signals?kind=alerts_unrouted")["items"][0]["sentence"]
        == "Nobody's alerts: SlowPages."
    )
    again = world.done("sally", "PUT", SPLIT, {"routes": {"HostDown": "platform_infra"}})
    assert again["version"] == 1
    routes = {"routes": {"HostDown": "platform_infra", "SlowPages": "service_function"}}
    assert world.ask("sally", "PUT", SPLIT, routes, headers={"If-Match": '"0"'}).status_code == 412
    assert world.done("dora", "PUT", SPLIT, routes)["unrouted"] == []
    assert world.ask("sam", "PUT", SPLIT, {"routes": {"HostDown": "everybody"}}).status_code == 400
    assert world.ask("sam", "PUT", SPLIT, routes).status_code == 403


def test_row_40_a_conformance_run_says_what_it_found_in_each_area(world, one):
    areas = {"tests": True, "security": False}
    told = {**CONFORMS, "passed": False, "revision": "7", "areas": areas}
    reported = world.done("bot", "PUT", f"{one}/conformance", told)["conformance"]
    assert (reported["areas"], reported["revision"], reported["reported_by"]) == (areas, "7", "bot")
    world.done("bot", "PUT", f"{one}/conformance", {**told, "revision": "8", "passed": True})
    runs = world.done("bot", "PUT", f"{one}/conformance", told)["conformance_runs"]
    assert [(run["revision"], run["passed"]) for run in runs] == [("8", True), ("7", False)]
    assert world.history()[0]["kind"] == "framework.conformance_reported"
    version = world.show(one)["version"]
    assert world.done("bot", "PUT", f"{one}/conformance", told)["version"] == version
    assert world.ask("sam", "PUT", f"{one}/conformance", told).status_code == 403
    assert world.ask("bot", "PUT", f"{one}/conformance", {**told, "areas": {"luck": True}}).status_code == 400
