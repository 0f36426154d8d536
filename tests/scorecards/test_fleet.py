"""The fleet put together: levels per axis, and services of one support tier."""

from dataclasses import replace

import pytest

from scorecards import fleet, timeline
from scorecards.judging import init_app
from scorecards.scorecard import update
from tests.scorecards.conftest import QUILL, REF
from tests.scorecards.known_checks import judge_by_known
from tests.scorecards.samples import NOW

FLEET = "/api/scorecards/fleet"
TIER_OF = {REF: "full_sre"}


@pytest.fixture
def judging(judging, app):
    known = replace(
        judge_by_known(judging, app), tiers=lambda _session, refs: {r: TIER_OF[r] for r in refs if r in TIER_OF}
    )
    init_app(app, known)
    return known


@pytest.fixture
def judged(company, session):
    update(session, company.judging, None, NOW)
    session.commit()
    return company


def asked(client, **query):
    answer = client.get(FLEET, query_string=query)
    assert answer.status_code == 200, answer.json
    return answer.json


def test_each_axis_counts_the_services_by_level(judged, client, session):
    own = [timeline.scorecard_at(session, judged.judging, ref, NOW) for ref in (REF, QUILL)]
    told = asked(client)["fleet"]
    for place, axis in enumerate(told["axes"]):
        levels = [one["axes"][place]["level"] or "none" for one in own]
        assert told["axes"][axis]["levels"] == {level: levels.count(level) for level in sorted(set(levels))}
        assert sum(told["axes"][axis]["levels"].values()) == told["services"] == 2


def test_services_of_one_tier_are_put_together_alone(judged, client, session):
    own = timeline.scorecard_at(session, judged.judging, REF, NOW)
    told = asked(client, tier="full_sre")["fleet"]
    assert (told["services"], told["levels"], told["percent"]) == (1, {own["level"]: 1}, own["percent"])
    assert asked(client, tier="platform")["fleet"]["services"] == 0
    assert asked(client, tier="full_sre", owner="group:default/nobody")["fleet"]["services"] == 0
    of_owner = asked(client, tier="full_sre", group_by="owner")
    assert [(one["group"], one["services"]) for one in of_owner["groups"]] == [("group:default/bards", 1)]
    refused = client.get(FLEET, query_string={"tier": "gold"})
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (400, "tier")
    assert client.get(f"{FLEET}/trend", query_string={"tier": "gold"}).status_code == 400


def test_tiers_are_groups_and_their_parts_add_up(judged, client, monkeypatch):
    whole = asked(client)["fleet"]
    monkeypatch.setattr(fleet, "AT_ONCE", 1)
    told = asked(client, group_by="tier")
    assert [(one["group"], one["services"]) for one in told["groups"]] == [("full_sre", 1), (None, 1)]
    assert told["fleet"] == whole
    assert {one["group"]: one["services"] for one in asked(client, group_by="tier", tier="full_sre")["groups"]} == {
        "full_sre": 1
    }
    monkeypatch.setitem(TIER_OF, QUILL, "full_sre")
    (both,) = asked(client, group_by="tier")["groups"]
    assert {**both, "group": None} == whole
