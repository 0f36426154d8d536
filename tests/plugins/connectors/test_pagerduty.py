"""The PagerDuty connector against a server double that holds both sides to PagerDuty's own document."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from plugins.connectors.pagerduty import CONNECTOR, api
from plugins.connectors.pagerduty.oncall import covered_time
from plugins.contract import Batch, FailureKind, PullContext, PullFailed, Target
from plugins.http_client import Limits, SourceClient
from portal_backend.core.config import Secret, SourceAuth
from tests.conftest import shared
from tests.fakes.pagerduty import PagerDuty
from tests.fakes.server import Fault, html
from tests.plugins.connectors.reading import joined

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CHECKOUT, SEARCH, OTHER = (f"component:default/{name}" for name in ("checkout", "search", "other"))
TARGETS = (
    Target(CHECKOUT, "checkout", {"pagerduty.com/service-id": "PCHECK"}),
    Target(SEARCH, "search", {"pagerduty.com/integration-key": "key-of-search"}),
    Target(OTHER, "other"),
)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[PagerDuty]:
    monkeypatch.setenv("PAGERDUTY_KEY", "Token token=fake-token")
    fake = PagerDuty(shared("specs", "pagerduty.openapi.json"))
    fake.add_schedule("S1", "ann", "ben", "cat")
    fake.add_policy("E1", [("schedule", "S1"), ("user", "dan")], [("user", "boss")])
    fake.add_policy("E2", [("user", "eve")])
    fake.add_service("PCHECK", "E1")
    fake.add_service("PSEARCH", "E2", "key-of-search")
    fake.add_service("PLONELY", "E2")
    with fake.running():
        yield fake
    assert fake.problems == []


def context(
    fake: PagerDuty, targets=TARGETS, attempts: int = 1, cursor: str | None = None, **options: Any
) -> PullContext:
    auth = SourceAuth(header="Authorization", value=Secret("${PAGERDUTY_KEY}"))
    client = SourceClient(fake.url, auth, Limits(attempts=attempts))
    return PullContext("pagerduty", client, CONNECTOR.options_schema().load(options), targets, NOW, cursor)


def pull(fake: PagerDuty, **parts: Any) -> Batch:
    return joined(CONNECTOR, context(fake, **parts))


def ids(batch: Batch) -> list[str]:
    """The events' ids without the service, which each ends in."""
    assert all(event.source_event_id.endswith(f":{event.ref}") for event in batch.events)
    return [event.source_event_id.removesuffix(f":{event.ref}") for event in batch.events]


def values(batch: Batch, ref: str = CHECKOUT) -> dict[str, Any]:
    return {fact.key: fact.value for fact in batch.facts if fact.ref == ref}


def test_services_are_found_by_id_and_by_integration_key(account):
    batch = pull(account)
    assert {fact.ref for fact in batch.facts} == {CHECKOUT, SEARCH}
    assert batch.unmatched == ["Service PLONELY"]


def test_a_rotation_is_told_with_its_levels_and_everybody_on_the_first(account):
    found = values(pull(account))
    assert found["oncall.schedule.id"] == "S1"
    assert found["oncall.escalation.levels"] == 2
    assert found["oncall.members"] == 4
    assert "oncall.schedule.id" not in values(pull(account), SEARCH)


def test_gaps_and_shifts_are_counted_on_the_first_level_only(account):
    account.add_oncall("E1", "ann", NOW - 2 * DAY, NOW + 3 * DAY)
    account.add_oncall("E1", "ben", NOW + 2 * DAY, NOW + 10 * DAY)
    account.add_oncall("E1", "boss", NOW + 10 * DAY, NOW + 20 * DAY, level=2)
    account.add_oncall("E2", "eve", None, None)
    found = values(pull(account))
    assert found["oncall.covered_now"] is True
    assert found["oncall.gap_hours_14d"] == 4 * 24
    assert found["oncall.shifts_30d"] == 4
    always_on = values(pull(account), SEARCH)
    assert (always_on["oncall.gap_hours_14d"], always_on["oncall.shifts_30d"]) == (0, 60)


def test_who_is_on_call_now_is_named_and_who_was_or_will_be_is_not(account):
    account.add_oncall("E1", "ann", NOW - 2 * DAY, NOW + DAY)
    account.add_oncall("E1", "dan", None, None)
    account.add_oncall("E1", "ben", NOW + DAY, NOW + 2 * DAY)
    account.add_oncall("E1", "boss", NOW - DAY, NOW + DAY, level=2)
    assert values(pull(account))["oncall.now"] == ["ann", "dan"]
    assert "oncall.now" not in values(pull(account), SEARCH)


@pytest.mark.parametrize(
    ("zones", "told"),
    [
        (dict.fromkeys(("ann", "ben", "cat", "dan"), "Europe/Paris"), 1),
        ({"ann": "Europe/Paris", "ben": "Europe/London", "cat": "Europe/Kyiv", "dan": "Europe/Paris"}, 1),
        ({"ann": "Europe/Paris", "ben": "America/New_York", "cat": "Asia/Tokyo", "dan": "America/Toronto"}, 3),
        ({"ann": "Europe/Paris", "ben": "Europe/Paris", "cat": "Europe/Paris"}, None),
        ({"ann": "Europe/Paris", "ben": "../etc", "cat": "Nowhere/Town", "dan": "UTC"}, None),
        ({}, None),
    ],
)
def test_sites_are_told_by_time_zones_where_everybody_has_one(account, zones, told):
    account.add_users(**zones)
    assert values(pull(account)).get("oncall.sites") == told


def test_nobody_on_call_is_said(account):
    found = values(pull(account))
    assert found["oncall.covered_now"] is False
    assert found["oncall.gap_hours_14d"] == 14 * 24


def test_incidents_are_counted_and_timed(account):
    account.add_incident("I1", "PCHECK", NOW - 80 * DAY, NOW - 80 * DAY + HOUR, priority="P1")
    account.add_incident("I2", "PCHECK", NOW - 20 * DAY, NOW - 20 * DAY + 3 * HOUR, priority="P2")
    account.add_incident("I3", "PCHECK", NOW - HOUR, priority="P4", urgency="low")
    account.add_incident("I4", "PCHECK", NOW - 100 * DAY, NOW - 99 * DAY, priority="P1")
    account.add_incident("I5", "PLONELY", NOW - DAY)
    found = values(pull(account))
    assert found["incidents.open"] == 1
    assert found["incidents.count_30d"] == 2
    assert found["incidents.high_urgency_30d"] == 1
    assert found["incidents.sev12_90d"] == 2
    assert found["incidents.resolve_seconds_median_90d"] == 2 * 3600


def test_an_incident_that_stays_open_for_months_is_open_until_it_is_seen_to_end(account):
    account.add_incident("OLD", "PCHECK", NOW - 200 * DAY, priority="P1")
    account.add_incident("I1", "PCHECK", NOW - DAY, NOW - DAY + HOUR)
    first = pull(account)
    found = values(first)
    assert (found["incidents.open"], found["incidents.count_30d"], found["incidents.sev12_90d"]) == (1, 1, 0)
    assert ids(first) == ["I1:opened", "I1:resolved", "OLD:opened"]
    account.incidents[0] |= {"status": "resolved", "resolved_at": "2026-11-22T11:00:00Z"}
    again = pull(account, cursor=first.cursor)
    assert values(again)["incidents.open"] == 0
    assert values(again)["incidents.resolve_seconds_median_90d"] == 3600
    assert "OLD:resolved" in ids(again)
    account.requests.clear()
    pull(account, cursor=again.cursor)
    assert "/incidents/OLD" not in account.paths()


def test_without_priorities_nobody_can_say_how_severe(account):
    account.add_incident("I1", "PCHECK", NOW - DAY, NOW - DAY + HOUR)
    assert "incidents.sev12_90d" not in values(pull(account))
    assert values(pull(account), SEARCH)["incidents.sev12_90d"] == 0  # it had no incident at all


def test_incidents_enter_the_history_with_their_own_ids(account):
    account.add_incident("I1", "PCHECK", NOW - DAY, NOW - DAY + HOUR, title="Card payments fail", priority="P1")
    account.add_incident("I2", "PCHECK", NOW - HOUR)
    events = pull(account).events
    assert ids(pull(account)) == ["I1:opened", "I1:resolved", "I2:opened"]
    assert [event.kind for event in events] == ["incident.opened", "incident.resolved", "incident.opened"]
    assert events[1].details["lasted_seconds"] == 3600
    assert (events[0].details["priority"], events[0].details["severity"]) == ("P1", "sev1")
    assert "severity" not in events[2].details
    assert "Card payments fail" in events[0].summary


def test_services_that_are_one_in_pagerduty_are_each_told_of_its_incidents(account):
    account.add_incident("I1", "PCHECK", NOW - DAY, NOW - DAY + HOUR)
    twin = Target("component:default/checkout-worker", "checkout-worker", TARGETS[0].annotations)
    events = pull(account, targets=(TARGETS[0], twin)).events
    assert {event.source_event_id for event in events} == {
        f"I1:{what}:{ref}" for what in ("opened", "resolved") for ref in (CHECKOUT, twin.ref)
    }


def test_a_severity_that_came_after_the_opening_is_an_event_and_told_once(account):
    account.add_incident("I1", "PCHECK", NOW - DAY)
    account.add_incident("I2", "PCHECK", NOW - DAY, priority="P3")
    first = pull(account)
    account.incidents[0] |= {
        "priority": {"id": "P1", "type": "priority", "summary": "P1"},
        "updated_at": "2026-11-22T10:00:00Z",
    }
    second = pull(account, cursor=first.cursor)
    told = [event for event in second.events if event.kind == "incident.severity_changed"]
    assert [(one.details["incident"], one.details["severity"], one.occurred_at.hour) for one in told] == [
        ("I1", "sev1", 10)
    ]
    account.incidents[0]["priority"]["summary"] = "P2"
    third = pull(account, cursor=second.cursor)
    again = [event for event in third.events if event.kind == "incident.severity_changed"]
    assert [(one.details["severity"], one.details["was"]) for one in again] == [("sev2", "sev1")]
    fourth = pull(account, cursor=third.cursor)
    assert [event for event in fourth.events if event.kind == "incident.severity_changed"] == []
    assert [event for event in pull(account).events if event.kind == "incident.severity_changed"] == []


@pytest.mark.parametrize(
    ("priority", "urgency", "options", "severity"),
    [
        ("P2", "high", {}, "sev2"),
        ("sev-3", "high", {}, "sev3"),
        ("Major", "high", {"severities": {"major": "sev1"}}, "sev1"),
        ("Unheard of", "high", {"urgencies": {"high": "sev2"}}, None),
        (None, "high", {"urgencies": {"high": "sev2"}}, "sev2"),
        (None, "low", {"urgencies": {"high": "sev2"}}, None),
    ],
)
def test_severity_is_what_the_account_means_by_it(account, priority, urgency, options, severity):
    account.add_incident("I1", "PCHECK", NOW - DAY, priority=priority, urgency=urgency)
    batch = pull(account, **options)
    assert batch.events[0].details.get("severity") == severity
    severe = values(batch).get("incidents.sev12_90d")
    assert severe == (severity in ("sev1", "sev2") if priority or severity else None)


def test_analytics_tell_how_soon_somebody_answered_and_which_pages_asked_for_action(account):
    for number, answer in enumerate(
        (
            {"acknowledgement_count": 1, "seconds_to_first_ack": 60, "auto_resolved": True},
            {"acknowledgement_count": 2, "seconds_to_first_ack": 180, "auto_resolved": False},
            {"auto_resolved": True},
            {"auto_resolved": False},
        )
    ):
        account.add_incident(f"I{number}", "PCHECK", NOW - (number + 1) * DAY, NOW - number * DAY)
        account.answers[f"I{number}"] = answer
    account.add_incident("OLD", "PCHECK", NOW - 60 * DAY, NOW - 59 * DAY)
    account.add_incident("LOW", "PCHECK", NOW - DAY, NOW, urgency="low")
    found = values(pull(account))
    assert found["incidents.acknowledge_seconds_median_90d"] == 120
    assert found["alerts.paging.actionable_ratio_30d"] == 0.75
    assert "alerts.paging.actionable_ratio_30d" not in values(pull(account), SEARCH)


@pytest.mark.parametrize("status", [403, 404, 402])
def test_a_plan_without_analytics_costs_only_their_facts(account, status):
    account.add_incident("I1", "PCHECK", NOW - DAY, NOW)
    account.analytics_refused = status
    batch = pull(account)
    assert [fault.scope for fault in batch.faults] == ["analytics"]
    assert values(batch)["incidents.count_30d"] == 1
    assert "incidents.acknowledge_seconds_median_90d" not in values(batch)


def test_lists_are_read_page_by_page_and_never_by_service(account):
    for number in range(250):
        account.add_incident(f"X{number:03}", "PCHECK", NOW - timedelta(minutes=number + 1))
    batch = pull(account)
    assert len(batch.events) == 250
    paths = account.paths()
    assert {path: paths.count(path) for path in paths} == {
        "/services": 1,
        "/escalation_policies": 1,
        "/schedules": 1,
        "/oncalls": 1,
        "/users": 1,
        "/incidents": 3 + 3 + 1,  # those of 90 days; the triggered ones; the acknowledged ones
        "/analytics/raw/incidents": 3,
    }


def test_more_incidents_than_an_offset_may_reach_are_read_in_stretches(account, monkeypatch):
    monkeypatch.setattr(api, "OFFSET_CAP", 300)
    account.offset_cap = 300
    for number in range(700):
        account.add_incident(f"X{number:03}", "PCHECK", NOW - timedelta(minutes=700 - number))
    events = pull(account).events
    assert len({event.source_event_id for event in events}) == len(events) == 700


def test_a_page_may_be_short_or_empty_and_more_behind_it(account):
    account.add_incident("I1", "PCHECK", NOW - DAY, NOW - DAY + HOUR)
    account.empty_pages |= {"services", "incidents", "oncalls", "schedules"}
    account.page_limit = 3
    batch = pull(account)
    assert values(batch)["oncall.members"] == 4
    assert ids(batch) == ["I1:opened", "I1:resolved"]


def test_on_calls_that_are_longer_than_an_offset_may_reach_are_asked_for_by_fewer_policies(account, monkeypatch):
    monkeypatch.setattr(api, "OFFSET_CAP", 200)
    account.offset_cap = 200
    for number in range(150):
        start = NOW - 14 * DAY + number * HOUR
        for policy in ("E1", "E2"):
            account.add_oncall(policy, "ann", start, start + HOUR)
    assert values(pull(account))["oncall.shifts_30d"] == 12.5
    assert account.paths().count("/oncalls") == 2 + 2 + 2


def test_a_list_that_is_longer_than_can_be_asked_for_is_told_and_not_cut(account, monkeypatch):
    monkeypatch.setattr(api, "OFFSET_CAP", 100)
    account.offset_cap = 100
    account.add_users(**{f"u{number}": "Europe/London" for number in range(150)})
    batch = pull(account)
    assert "users are more than 100" in {fault.scope: fault.message for fault in batch.faults}["users"]
    assert "oncall.sites" not in values(batch)


def test_an_id_that_the_key_cannot_see_is_a_fault(account):
    batch = pull(account, targets=(Target(CHECKOUT, "checkout", {"pagerduty.com/service-id": "PGONE"}),))
    assert "PGONE" in batch.faults[0].message
    assert not batch.facts


def test_an_account_that_lists_no_service_is_told_as_a_missing_right(account):
    account.faults.append(Fault(200, '{"services": [], "more": false}', path="/services"))
    with pytest.raises(PullFailed, match="lists no service") as failed:
        pull(account)
    assert failed.value.kind is FailureKind.PERMISSION


def test_the_check_tells_no_match_from_no_permission(account):
    assert "knows 2 of 3 services" in CONNECTOR.check(context(account))
    with pytest.raises(PullFailed) as failed:
        CONNECTOR.check(context(account, targets=(Target(OTHER, "o", {"pagerduty.com/service-id": "NO"}),)))
    assert failed.value.kind is FailureKind.MISCONFIGURED
    account.token = "another"
    with pytest.raises(PullFailed) as failed:
        CONNECTOR.check(context(account))
    assert failed.value.kind is FailureKind.CREDENTIALS


def test_a_request_too_many_is_tried_again_when_the_server_says(account):
    account.faults.append(Fault(429, "{}", {"ratelimit-reset": "1", "Retry-After": "1"}, path="/incidents"))
    account.add_incident("I1", "PCHECK", NOW - DAY)
    assert len(pull(account, attempts=3).events) == 1


@pytest.mark.parametrize("fault", [html(), Fault(200, "{}"), Fault(200, '{"services": {}}')])
def test_an_answer_that_is_no_list_is_a_bad_answer(account, fault):
    account.faults.append(fault)
    with pytest.raises(PullFailed) as failed:
        pull(account)
    assert failed.value.kind is FailureKind.BAD_ANSWER


def test_a_failure_in_the_middle_stores_nothing_half_true(account):
    account.faults.append(Fault(500, "{}", path="/incidents"))
    with pytest.raises(PullFailed):
        pull(account)


def test_overlapping_stretches_count_once():
    stretches = [(NOW, NOW + 3 * HOUR), (NOW + HOUR, NOW + 2 * HOUR), (NOW + 5 * HOUR, NOW + 9 * HOUR)]
    assert covered_time(stretches, NOW, NOW + 6 * HOUR) == 4 * HOUR
    assert covered_time([], NOW, NOW + HOUR) == timedelta()
