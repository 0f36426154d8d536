"""The history as a table and as a calendar."""

import csv
import io
import json
from datetime import timedelta

import pytest
from icalendar import Calendar

from engagements import history
from engagements.history import NewEvent
from portal_backend.core import clock
from tests.engagements.conftest import NOW, component, ref

GLOBE = "/api/services/component/default/globe"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def at_ten(monkeypatch):
    monkeypatch.setenv(clock.VARIABLE, clock.format_time(NOW))


@pytest.fixture(autouse=True)
def company(catalog_of):
    catalog_of(component("globe"), component("rose", owner="players"))


@pytest.fixture
def happened(session):
    def write(*events, name="globe"):
        history.record(
            session,
            [
                NewEvent(ref(name), kind, NOW - days * DAY, "portal", f"{name}/{kind}/{days}", summary, details=details)
                for kind, days, summary, details in events
            ],
            NOW,
        )
        session.commit()

    return write


def rows(answer):
    assert (answer.status_code, answer.mimetype) == (200, "text/csv")
    return list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))


def entries(answer):
    assert (answer.status_code, answer.mimetype) == (200, "text/calendar"), answer.data
    return {str(entry["uid"]).split("@")[0]: entry for entry in Calendar.from_ical(answer.data).walk("VEVENT")}


def test_the_table_has_every_event_newest_first(client, happened, monkeypatch):
    monkeypatch.setattr("engagements.history_export.table.BATCH", 3)
    happened(*(("deploy.finished", n, f"Deploy, the {n}th\nof many", {"n": n}) for n in range(8)))
    found = rows(client.get(f"{GLOBE}/history.csv"))
    assert [json.loads(row["details"])["n"] for row in found] == list(range(8))
    assert found[0]["summary"] == "Deploy, the 0th\nof many"
    assert found[0]["occurred_at"] == "2026-11-22T10:00:00Z"
    assert found[0]["simulated"] == "false"


@pytest.mark.parametrize("summary", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("https://x","y")'])
def test_no_cell_is_a_formula(client, happened, summary):
    happened(("deploy.finished", 1, summary, {}))
    assert rows(client.get(f"{GLOBE}/history.csv"))[0]["summary"] == f"'{summary}"


def test_the_table_takes_the_filters_of_the_list(client, happened):
    happened(("deploy.finished", 1, "A", {}), ("meeting.held", 2, "B", {}), ("deploy.finished", 3, "C", {}))
    found = rows(client.get(f"{GLOBE}/history.csv?kind=deploy.finished&q=c"))
    assert [row["summary"] for row in found] == ["C"]
    assert client.get(f"{GLOBE}/history.csv?colour=red").status_code == 400
    assert client.get("/api/services/component/default/nowhere/history.csv").status_code == 404


def test_a_calendar_holds_what_teams_plan_around(client, happened):
    happened(
        ("deploy.finished", 1, "Deploy", {}),
        ("launch.stage_entered", 2, "Canary", {"planned_at": "2026-12-24T18:00:00Z"}),
        ("meeting.held", 3, "Weekly; with, commas", {"ends_at": "2026-11-19T11:00:00Z"}),
        ("pager.returned", 4, "Pager back", {"review_due_at": "2026-12-01"}),
    )
    found = entries(client.get(f"{GLOBE}/history.ics"))
    said = {name: (str(entry["summary"]), entry.decoded("dtstart")) for name, entry in found.items()}
    assert sorted(summary for summary, _ in said.values()) == [
        "globe: Canary",
        "globe: Pager back",
        "globe: Planned: Canary",
        "globe: Review due: Pager back",
        "globe: Weekly; with, commas",
    ]
    planned = next(entry for entry in found.values() if "Planned" in entry["summary"])
    assert planned.decoded("dtstart").isoformat() == "2026-12-24T18:00:00+00:00"
    meeting = next(entry for entry in found.values() if "Weekly" in entry["summary"])
    assert meeting.decoded("dtend") - meeting.decoded("dtstart") == timedelta(hours=1)
    assert meeting.decoded("dtstamp") == NOW


def test_every_entry_has_what_rfc_5545_asks_for(client, happened):
    happened(
        ("meeting.held", 1, "Häppening ☂ " * 20, {}), ("training.held", 2, "Odd \x01 \x7f text\r\nEND:VCALENDAR", {})
    )
    answer = client.get(f"{GLOBE}/history.ics")
    found = entries(answer)
    assert len(found) == 2
    assert all(entry.get(name) for entry in found.values() for name in ("uid", "dtstamp", "dtstart"))
    assert answer.data.startswith(b"BEGIN:VCALENDAR\r\n")
    assert all(len(line) <= 75 for line in answer.data.split(b"\r\n"))
    assert answer.data.split(b"\r\n").count(b"END:VCALENDAR") == 1
    assert b"\x01" not in answer.data


def test_uids_stay_and_a_corrected_entry_is_cancelled(client, happened, session):
    happened(("meeting.held", 1, "Meeting", {}))
    before = entries(client.get(f"{GLOBE}/history.ics"))
    happened(("event.corrected", 0, "It was not held", {"corrects": 1}), ("training.held", 2, "Training", {}))
    after = entries(client.get(f"{GLOBE}/history.ics"))
    (uid,) = before
    assert (str(before[uid]["status"]), str(after[uid]["status"])) == ("CONFIRMED", "CANCELLED")
    assert after[uid]["sequence"] > before[uid]["sequence"]
    assert len(after) == 2


def test_who_subscribes_is_told_when_nothing_changed(client, happened, monkeypatch):
    happened(("meeting.held", 1, "Meeting", {}))
    first = client.get(f"{GLOBE}/history.ics")
    monkeypatch.setenv(clock.VARIABLE, clock.format_time(NOW + timedelta(hours=3)))
    again = client.get(f"{GLOBE}/history.ics", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    happened(("meeting.held", 0, "Another", {}))
    third = client.get(f"{GLOBE}/history.ics", headers={"If-None-Match": first.headers["ETag"]})
    assert third.status_code == 200


def test_a_date_that_is_moved_keeps_its_entry_and_one_that_is_met_goes(client, happened):
    def launch(planned_at, **more):
        return {"record": {"table": "launch", "id": "l1", "planned_at": planned_at, **more}}

    happened(("launch.planned", 9, "Launch", launch("2026-12-01T08:00:00Z")))
    (first,) = [
        uid for uid, entry in entries(client.get(f"{GLOBE}/history.ics")).items() if "Planned" in entry["summary"]
    ]
    happened(("launch.planned", 8, "Launch later", launch("2026-12-09T08:00:00Z")))
    moved = {
        uid: entry
        for uid, entry in entries(client.get(f"{GLOBE}/history.ics")).items()
        if "Planned" in entry["summary"]
    }
    assert list(moved) == [first]
    assert moved[first].decoded("dtstart").day == 9
    happened(("launch.stage_entered", 1, "Aborted", launch("2026-12-09T08:00:00Z", stage="aborted")))
    assert first not in entries(client.get(f"{GLOBE}/history.ics"))


def test_terms_of_an_engagement_show_by_their_dates_alone(client, happened):
    terms = {"backup": {"until": "2027-03-01T00:00:00Z"}, "request": {"reason": "growth"}}
    happened(
        ("engagement.terms_changed", 1, "Back-up agreed", {"engagement": "e1", "engagement_set": {"document": terms}})
    )
    (entry,) = entries(client.get(f"{GLOBE}/history.ics")).values()
    assert (entry["summary"], entry.decoded("dtstart").year) == ("globe: Back-up ends: Back-up agreed", 2027)


@pytest.mark.parametrize("odd", [{"record": 1}, {"engagement_set": {"document": 3}}, {"due_at": 5}, {"until": "soon"},
                                 {"starts_at": "0001-01-01T00:00:00+14:00"}])  # fmt: skip
def test_odd_details_cost_no_calendar(client, happened, odd):
    happened(("meeting.held", 1, "Meeting", odd))
    assert len(entries(client.get(f"{GLOBE}/history.ics"))) == 1


def test_the_calendar_of_all_can_be_narrowed_to_a_team_to_services_and_to_kinds(client, happened):
    happened(("meeting.held", 1, "Of globe", {}), ("training.held", 1, "Training of globe", {}))
    happened(("meeting.held", 1, "Of rose", {}), name="rose")

    def said(query):
        found = entries(client.get(f"/api/engagements/calendar.ics{query}"))
        return sorted(str(entry["summary"]) for entry in found.values())

    assert len(said("")) == 3
    assert said("?owner=group:default/players") == ["rose: Of rose"]
    assert said(f"?service={ref('globe')}&kind=meeting.held") == ["globe: Of globe"]
    assert said("?until=2026-01-01T00:00:00Z") == []


@pytest.mark.parametrize("query", ["kind=deploy.finished", "owner=a/b/c/d", "service=%00", "since=x", "page=1"])
def test_a_faulty_calendar_query_is_a_400(client, query):
    assert client.get(f"/api/engagements/calendar.ics?{query}").status_code == 400
