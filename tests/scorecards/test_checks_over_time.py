"""What the history tells of checks that were edited, and of those that were in shadow."""

from dataclasses import replace
from datetime import timedelta

import orjson
import pytest
from sqlalchemy import select

from scorecards import timeline
from scorecards.models import ScorecardChange
from scorecards.scorecard import update
from tests.scorecards.conftest import REF
from tests.scorecards.known_checks import judge_by_known
from tests.scorecards.samples import DAY, MINUTE, NOW

LATER = NOW + timedelta(hours=2)


@pytest.fixture
def judging(judging, app):
    return judge_by_known(judging, app)


def edited(judging, check, **changes):
    """Judge by a catalogue of which one check is another one."""
    catalogue = judging.catalogue
    checks = {**catalogue.checks, check: replace(catalogue.checks[check], **changes)}
    version = f"{catalogue.version[:12]}{changes.get('digest', '')[:4]}"
    return replace(judging, catalogue=replace(catalogue, checks=checks, version=version))


def in_shadow(judging, check="arch.redundancy", until=NOW + DAY):
    return edited(judging, check, enforce_from=until.date(), digest="shad")


def test_a_level_that_an_edited_check_moved_names_it_and_its_versions(company, session):
    company.observe({"runtime.replicas": 1})
    update(session, company.judging, None, NOW)
    stricter = edited(company.judging, "arch.redundancy", level=3, version=2, digest="new")
    (moved,) = [one for one in update(session, stricter, [REF], LATER) if one.ref == REF]
    words = "Rose from L1 to L2 by arch.redundancy (version 1 to 2): the checks changed, not the service."
    assert (moved.from_level, moved.to_level, moved.sentence) == ("L1", "L2", words)
    overall, axis = timeline.level_changes(session, REF, None, 1).items
    assert (overall["axis"], axis["axis"]) == (None, "architecture")
    for move in (overall, axis):
        assert (move["cause"], move["checks"]) == ("rule_changed", ["arch.redundancy"])
        assert move["rules"] == [{"check": "arch.redundancy", "edit": "edited", "from_version": 1, "to_version": 2}]


def test_a_check_that_is_taken_out_is_named_by_the_level_that_rose(company, session):
    company.observe({"runtime.replicas": 1})
    update(session, company.judging, None, NOW)
    catalogue = company.judging.catalogue
    fewer = {id_: check for id_, check in catalogue.checks.items() if id_ != "arch.redundancy"}
    judging = replace(company.judging, catalogue=replace(catalogue, checks=fewer, version="fewer"))
    update(session, judging, [REF], LATER)
    for move in timeline.level_changes(session, REF, None, 1).items:
        assert "by arch.redundancy (removed): the checks changed, not the service." in move["sentence"]
        assert move["rules"][0]["to_version"] is None


def test_the_past_and_the_difference_mark_checks_in_shadow(company, session):
    company.observe({"runtime.replicas": 1})
    judging = in_shadow(company.judging)
    update(session, judging, None, NOW)
    enforced_at = NOW + DAY
    update(session, judging, [REF], enforced_at)
    before = timeline.scorecard_at(session, judging, REF, NOW + MINUTE)
    assert [(one["check"], one["status"], one["shadow"]) for one in before["shadow_results"]] == [
        ("arch.redundancy", "fail", True)
    ]
    assert "arch.redundancy" not in {one["check"] for one in before["results"]}
    assert {one["shadow"] for one in before["results"]} == {False}
    after = timeline.scorecard_at(session, judging, REF, enforced_at)
    assert after["shadow_results"] == []
    assert after["level"] < before["level"]
    (crossed,) = [
        one
        for one in timeline.diff(session, judging, REF, NOW, enforced_at)["rule_changed"]
        if one["check"] == "arch.redundancy"
    ]
    assert (crossed["from_status"], crossed["to_status"]) == ("fail", "fail")
    assert (crossed["from_shadow"], crossed["to_shadow"]) == (True, False)
    said = "The check counts since then; before, it was in shadow. Replicas: 1; at least 3 are asked for."
    assert crossed["sentence"] == said
    changes = timeline.list_changes(session, judging, REF, None, 200).items
    (change, first) = [one for one in changes if one["check_id"] == "arch.redundancy"]
    assert (change["shadow"], change["sentence"], first["shadow"]) == (False, said, True)
    (move, _axis) = timeline.level_changes(session, REF, None, 1).items
    assert move["sentence"].startswith(f"Fell from {before['level']} to {after['level']} by arch.redundancy (enforced")


def test_what_an_earlier_release_kept_is_marked_by_the_check_of_today_or_not_at_all(company, session):
    judging = in_shadow(company.judging)
    update(session, judging, None, NOW)
    for row in session.scalars(select(ScorecardChange)):
        kept = orjson.loads(row.document)
        del kept["shadow"]
        row.document = orjson.dumps(kept)
    session.flush()
    then = timeline.scorecard_at(session, judging, REF, NOW)
    assert [one["check"] for one in then["shadow_results"]] == ["arch.redundancy"]
    other = edited(company.judging, "arch.redundancy", digest="other")
    then = timeline.scorecard_at(session, other, REF, NOW)
    assert [one["check"] for one in then["results"] if one["shadow"] is None] == ["arch.redundancy"]
    assert "Whether checks with `shadow` null were enforced is not kept: they have changed since." in then["not_known"]
