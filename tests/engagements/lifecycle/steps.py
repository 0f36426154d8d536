"""The way of an engagement, leg by leg, as tests walk it."""

from datetime import timedelta

from engagements.lifecycle.states import Aspect, Duty, TrainingKind
from portal_backend.core.clock import format_time
from tests.engagements.lifecycle.conftest import AGREEMENT, REQUEST

ROTATION = ["ann", "bob", "cid", "dee", "eve"]


def ask_for_review(world):
    return world.done("dora", "POST", "/api/engagements", REQUEST)["id"]


def agree(world, one):
    world.done("sam", "PUT", f"{one}/agreement", AGREEMENT)
    world.done("dora", "POST", f"{one}/agreement/signatures", {"side": "dev_lead"})
    world.done("sally", "POST", f"{one}/agreement/signatures", {"side": "sre_lead"})


def analyse(world, one):
    sheet = world.done("sam", "POST", f"{one}/checklist", {})
    answers = [{"item": key, "answer": "pass", "reason": "seen", "evidence_url": "https://wiki/x"}
               for key in [line["key"] for line in sheet["items"]]]  # fmt: skip
    world.done("sam", "POST", f"{one}/checklist/answers", {"answers": answers})
    world.done("sam", "POST", f"{one}/incident-review", {"conclusion": "nothing repeats"})


def plan(world, one):
    drawn = world.done("sam", "POST", f"{one}/plan", {})
    for who in ("dora", "sally"):
        world.done(who, "POST", f"{one}/plan/signatures", {"version": drawn["version"]})


def train(world, one, attendees=ROTATION[:4], kinds=tuple(TrainingKind)):
    world.done("sally", "PUT", f"{one}/rotation", {"members": ROTATION, "source": "on-call schedule"})
    for kind in kinds:
        held_at = format_time(world.now - timedelta(hours=1))
        session = {"kind": kind.value, "lead": "sam", "attendees": list(attendees), "held_at": held_at}
        world.done("sam", "POST", f"{one}/trainings", session)


def transfer(world, one, *holders):
    for holder in holders:
        for aspect in Aspect:
            world.done("sally", "PUT", f"{one}/transfers/{aspect.value}", {"holder": holder})


def spin_and_shadow(world, one):
    for phase in ("spin", "shadow"):
        began = world.now
        world.later(days=7)
        told = {"began_at": format_time(began), "ended_at": format_time(world.now), "pages": 5, "critical": 4,
                "actionable": 5}  # fmt: skip
        world.done("sam", "PUT", f"{one}/pager-shadow/{phase}", told)


def back_up(world, one, days=90):
    until = format_time(world.now + timedelta(days=days))
    world.done("dora", "PUT", f"{one}/backup", {"until": until, "developers_in_rotation": 2})


def to_engagement(world):
    one = ask_for_review(world)
    world.moved("mia", one, "accepted", sre_team="sre")
    world.moved("sally", one, "engagement")
    return one


def to_active(world, one=None):
    """Walk a review from the request, or from `engagement`, to active."""
    one = one or to_engagement(world)
    agree(world, one)
    world.moved("sam", one, "analysis")
    analyse(world, one)
    world.moved("sam", one, "improvement")
    plan(world, one)
    world.moved("sally", one, "training")
    take_over(world, one)
    return one


def take_over(world, one):
    """Walk from training to active."""
    train(world, one)
    world.moved("sally", one, "onboarding")
    transfer(world, one, "shared")
    spin_and_shadow(world, one)
    back_up(world, one)
    world.done("dora", "POST", f"{one}/takeover-signatures", {"side": "dev_lead"})
    world.moved("sally", one, "active")


def fulfil_duties(world, one):
    for duty in Duty:
        world.done("sally", "PUT", f"{one}/hand-back/{duty.value}", {"evidence_url": "https://wiki/x"})
