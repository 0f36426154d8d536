"""The terms of an engagement: who signs what, trainings, the takeover's steps, and what is refused."""

from datetime import timedelta

import pytest

from portal_backend.core.clock import format_time
from tests.engagements.lifecycle import steps
from tests.engagements.lifecycle.conftest import AGREEMENT


@pytest.fixture
def one(world):
    return steps.to_engagement(world)


@pytest.fixture
def training(world, one):
    """An engagement that has come to training."""
    steps.agree(world, one)
    world.moved("sam", one, "analysis")
    steps.analyse(world, one)
    world.moved("sam", one, "improvement")
    steps.plan(world, one)
    world.moved("sally", one, "training")
    return one


def test_row_10_both_sides_sign_and_a_changed_agreement_is_signed_again(world, one):
    sign = f"{one}/agreement/signatures"
    assert world.ask("dora", "POST", sign, {"side": "dev_lead"}).status_code == 409
    steps.agree(world, one)
    signed = world.show(one)["agreement"]
    assert {side: each["by"] for side, each in signed["signatures"].items()} == {
        "dev_lead": "dora",
        "sre_lead": "sally",
    }
    version = world.show(one)["version"]
    world.done("dora", "POST", sign, {"side": "dev_lead"})
    world.done("sam", "PUT", f"{one}/agreement", AGREEMENT)
    assert world.show(one)["version"] == version
    changed = world.done("sam", "PUT", f"{one}/agreement", {**AGREEMENT, "schedule": "until autumn"})
    assert (changed["agreement"]["revision"], changed["agreement"]["signatures"]) == (2, {})
    assert world.refused("sam", one, "analysis") == ["agreement_signed", "agreement_signed"]


def test_nobody_signs_for_both_sides_but_an_administrator_and_the_history_says_so(world, one):
    world.done("sam", "PUT", f"{one}/agreement", AGREEMENT)
    sign = f"{one}/agreement/signatures"
    assert world.ask("sally", "POST", sign, {"side": "dev_lead"}).status_code == 403
    assert world.ask("sam", "POST", sign, {}).status_code == 403
    assert world.ask("both", "POST", sign, {}).status_code == 400
    world.done("both", "POST", sign, {"side": "dev_lead"})
    refused = world.ask("both", "POST", sign, {"side": "sre_lead"})
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (409, "two_people")
    world.done("ada", "POST", sign, {"side": "sre_lead"})
    assert world.show(one)["agreement"]["signatures"]["sre_lead"]["roles"] == ["administrator"]
    assert world.history()[0]["details"]["roles"] == ["administrator"]


def test_ruling_3_trainings_change_with_a_reason_only(world, one):
    fewer = {**AGREEMENT, "training_kinds": ["request_flow"], "training_attendance": 0.5}
    refused = world.ask("sam", "PUT", f"{one}/agreement", fewer)
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (400, "training_change_reason")
    world.done("sam", "PUT", f"{one}/agreement", {**fewer, "training_change_reason": "they built it"})
    assert "they built it" in world.history()[0]["summary"]


@pytest.mark.parametrize(
    "change",
    [
        {"reviewers": []},
        {"reviewers": ["a", "b", "c", "d"]},
        {"reviewers": ["a", "a"]},
        {"slo": [{"name": "x", "objective": 1.5}]},
        {"slo": "0.999"},
        {"deliverables": []},
        {"schedule": "x" * 2001},
        {"signatures": {}},
        {"schedule": "a\0b"},
    ],
)
def test_a_faulty_agreement_is_a_400(world, one, change):
    assert world.ask("sam", "PUT", f"{one}/agreement", {**AGREEMENT, **change}).status_code == 400


def test_row_14_each_kind_is_held_and_four_of_five_attend(world, training):
    steps.train(world, training, steps.ROTATION[:3])
    refused = world.refused("sally", training, "onboarding")
    assert refused == ["trainings_held"] * 4
    steps.train(world, training, steps.ROTATION[3:4], kinds=list(steps.TrainingKind)[:3])
    assert world.refused("sally", training, "onboarding") == ["trainings_held"]
    world.later(minutes=1)
    steps.train(world, training, [steps.ROTATION[4], "a stranger"], kinds=list(steps.TrainingKind)[3:])
    world.moved("sam", training, "onboarding")


def test_the_lead_of_the_review_decides_on_the_trainings(world, training, monkeypatch):
    from portal_backend.core.principal import Role
    from tests.engagements.lifecycle.conftest import PEOPLE

    monkeypatch.setitem(PEOPLE, "stan", (Role.SRE,))
    steps.train(world, training)
    assert world.refused("stan", training, "onboarding", status=403) == ["review_lead"]
    world.moved("sam", training, "onboarding")


def test_a_training_is_recorded_once_and_never_ahead(world, one):
    held = {"id": "t1", "kind": "request_flow", "lead": "sam", "attendees": ["ann"],
            "held_at": format_time(world.now)}  # fmt: skip
    first = world.done("sam", "POST", f"{one}/trainings", held)
    world.later(hours=1)
    assert world.done("sam", "POST", f"{one}/trainings", held) == first
    assert len(world.show(one)["trainings"]) == 1
    assert world.ask("sam", "POST", f"{one}/trainings", {**held, "lead": "tim"}).status_code == 409
    ahead = {**held, "id": "t2", "held_at": format_time(world.now + timedelta(days=1))}
    assert world.ask("sam", "POST", f"{one}/trainings", ahead).status_code == 400
    assert world.ask("dora", "POST", f"{one}/trainings", held).status_code == 403


@pytest.fixture
def onboarding(world, training):
    """An engagement that has come to onboarding."""
    steps.train(world, training)
    world.moved("sally", training, "onboarding")
    return training


def test_row_15_responsibility_passes_step_by_step(world, onboarding):
    path = f"{onboarding}/transfers/on_call"
    leap = world.ask("sally", "PUT", path, {"holder": "sre"})
    assert (leap.status_code, "shared first" in leap.json["detail"]) == (409, True)
    shared = world.done("sally", "PUT", path, {"holder": "shared"})
    assert shared["holders"]["on_call"] == "shared"
    assert world.done("sally", "PUT", path, {"holder": "shared"})["version"] == shared["version"]
    world.done("dora", "PUT", path, {"holder": "sre"})
    kinds = [(event["kind"], event["details"]["to_holder"]) for event in world.history()[:2]]
    assert kinds == [("transfer.completed", "sre"), ("transfer.started", "shared")]
    assert world.ask("sally", "PUT", f"{onboarding}/transfers/catering", {"holder": "sre"}).status_code == 400


def test_a_spin_lasts_a_week_and_the_shadowing_follows_it(world, onboarding):
    began = format_time(world.now)
    world.later(days=3)
    told = {"began_at": began, "ended_at": format_time(world.now), "pages": 3, "critical": 2, "actionable": 3}
    world.done("sam", "PUT", f"{onboarding}/pager-shadow/spin", told)
    messages = world.ask("sally", "POST", f"{onboarding}/transitions", {"to": "active"}).json["detail"]
    assert "The spin lasted 3 days; 7 are asked for." in messages
    assert world.ask("sam", "PUT", f"{onboarding}/pager-shadow/spin", {**told, "actionable": 4}).status_code == 400
    assert world.ask("sam", "PUT", f"{onboarding}/pager-shadow/spin", {**told, "ended_at": began}).status_code == 400


def test_one_person_with_both_roles_does_not_take_over_alone(world, onboarding):
    steps.transfer(world, onboarding, "shared")
    steps.spin_and_shadow(world, onboarding)
    steps.back_up(world, onboarding)
    assert world.refused("both", onboarding, "active") == ["both_sides_agree"]
    world.done("both", "POST", f"{onboarding}/takeover-signatures", {"side": "dev_lead"})
    assert world.refused("both", onboarding, "active") == ["both_sides_agree"]
    world.moved("sally", onboarding, "active")


def test_row_2_no_takeover_of_another_revision_than_was_reviewed(world, onboarding):
    world.done("dora", "PUT", "/api/services/component/default/globe/revision", {"revision": "2"})
    steps.transfer(world, onboarding, "shared")
    steps.spin_and_shadow(world, onboarding)
    steps.back_up(world, onboarding)
    assert world.refused("ada", onboarding, "active") == ["tier_full_sre"]


def test_ruling_10_the_gate_is_l3_with_waivers_named(world, onboarding, session):
    from sqlalchemy import update

    from scorecards.models import Scorecard

    steps.transfer(world, onboarding, "shared")
    steps.spin_and_shadow(world, onboarding)
    steps.back_up(world, onboarding)
    session.execute(update(Scorecard).values(level="L2", statuses={"arch.spof": ["waived", 1]}))
    session.commit()
    assert world.refused("ada", onboarding, "active") == ["readiness", "waivers_named"]
    session.execute(update(Scorecard).values(level="L3"))
    session.commit()
    taken = world.moved("ada", onboarding, "active", waivers=["arch.spof", "no.such"])
    assert taken["takeover"]["waivers"] == ["arch.spof"]
    entered = next(event for event in world.history() if event["details"].get("to") == "active")
    assert entered["details"]["waivers"] == ["arch.spof"]


def test_terms_of_a_closed_engagement_stay(world, one):
    world.moved("dora", one, "withdrawn", reason="not now")
    for method, path, body in [
        ("PUT", "agreement", AGREEMENT),
        ("PUT", "rotation", {"members": ["ann"]}),
        ("PATCH", "request", {"reason": "x"}),
        ("PUT", "conformance", {"passed": True, "version_supported": True}),
    ]:
        assert world.ask("ada", method, f"{one}/{path}", body).status_code == 409


def test_an_unsigned_agreement_is_overdue_after_a_month(world, one):
    assert world.done("sam", "GET", "signals")["items"][0]["kind"] == "agreement_unsigned"
    world.later(days=31)
    found = world.done("sam", "GET", "signals?overdue=true")["items"]
    assert [each["kind"] for each in found] == ["agreement_unsigned"]
    assert world.done("sam", "GET", "signals?overdue=false")["items"] == []


def test_a_pause_is_overdue_after_its_day(world, one):
    until = format_time(world.now + timedelta(days=5))
    world.done("dora", "POST", f"{one}/transitions", {"to": "paused", "reason": "x", "pause_until": until})
    world.later(days=6)
    found = world.done("sam", "GET", "signals?kind=paused_too_long&overdue=true")["items"]
    assert [each["due"] for each in found] == [until]
