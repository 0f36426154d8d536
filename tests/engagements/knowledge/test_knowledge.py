"""Advice with its hours, lessons with their homes, the guide, production meetings."""

from datetime import timedelta

import pytest

from engagements import circumstances, history, in_force
from engagements.history import NewEvent
from engagements.knowledge import guide, rebuilding
from engagements.reviews import facts
from engagements.reviews.settings import ReviewSettings
from portal_backend.core.principal import Role
from scorecards import scorecard
from tests.engagements.conftest import NOW, component, ref
from tests.engagements.reviews.conftest import CASE, GLOBE

ADVICE = f"{GLOBE}/consultations"
HELD = {"topic": "Capacity for the season", "axis": "capacity", "hours": 30, "sres": ["sam"],
        "held_at": "2026-11-20T10:00:00Z",
        "recommendations": ["Load-test before the season", "Set limits"]}  # fmt: skip
LESSON = {"id": "n1", "title": "Certificates expire", "text": "Watch their end.", "source": "incident",
          "source_ref": "7", "pattern": "expired_certificate", "axis": "emergency"}  # fmt: skip
LESSONS = f"{CASE}/lessons"
STATE = "/api/engagements/lessons/n1/state"

pytestmark = pytest.mark.usefixtures("case")


def fields(answer):
    return [error["field"] for error in answer.json["errors"]]


def happened(session, kind, service="globe", at=NOW, **details):
    event = NewEvent(
        ref(service), kind, at, "test", f"{service}/{kind}/{at}/{details}", "It happened.", details=details
    )
    history.record(session, [event], NOW + timedelta(days=1))
    session.commit()


def test_row_28_what_a_hand_back_taught_is_a_lesson_with_its_source(client, sre):
    lesson = client.post(LESSONS, json={**LESSON, "source": "disengagement"}).json
    assert (lesson["source"], lesson["state"]) == ("disengagement", "proposed")


def test_row_06_advice_is_bounded_by_hours_and_quarter_and_the_hours_left_are_named(client, sre, kinds, session):
    first = client.post(ADVICE, json=HELD)
    assert first.status_code == 201
    assert client.post(ADVICE, json=HELD).json == first.json
    assert kinds().count("consultation.held") == 1
    over = client.post(f"{GLOBE.replace('globe', 'rose')}/consultations", json={**HELD, "hours": 10.5})
    assert over.status_code == 409
    assert "10 hours are left" in over.json["detail"]
    assert client.post(ADVICE, json={**HELD, "hours": 10, "topic": "More"}).status_code == 201
    body = client.get(ADVICE).json
    assert (body["team"], body["hours_used"], body["hours_left"]) == ("group:default/bards", 40.0, 0.0)
    assert circumstances.hours_used(session, "group:default/bards", NOW) == 40.0
    elsewhere = f"{GLOBE.replace('globe', 'swan')}/consultations"
    assert client.post(elsewhere, json={**HELD, "hours": 40}).status_code == 201


def test_row_06_each_quarter_has_its_own_hours(client, sre):
    assert client.post(ADVICE, json={**HELD, "hours": 40, "held_at": "2026-09-30T10:00:00Z"}).status_code == 201
    assert client.post(ADVICE, json={**HELD, "hours": 40}).status_code == 201
    before = client.post(ADVICE, json={**HELD, "hours": 1, "held_at": "2026-09-29T10:00:00Z"})
    assert before.status_code == 409


def test_row_06_recommendations_become_improvements_that_bar_nothing(client, sre):
    made = client.post(ADVICE, json=HELD).json
    found = client.get(f"{CASE}/improvements").json["items"]
    assert {each["title"] for each in found} == set(HELD["recommendations"])
    assert {(each["blocking"], each["axis"]) for each in found} == {(False, "capacity")}
    assert set(made["improvements"]) == {each["id"] for each in found}


def test_advice_of_another_kind_is_refused(client, sre, acting):
    assert fields(client.post(ADVICE, json={**HELD, "held_at": "2026-12-01T10:00:00Z"})) == ["held_at"]
    assert client.post(ADVICE, json={**HELD, "hours": 0}).status_code == 400
    assert client.post(ADVICE, json={**HELD, "sres": []}).status_code == 400
    acting("dora", Role.DEV_LEAD)
    assert client.post(ADVICE, json=HELD).status_code == 403


def test_row_17_a_lesson_is_proposed_accepted_and_linked_to_its_home(client, sre, acting, kinds, session):
    lesson = client.post(LESSONS, json=LESSON).json
    assert lesson["state"] == "proposed"
    assert facts.gather(session, "e1", NOW).lessons == 1
    home = {"kind": "check", "target": "obs.slo.defined"}
    assert fields(client.post(STATE, json={"state": "linked", "home": home})) == ["state"]
    assert client.post(STATE, json={"state": "accepted"}).status_code == 403
    acting("sara", Role.SRE_LEAD)
    assert client.post(STATE, json={"state": "accepted"}).json["state"] == "accepted"
    assert fields(client.post(STATE, json={"state": "linked"})) == ["home"]
    missing = client.post(STATE, json={"state": "linked", "home": {"kind": "check", "target": "no.check"}})
    assert fields(missing) == ["home.target"]
    linked = client.post(STATE, json={"state": "linked", "home": home}).json
    assert client.post(STATE, json={"state": "linked", "home": home}).json == linked
    more = client.post(STATE, json={"state": "linked", "home": {"kind": "process", "target": "ask for end dates"}}).json
    assert [each["kind"] for each in more["homes"]] == ["check", "process"]
    assert (kinds().count("lesson.recorded"), kinds().count("lesson.published")) == (1, 2)


def test_row_17_a_lesson_at_home_in_a_redesign_names_a_finding_of_the_service(client, sre, acting):
    client.post(LESSONS, json=LESSON)
    finding = {"id": "f1", "title": "Redesign", "source": "design", "axis": "architecture", "severity": "major"}
    client.post(f"{CASE}/findings", json=finding)
    acting("sara", Role.SRE_LEAD)
    client.post(STATE, json={"state": "accepted"})
    assert fields(client.post(STATE, json={"state": "linked", "home": {"kind": "finding", "target": "f9"}})) == [
        "home.target"
    ]
    assert client.post(STATE, json={"state": "linked", "home": {"kind": "finding", "target": "f1"}}).status_code == 200


def test_row_28_no_lesson_is_said_explicitly_and_not_beside_one(client, sre, session):
    said = client.post(f"{LESSONS}/none", json={"reason": "nothing new"})
    assert said.json["none_declared"] is True
    assert client.post(f"{LESSONS}/none", json={"reason": "nothing new"}).status_code == 200
    seen = facts.gather(session, "e1", NOW)
    assert (seen.lessons, seen.lessons_none_declared) == (0, True)
    assert client.get(LESSONS).json["none_declared"] is True


def test_row_28_beside_a_lesson_there_is_not_none(client, sre):
    client.post(LESSONS, json=LESSON)
    assert client.post(f"{LESSONS}/none", json={"reason": "nothing new"}).status_code == 409


def test_rows_17_and_31_who_is_also_exposed_to_a_pattern(client, sre, session, judging, observe):
    client.post(LESSONS, json={**LESSON, "checks": ["obs.slo.defined"]})
    happened(session, "incident.opened", "rose", NOW - timedelta(days=3), cause="Expired_Certificate")
    observe({"swan": {"slo.count": 0}})
    scorecard.update(session, judging, None, NOW)
    session.commit()
    finding = {"id": "f1", "title": "Dates unseen", "source": "incident", "axis": "emergency", "severity": "major",
               "pattern": "expired_certificate"}  # fmt: skip
    client.post(f"{CASE}/findings", json=finding)
    body = client.get("/api/engagements/lessons?pattern=expired_certificate").json
    exposed = {each["service"]: each["because"] for each in body["also_exposed"]["expired_certificate"]}
    assert exposed == {
        ref("globe"): ["The finding 'Dates unseen' is not resolved."],
        ref("rose"): ["Its last incident of this cause was on 2026-11-19."],
        ref("swan"): ["The check obs.slo.defined fails."],
    }
    assert [each["id"] for each in body["items"]] == ["n1"]
    assert client.get("/api/engagements/lessons?pattern=other").json["also_exposed"] == {"other": []}
    resolve = {"state": "resolved", "reason": "watched", "evidence": ["https://x.example"]}
    client.post("/api/engagements/findings/f1/state", json=resolve)
    after = client.get("/api/engagements/lessons?pattern=expired_certificate").json["also_exposed"]
    assert ref("globe") not in [each["service"] for each in after["expired_certificate"]]


def test_row_05_every_failing_check_links_the_section_that_helps(client, observe):
    observe({"globe": {"slo.count": 0}})
    found = {item["check"]: item for item in client.get(f"{GLOBE}/guide").json["items"]}
    item = found["obs.slo.defined"]
    assert item["status"] == "fail"
    assert item["sections"][0]["id"] == "docs/checks.md#obs-slo-defined"
    assert all(item["sections"] for item in found.values())
    only = client.get("/api/engagements/guide?check=obs.slo.defined").json["items"]
    assert [section["title"] for section in only] == ["SLO is defined"]


def test_row_05_the_guide_of_the_organisation_goes_first(client, app, tmp_path, sre, acting):
    folder = tmp_path / "guide"
    folder.mkdir()
    text = "# Promises\n<!-- checks: obs.slo.defined -->\nAsk the users.\n```\n# no heading\n```\n## Odd\nText.\n"
    (folder / "slo.md").write_text(text)
    in_force.init_app(app, reviews=ReviewSettings(guide_folder=folder))
    try:
        first, second = client.get("/api/engagements/guide?check=obs.slo.defined").json["items"][::-1]
        assert (first["id"], first["source"]) == ("slo.md#promises", "guide")
        assert "# no heading" in first["text"] and "checks:" not in first["text"]
        client.post(LESSONS, json=LESSON)
        acting("sara", Role.SRE_LEAD)
        client.post(STATE, json={"state": "accepted"})
        client.post(STATE, json={"state": "linked", "home": {"kind": "guide", "target": "slo.md#promises"}})
        again = client.get("/api/engagements/guide?check=obs.slo.defined").json["items"][::-1]
        assert again[0]["lessons"] == ["Certificates expire"]
        item = next(each for each in client.get(f"{GLOBE}/guide").json["items"] if each["check"] == "obs.slo.defined")
        assert [section["source"] for section in item["sections"]] == ["guide", "checks"]
    finally:
        in_force.init_app(app, reviews=ReviewSettings())


def test_anchors_are_those_of_markdown_viewers():
    assert guide.anchor("Rolling back, in 5 minutes!") == "rolling-back-in-5-minutes"
    assert [each.id for each in guide.parse("a.md", "before\n# One\ntext\n## Two\n")] == ["a.md#one", "a.md#two"]


def test_row_19_the_list_of_the_next_meeting_makes_itself(client, sre, session, catalog_of):
    catalog_of(
        component("globe", annotations={"criticality": "T1"}), component("rose"), component("swan"),
        component("moth", lifecycle="deprecated"),
    )  # fmt: skip
    happened(session, "alert.fired", at=NOW - timedelta(days=2), alert="Slow")
    happened(session, "alert.resolved", at=NOW - timedelta(days=2) + timedelta(minutes=9), alert="Slow")
    happened(session, "alert.fired", at=NOW - timedelta(hours=2), alert="Down")
    happened(session, "alert.fired", at=NOW - timedelta(days=8), alert="Old")
    client.post(f"{CASE}/launches", json={"id": "l1", "name": "Opening night", "planned_at": "2026-12-01T18:00:00Z"})
    client.post(f"{CASE}/launches", json={"id": "l2", "name": "Next year", "planned_at": "2027-12-01T18:00:00Z"})
    body = client.get("/api/engagements/meetings/upcoming").json
    assert [page["open"] for page in body["pages"]] == [True, False]
    assert len(body["open_pages"]) == 1
    assert [launch["launch"] for launch in body["launches"]] == ["l1"]
    assert [each["service"] for each in body["turn_downs"]] == [ref("moth")]
    only = client.get(f"/api/engagements/meetings/upcoming?service={ref('rose')}").json
    assert (only["pages"], only["launches"], only["turn_downs"]) == ([], [], [])


def test_row_19_a_meeting_is_in_the_history_of_each_of_its_services(client, sre, kinds):
    body = {"held_at": "2026-11-20T10:00:00Z", "services": ["Component:default/Globe", ref("rose")],
            "attendees": ["sam", "dora"], "notes": "All went well.", "decisions": ["Rehearse"]}  # fmt: skip
    first = client.post("/api/engagements/meetings", json=body).json
    assert client.post("/api/engagements/meetings", json=body).json == first
    assert first["services"] == [ref("globe"), ref("rose")]
    assert kinds().count("meeting.held") == kinds(GLOBE.replace("globe", "rose")).count("meeting.held") == 1
    assert [each["id"] for each in client.get("/api/engagements/meetings").json["items"]] == [first["id"]]
    wrong = client.post("/api/engagements/meetings", json={**body, "services": ["component:default/none"]})
    assert fields(wrong) == ["services"]


def test_what_was_learned_is_made_again_from_the_history(client, sre, session):
    client.post(ADVICE, json=HELD)
    client.post(LESSONS, json=LESSON)
    meeting = {"held_at": "2026-11-20T10:00:00Z", "services": [ref("globe"), ref("rose")], "attendees": ["sam"],
               "notes": "All went well."}  # fmt: skip
    client.post("/api/engagements/meetings", json=meeting)
    assert rebuilding.verify(session) == []
    for table in rebuilding.TABLES:
        for row in session.query(table).all():
            session.delete(row)
    session.commit()
    assert len(rebuilding.rebuild(session)) == 3
    session.commit()
    assert rebuilding.verify(session) == []
    assert client.get("/api/engagements/lessons").json["items"][0]["id"] == "n1"


def test_an_agenda_about_what_is_no_service_is_refused_by_name(client, company):
    refused = client.get("/api/engagements/meetings/upcoming?service=component:default/glob")
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (400, "service")
    assert "component:default/glob" in refused.json["detail"]
    assert client.get("/api/engagements/meetings/upcoming?service=Component:default/Globe").status_code == 200
