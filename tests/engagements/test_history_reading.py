"""Reading a history: filters, pages both ways, corrections, and what it says of a moment in the past."""

from datetime import timedelta

import pytest

from engagements import history, support
from engagements.chain.verification import verify
from engagements.history import HistoryFilter, NewEvent
from engagements.history_state import state_at
from engagements.support import SupportRecord
from engagements.tiers import Tier
from tests.engagements.conftest import MANAGER, NOW, component, ref
from tests.engagements.test_history import CHECKOUT, deploy

GLOBE = "/api/services/component/default/globe"
DAY = timedelta(days=1)


def said(kind, days_ago, number, source="portal", **details):
    return NewEvent(ref("globe"), kind, NOW - days_ago * DAY, source, f"{kind}/{number}", f"{kind} {number}",
                    details=details)  # fmt: skip


def test_pages_lead_both_ways_and_meet_at_the_same_events(session):
    history.record(session, [deploy(n, minutes=n // 4) for n in range(23)], NOW)
    forward, cursor, pages = [], None, []
    while True:
        page = history.read(session, CHECKOUT, cursor=cursor, limit=5)
        pages.append([event.sequence for event in page.items])
        forward += pages[-1]
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    back = [pages[-1]]
    while page.previous_cursor:
        page = history.read(session, CHECKOUT, cursor=page.previous_cursor, limit=5)
        back.append([event.sequence for event in page.items])
    assert sorted(forward) == list(range(1, 24))
    assert back == pages[::-1]


def test_the_first_page_has_no_newer_one_and_a_cursor_finds_what_came_meanwhile(session):
    history.record(session, [deploy(n) for n in range(1, 8)], NOW)
    first = history.read(session, CHECKOUT, limit=3)
    assert first.previous_cursor is None
    second = history.read(session, CHECKOUT, cursor=first.next_cursor, limit=3)
    history.record(session, [deploy(0)], NOW)
    newer = history.read(session, CHECKOUT, cursor=second.previous_cursor, limit=9)
    assert [event.source_event_id for event in newer.items] == ["app/0", "app/1", "app/2", "app/3"]
    assert newer.previous_cursor is None


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (HistoryFilter(actors=["ann"]), [3]),
        (HistoryFilter(text="DEPLOYMENT 2"), [2]),
        (HistoryFilter(text="ann"), [3]),
        (HistoryFilter(text="100%"), [4]),
        (HistoryFilter(text="%"), [4]),
        (HistoryFilter(at=NOW - timedelta(minutes=2)), [2, 1]),
        (HistoryFilter(recorded_before=NOW + DAY), [3, 2, 1]),
    ],
)
def test_further_filters(session, wanted, found):
    history.record(session, [deploy(3), deploy(2), deploy(1, actor="ann")], NOW)
    history.record(session, [NewEvent(CHECKOUT, "meeting.held", NOW, "portal", "m", "Went 100% well")], NOW + DAY)
    assert [event.sequence for event in history.read(session, CHECKOUT, wanted).items] == found


@pytest.fixture
def moved(session, catalog_of):
    catalog_of(component("globe", annotations={"criticality": "T1"}))
    history.record(session, [said("service.registered", 100, 1)], NOW - 100 * DAY)
    record = SupportRecord(ref("globe"), Tier.FULL_SRE, NOW - 60 * DAY, "mia", "simple_prr", "active")
    support.adopt(session, [record], MANAGER, NOW - 50 * DAY)
    history.record(
        session,
        [
            said("scorecard.level_changed", 40, 1, **{"from": "L1", "to": "L2"}),
            said("scorecard.level_changed", 20, 2, **{"from": "L2", "to": "L3"}),
            said("engagement.phase_entered", 30, 3, engagement="eng-1", model="simple_prr", state="training"),
            said("service.owner_changed", 10, 4, **{"from": "group:default/bards", "to": "group:default/players"}),
        ],
        NOW - 5 * DAY,
    )
    session.commit()


@pytest.mark.parametrize(
    ("days_ago", "tier", "level", "phase", "owner"),
    [
        (200, "documentation", "L1", None, "group:default/bards"),
        (70, "documentation", "L1", None, "group:default/bards"),
        (60, "full_sre", "L1", None, "group:default/bards"),
        (30, "full_sre", "L2", "training", "group:default/bards"),
        (1, "full_sre", "L3", "training", "group:default/players"),
    ],
)
def test_the_state_at_a_moment_is_what_had_occurred_by_then(session, moved, days_ago, tier, level, phase, owner):
    then = state_at(session, ref("globe"), NOW - days_ago * DAY)
    assert (then.support["tier"], then.level, then.owner) == (tier, level, owner)
    assert (then.engagement or {}).get("state") == phase


def test_what_was_known_then_is_less_than_what_is_known_now(session, moved):
    at = NOW - 55 * DAY
    assert state_at(session, ref("globe"), at).support["tier"] == "full_sre"
    assert state_at(session, ref("globe"), at, recorded_before=at).support["tier"] == "documentation"


def test_what_was_corrected_says_nothing_of_any_moment(session, moved):
    wrong = next(e for e in history.read(session, ref("globe")).items if e.source_event_id.endswith("level_changed/2"))
    history.record(session, [said("event.corrected", 1, 9, corrects=wrong.sequence)], NOW)
    assert state_at(session, ref("globe"), NOW).level == "L2"
    assert state_at(session, ref("globe"), NOW, recorded_before=NOW).level == "L3"


def test_the_state_of_a_moment_by_http(client, moved):
    at = (NOW - 35 * DAY).isoformat().replace("+00:00", "Z")
    body = client.get(f"{GLOBE}/history", query_string={"at": at}).json
    assert (body["state"]["support"]["tier"], body["state"]["level"], body["state"]["registered"]) == (
        "full_sre",
        "L2",
        True,
    )
    assert all(event["occurred_at"] <= at for event in body["items"])
    assert body["state"]["based_on"] == [1, 2, 3, 6], "the owner then is told by the change that came after"
    assert client.get(f"{GLOBE}/history").json["state"] is None


def test_a_corrected_event_and_its_correction_name_each_other(client, session, moved):
    history.record(session, [said("event.corrected", 1, 9, corrects=2)], NOW)
    session.commit()
    events = {event["sequence"]: event for event in client.get(f"{GLOBE}/history").json["items"]}
    correction = next(event for event in events.values() if event["kind"] == "event.corrected")
    assert (correction["corrects"], events[2]["corrected_by"]) == (2, [correction["sequence"]])
    assert events[3]["corrected_by"] == []
    assert all(event["hash"].startswith("1:") for event in events.values())


@pytest.mark.parametrize("query", ["at=now", "recorded_before=1", "actor=%00", "q=%00", "before=2026-01-01T00:00:00Z"])
def test_what_is_no_filter_is_a_400(client, moved, query):
    assert client.get(f"{GLOBE}/history?{query}").status_code == 400


def test_the_chain_can_be_checked_by_http_in_parts(client, session, moved):
    whole = client.get("/api/engagements/history/verify").json
    assert (whole["ok"], whole["faults"], whole["next_cursor"]) == (True, [], None)
    assert whole["events"] == verify(session).events
    cursor, events = None, 0
    while True:
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        part = client.get("/api/engagements/history/verify", query_string=query).json
        events, cursor = events + part["events"], part["next_cursor"]
        if cursor is None:
            break
    assert events == whole["events"]
    alone = client.get(f"/api/engagements/history/verify?service={ref('globe')}").json
    assert (alone["ok"], alone["services"]) == (True, 1)


@pytest.mark.parametrize("query", ["cursor=x", "cursor=e30", "cursor=WyJ4IiwxXQ", "limit=0", "service=a/b/c/d", "x=1"])
def test_a_faulty_check_is_a_400(client, moved, query):
    assert client.get(f"/api/engagements/history/verify?{query}").status_code == 400
