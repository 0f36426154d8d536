"""The fleet over time: points by day and week, per axis and group, equal to what each service says of itself."""

from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, event

from portal_backend.core import clock
from scorecards import timeline
from scorecards.judging import init_app
from scorecards.scorecard import update
from tests.scorecards.conftest import QUILL, REF
from tests.scorecards.samples import DAY, NOW

TREND = "/api/scorecards/fleet/trend"


@pytest.fixture
def history(company, session, app, monkeypatch):
    """Shakespeare loses its limits on the second day and has them again on the third; quill comes on the first."""
    update(session, company.judging, {REF}, NOW)
    update(session, company.judging, {QUILL}, NOW + DAY)
    for days, fact in ((1.5, {"runtime.resources.set": False}), (2.5, {"runtime.resources.set": True})):
        now = NOW + days * DAY
        company.observe(fact, now=now)
        update(session, company.judging, {REF}, now)
    session.commit()
    monkeypatch.setenv(clock.VARIABLE, clock.format_time(NOW + 5 * DAY))
    return company


@contextmanager
def counted_queries():
    seen = []

    def count(_connection, _cursor, statement, *_):
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", count)
    yield seen
    event.remove(Engine, "before_cursor_execute", count)


def moment(days):
    return clock.format_time(NOW + timedelta(days=days))


def asked(client, **query):
    answer = client.get(TREND, query_string={"from": moment(0), "to": moment(4), "step": "day", **query})
    assert answer.status_code == 200, answer.json
    return answer.json


def test_each_day_has_a_point_per_axis(history, client):
    told = asked(client)
    assert [point["at"] for point in told["points"]] == [moment(day) for day in range(5)]
    assert [point["services"] for point in told["points"]] == [1, 2, 2, 2, 2]
    capacity = [point["axes"]["capacity"]["percent"] for point in told["points"]]
    assert capacity[1] > capacity[2] < capacity[3] == capacity[4]
    assert sum(told["points"][-1]["axes"]["capacity"]["levels"].values()) == 2


def test_the_points_are_the_means_of_what_each_service_says(history, client, session):
    points = asked(client, owner="group:default/bards")["points"]
    for day, point in enumerate(points[1:], 1):
        own = [timeline.scorecard_at(session, history.judging, ref, NOW + day * DAY) for ref in (REF, QUILL)]
        assert point["percent"] == pytest.approx(sum(one["percent"] for one in own) / 2, abs=0.06)
        assert point["coverage"] == pytest.approx(sum(one["coverage"] for one in own) / 2, abs=0.06)
        for place, axis in enumerate(point["axes"]):
            levels = sorted(one["axes"][place]["level"] for one in own if one["axes"][place]["level"])
            told = point["axes"][axis]["levels"]
            assert sorted(level for level, count in told.items() for _ in range(count)) == levels


def test_a_week_ends_where_the_span_does(history, client):
    told = asked(client, step="week")
    assert [point["at"] for point in told["points"]] == [moment(0), moment(4)]
    assert told["points"][-1] == asked(client)["points"][-1]


def test_groups_are_told_apart(history, client):
    told = asked(client, group_by="owner")
    assert [one["group"] for one in told["groups"]] == ["group:default/bards"]
    assert told["groups"][0]["points"] == told["points"]
    assert asked(client, group_by="system")["groups"][0]["group"] is None
    assert asked(client, owner="group:default/others")["services"] == 0
    assert asked(client, criticality="T1", group_by="criticality")["more_groups"] == 0


def test_tiers_are_told_by_whoever_knows_them(history, client, app):
    tiers = lambda _session, refs: {ref: "full_sre" for ref in refs if ref == REF}  # noqa: E731
    init_app(app, replace(history.judging, tiers=tiers))
    told = asked(client, group_by="tier")
    assert [one["group"] for one in told["groups"]] == ["full_sre", None]
    assert asked(client, tier="full_sre")["services"] == 1


def test_it_takes_the_same_queries_however_long_the_span(history, client):
    with counted_queries() as short:
        asked(client)
    with counted_queries() as long:
        asked(client, **{"from": moment(-90)})
    assert len(short) == len(long) <= 6


@pytest.mark.parametrize(
    "query",
    [
        {"from": moment(4)},
        {"from": moment(-200)},
        {"step": "month"},
        {"group_by": "colour"},
        {"colour": "red"},
        {"from": "yesterday"},
    ],
)
def test_a_bad_question_is_refused(client, session, query):
    answer = client.get(TREND, query_string={"from": moment(0), "to": moment(4), "step": "day", **query})
    assert answer.status_code == 400


def test_the_picture_is_cached_and_names_what_it_shows(history, client):
    answer = client.get(f"{TREND}.svg", query_string={"axis": "capacity", "owner": "group:default/bards"})
    assert (answer.status_code, answer.mimetype) == (200, "image/svg+xml")
    assert "Readiness of owner group:default/bards: Capacity" in answer.text
    again = client.get(
        f"{TREND}.svg",
        query_string={"axis": "capacity", "owner": "group:default/bards"},
        headers={"If-None-Match": answer.headers["ETag"]},
    )
    assert again.status_code == 304
    assert client.get(f"{TREND}.svg", query_string={"group_by": "owner"}).status_code == 400
