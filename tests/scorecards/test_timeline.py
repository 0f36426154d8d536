"""Scorecards over time, over many services, and through an outage."""

from dataclasses import replace
from datetime import timedelta

import pytest

from portal_backend.core import clock
from portal_backend.core.errors import InvalidInput, NotFound
from scorecards import timeline
from scorecards.exceptions.models import WaiverRow
from scorecards.fleet import roll_up
from scorecards.models import Scorecard
from scorecards.scorecard import due, read, update
from tests.scorecards.conftest import OTHERS, QUILL, REF, SHAKESPEARE, SOURCES
from tests.scorecards.known_checks import judge_by_known
from tests.scorecards.samples import DAY, GOOD, MINUTE, NOW, SOURCE_OF

LATER = NOW + timedelta(hours=2)
HOUR = timedelta(hours=1)


@pytest.fixture
def judging(judging, app):
    return judge_by_known(judging, app)


def kept(session, ref=REF):
    session.expire_all()
    return session.get(Scorecard, ref)


def waive(session, check, until):
    session.add(
        WaiverRow(
            id="w-1",
            entity_ref=REF,
            check_id=check,
            state="approved",
            reason="Two zones come in spring",
            compensating_control="We watch it",
            requested_by="user:default/dev",
            requested_at=NOW,
            decided_by="user:default/lead",
            decided_at=NOW,
            until=until,
        )
    )
    session.flush()


def test_an_outage_freezes_the_level_for_its_grace_period_and_says_so(company, session):
    update(session, company.judging, None, NOW)
    company.touch("prometheus", failure_kind="unreachable", failure_message="refused")
    others = {key: value for key, value in GOOD.items() if SOURCE_OF[key] in ("openslo", "grafana", "argocd")}
    dark = NOW + 71 * HOUR
    company.write("others.yaml", OTHERS, dark)
    company.write("shakespeare.yaml", SHAKESPEARE, dark)
    company.observe(others, now=dark)
    company.observe({"slo.availability.target": 0.9999}, QUILL, now=dark)
    assert [move for move in update(session, company.judging, [REF], dark) if move.ref == REF] == []
    assert kept(session).level == "L3"
    assert kept(session).coverage < 100
    end = NOW - MINUTE + 72 * HOUR
    assert kept(session).frozen_until == end
    card = read(session, company.judging, REF, dark)
    assert card["level"] == "L3"
    assert card["frozen"]["sources"] == ["prometheus"]
    assert "Frozen until 2026-11-25 11:59 UTC, because source prometheus is dark since" in card["frozen"]["sentence"]
    held = card["frozen"]["checks"]
    assert {one["status"] for one in card["results"] if one["check"] in held} == {"unknown"}
    assert card["frozen"]["level_without_hold"] < "L3"
    assert f"; then the level falls to {card['frozen']['level_without_hold']} unless" in card["frozen"]["sentence"]
    assert REF in due(session, company.judging, end + MINUTE)
    (fallen,) = update(session, company.judging, [REF], end + MINUTE)
    assert (fallen.from_level, fallen.cause) == ("L3", "evidence_lost")
    assert set(held) & set(fallen.checks)
    assert read(session, company.judging, REF, end + MINUTE)["frozen"] is None


def test_the_step_that_is_kept_counts_what_an_outage_holds_as_the_scorecard_does(company, session):
    judging = replace(company.judging, grace=7 * DAY)
    update(session, judging, None, NOW)
    company.touch("grafana", failure_kind="unreachable", failure_message="refused")
    dark = NOW + 73 * HOUR
    company.write("others.yaml", OTHERS, dark)
    company.write("shakespeare.yaml", SHAKESPEARE, dark)
    others = {key: value for key, value in GOOD.items() if SOURCE_OF[key] in SOURCES and SOURCE_OF[key] != "grafana"}
    company.observe(others, now=dark)
    update(session, judging, [REF], dark)
    first = read(session, judging, REF, dark)["next_steps"][0]
    assert first["checks"] == ["obs.slo.on_dashboard"]
    assert kept(session).next_step == first["sentence"]
    assert first["sentence"].endswith("; its source is dark, and for the levels it counts as passed meanwhile.")


def test_a_portal_whose_worker_stopped_blames_no_team_and_holds_the_levels(company, session):
    update(session, company.judging, None, NOW)
    dark = NOW + 71 * HOUR
    company.touch(next_due_at=NOW + 5 * MINUTE)
    company.write("others.yaml", OTHERS, dark)
    company.write("shakespeare.yaml", SHAKESPEARE, dark)
    assert [move for move in update(session, company.judging, [REF], dark) if move.ref == REF] == []
    card = read(session, company.judging, REF, dark)
    assert card["level"] == "L3"
    assert card["frozen"]["sources"] == ["prometheus"]
    stale = [cause for one in card["results"] for cause in one["causes"] if cause["kind"] == "stale"]
    assert {cause["party"] for cause in stale} == {"portal_operators"}
    assert all("See that a worker runs" in cause["action"] for cause in stale)
    assert all("and its next run is overdue" in cause["sentence"] for cause in stale)
    assert {source["state"] for source in card["sources"] if source["plugin"] != "catalog"} == {"overdue"}


def test_a_measured_fail_lowers_the_level_even_while_an_outage_holds_it(company, session):
    update(session, company.judging, None, NOW)
    company.touch("grafana", failure_kind="unreachable", failure_message="refused")
    company.observe({"runtime.replicas": 1}, now=LATER)
    (fallen,) = update(session, company.judging, [REF], LATER)
    assert (fallen.to_level, fallen.checks) == ("L1", ("arch.redundancy",))


def test_a_waived_blocker_leaves_the_ratio_and_caps_the_level_at_l3(company, session):
    update(session, company.judging, None, NOW)
    company.observe({"runtime.replicas": 1}, now=LATER)
    update(session, company.judging, [REF], LATER)
    waive(session, "arch.redundancy", NOW + 30 * DAY)
    (moved,) = update(session, company.judging, [REF], LATER + MINUTE)
    assert (moved.from_level, moved.to_level, moved.cause) == ("L1", "L3", "waiver_changed")
    assert kept(session).percent == 100.0
    card = read(session, company.judging, REF, LATER + MINUTE)
    assert card["counts"]["waived"] == 1
    assert "keeps it at L3" not in card["summary"], "the catalogue asks for nothing above L3"
    checks = company.judging.catalogue.checks
    exemplary = {**checks, "cap.limits": replace(checks["cap.limits"], level=4)}
    higher = replace(company.judging, catalogue=replace(company.judging.catalogue, checks=exemplary))
    summary = read(session, higher, REF, LATER + MINUTE)["summary"]
    assert summary.endswith(" 1 is waived. A waived blocker keeps it at L3: arch.redundancy.")
    waived = next(one for one in card["results"] if one["check"] == "arch.redundancy")
    assert waived["sentence"].startswith("Waived until 2026-12-22 by user:default/lead: Two zones come in spring.")
    assert waived["waiver"]["compensating_control"] == "We watch it"
    assert kept(session).valid_until <= NOW + 30 * DAY
    change = timeline.list_changes(session, company.judging, REF, None, 1).items[0]
    assert (change["from_status"], change["to_status"], change["cause"]) == ("fail", "waived", "waiver_changed")


def test_the_scorecard_as_it_was_on_a_date_is_told_from_the_changes(company, session):
    update(session, company.judging, None, NOW)
    company.observe({"runtime.replicas": 1}, now=LATER)
    update(session, company.judging, [REF], LATER)
    company.observe({"runtime.replicas": 5}, now=LATER + HOUR)
    update(session, company.judging, [REF], LATER + HOUR)
    then = timeline.scorecard_at(session, company.judging, REF, LATER + MINUTE)
    assert (then["level"], then["judged_at"]) == ("L1", LATER)
    failed = next(one for one in then["results"] if one["check"] == "arch.redundancy")
    assert (failed["status"], failed["since"]) == ("fail", LATER)
    assert failed["sentence"] == "Replicas: 1; at least 3 are asked for."
    assert then["not_known"]
    assert timeline.scorecard_at(session, company.judging, REF, NOW)["level"] == "L3"
    with pytest.raises(NotFound, match="was not judged before"):
        timeline.scorecard_at(session, company.judging, REF, NOW - DAY)
    with pytest.raises(NotFound, match="no scorecard"):
        timeline.scorecard_at(session, company.judging, "component:default/ink", NOW)


def test_a_diff_parts_what_the_service_did_from_what_the_rules_did(company, session):
    update(session, company.judging, None, NOW)
    company.observe({"runtime.replicas": 1}, now=LATER)
    update(session, company.judging, [REF], LATER)
    catalogue = company.judging.catalogue
    limits = replace(catalogue.checks["cap.limits"], digest="other")
    fewer = {**catalogue.checks, "cap.limits": limits}
    del fewer["chg.cfr"]
    judging = replace(company.judging, catalogue=replace(catalogue, checks=fewer, version="2"))
    update(session, judging, [REF], LATER + HOUR)
    found = timeline.diff(session, judging, REF, NOW, LATER + HOUR)
    assert [one["check"] for one in found["service_changed"]] == ["arch.redundancy"]
    edited, gone = found["rule_changed"]
    assert (gone["check"], gone["to_status"]) == ("chg.cfr", None)
    assert (edited["check"], edited["from_status"], edited["to_status"]) == ("cap.limits", "pass", "pass")
    assert edited["sentence"].startswith("The check was edited (within version 1); the verdict stayed. ")
    assert found["rules_changed"]
    assert found["standings"][0]["from"]["level"] == "L3"
    with pytest.raises(InvalidInput):
        timeline.diff(session, judging, REF, LATER, NOW)


def test_an_edit_that_leaves_the_verdict_is_told_with_the_versions_and_by_the_new_rule(company, session):
    update(session, company.judging, None, NOW)
    catalogue = company.judging.catalogue
    limits = replace(catalogue.checks["cap.limits"], digest="other", version=2)
    changed = replace(catalogue, checks={**catalogue.checks, "cap.limits": limits}, version="2")
    judging = replace(company.judging, catalogue=changed)
    assert [move for move in update(session, judging, [REF], LATER) if move.ref == REF] == []
    (told,) = [one for one in timeline.list_changes(session, judging, REF, None, 50).items if one["at"] == LATER]
    assert (told["check_id"], told["cause"], told["check_version"]) == ("cap.limits", "rule_changed", 2)
    by_rule = timeline.scorecard_at(session, judging, REF, LATER)
    result = next(one for one in by_rule["results"] if one["check"] == "cap.limits")
    assert (result["version"], result["status"]) == (2, "pass")
    assert told["sentence"] == f"The check was edited (version 1 to 2); the verdict stayed. {result['sentence']}"
    assert not result["sentence"].startswith("By an earlier form")
    update(session, judging, [REF], LATER + HOUR)
    assert [one["at"] for one in timeline.list_changes(session, judging, REF, None, 1).items] == [LATER]


def test_a_trend_has_one_point_for_each_day_on_which_something_changed(company, session):
    update(session, company.judging, None, NOW)
    for hours, replicas in ((1, 1), (2, 5), (3, 1)):
        company.observe({"runtime.replicas": replicas}, now=NOW + hours * HOUR)
        update(session, company.judging, [REF], NOW + hours * HOUR)
    made = timeline.trend(session, REF, NOW - DAY, NOW + DAY)
    assert [(point["at"], point["level"]) for point in made["points"]] == [(NOW + 3 * HOUR, "L1")]
    assert made["points"][0]["axes"]["architecture"]["level"] == "L1"
    later = timeline.trend(session, REF, NOW + 5 * DAY, NOW + 6 * DAY)
    assert [(point["at"], point["level"]) for point in later["points"]] == [(NOW + 5 * DAY, "L1")]
    with pytest.raises(InvalidInput):
        timeline.trend(session, REF, NOW, NOW)


def test_levels_that_moved_are_listed_with_axis_and_cause(company, session):
    update(session, company.judging, None, NOW)
    company.observe({"runtime.replicas": 1}, now=LATER)
    update(session, company.judging, [REF], LATER)
    moves = timeline.level_changes(session, REF, None, 1).items
    assert {(one["axis"], one["from_level"], one["to_level"], one["cause"]) for one in moves} == {
        (None, "L3", "L1", "service_changed"),
        ("architecture", "L3", "L1", "service_changed"),
    }


def test_the_fleet_is_put_together_by_level_and_by_group(company, session):
    update(session, company.judging, None, NOW)
    company.observe({"runtime.replicas": 1}, now=LATER)
    update(session, company.judging, [REF], LATER)
    made = roll_up(session, company.judging, "owner", {})
    fleet = made["fleet"]
    assert (fleet["services"], fleet["levels"]) == (2, {"L0": 1, "L1": 1})
    assert (fleet["required"], fleet["meeting_required"], fleet["meeting_required_percent"]) == (2, 0, 0.0)
    assert fleet["percent"] == round((kept(session).percent + kept(session, QUILL).percent) / 2, 1)
    (group,) = made["groups"]
    assert (group["group"], group["services"]) == ("group:default/bards", 2)
    assert "arch.redundancy" not in {one["check"] for one in group["worst_checks"] if not one["fail"] + one["unknown"]}
    none = roll_up(session, company.judging, None, {"owner": "group:default/nobody"})
    assert (none["fleet"]["services"], none["fleet"]["percent"], none["fleet"]["levels"]) == (0, None, {})


def test_pages_of_changes_hold_each_change_once(company, session):
    update(session, company.judging, None, NOW)
    company.observe({"runtime.replicas": 1}, now=LATER)
    update(session, company.judging, [REF], LATER)
    seen, cursor = [], None
    while True:
        page = timeline.list_changes(session, company.judging, REF, cursor, 7)
        seen += [(one["check_id"], one["at"]) for one in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == len(company.judging.catalogue.checks) + 1


def test_what_is_over_time_is_read_over_http(company, session, client, monkeypatch):
    monkeypatch.setenv(clock.VARIABLE, clock.format_time(LATER))
    update(session, company.judging, None, NOW)
    session.commit()
    path = "/api/services/component/default/shakespeare/scorecard"
    assert client.get(path, query_string={"at": clock.format_time(NOW)}).json["judged_at"] == "2026-11-22T12:00:00Z"
    ahead = client.get(path, query_string={"at": clock.format_time(LATER + MINUTE)})
    assert (ahead.status_code, ahead.json["errors"][0]["field"]) == (400, "at")
    assert client.get(f"{path}/trend").json["points"][0]["level"] == "L3"
    assert client.get(f"{path}/diff", query_string={"from": clock.format_time(NOW)}).json["service_changed"] == []
    assert client.get(f"{path}/diff").status_code == 400
    for span in ("diff", "trend"):
        refused = client.get(f"{path}/{span}", query_string={"from": "2027-01-01T00:00:00Z"})
        assert (refused.status_code, refused.json["errors"][0]["field"]) == (400, "from")
    assert client.get(f"{path}/levels").json["items"]
    spans = (f"{path}/trend", f"{path}/diff?from=2026-11-22T12:00:00Z", "/api/scorecards/fleet/trend")
    monkeypatch.setenv(clock.VARIABLE, clock.format_time(LATER + MINUTE))
    tags = [client.get(url).headers["ETag"] for url in spans]
    monkeypatch.setenv(clock.VARIABLE, clock.format_time(LATER + 2 * MINUTE))
    again = [client.get(url, headers={"If-None-Match": tag}) for url, tag in zip(spans, tags, strict=True)]
    assert [answer.status_code for answer in again] == [304, 304, 304]
    fleet = client.get("/api/scorecards/fleet", query_string={"group_by": "criticality"})
    assert fleet.json["groups"][0]["group"] == "T1"
    assert client.get("/api/scorecards/fleet", query_string={"group_by": "colour"}).status_code == 400
