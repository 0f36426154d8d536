"""Answers that hold the moment of asking: asked again with their ETag, they are a 304 until something else changed."""

from datetime import timedelta

import pytest

from engagements import history
from engagements.history import NewEvent
from engagements.unchanged import tag_without
from portal_backend.core.clock import format_time
from tests.engagements.conftest import NOW, component, ref

PATHS = [
    "/api/services/component/default/globe/incident-view",
    "/api/engagements/meetings/upcoming",
    "/api/engagements/meetings/upcoming?service=component:default/globe",
    "/api/engagements/fleet/queue",
    "/api/engagements/fleet/shares",
    "/api/engagements/{engagement}/incident-review",
]


@pytest.fixture
def at(monkeypatch):
    """Set the clock, so many seconds after the beginning."""
    return lambda seconds: monkeypatch.setenv("PORTAL_CLOCK", format_time(NOW + timedelta(seconds=seconds)))


@pytest.fixture
def engagement(app, client, catalog_of, session, at):
    """Return an engagement with a service whose alert fires."""
    catalog_of(component("globe", annotations={"criticality": "T1"}))
    fired = NewEvent(ref("globe"), "alert.fired", NOW - timedelta(hours=5), "prometheus", "a1", "Errors",
                     details={"alert": "Errors"})  # fmt: skip
    opened = NewEvent(ref("globe"), "incident.opened", NOW - timedelta(hours=5), "pagerduty", "i1", "It is down",
                      details={"incident": "i1", "severity": "sev1"})  # fmt: skip
    history.record(session, [fired, opened], NOW)
    session.commit()
    at(0)
    asked = {"entity_ref": ref("globe"), "model": "simple_prr", "reason": "our front door"}
    return client.post("/api/engagements", json=asked).json["id"]


@pytest.mark.parametrize("path", PATHS)
def test_the_time_alone_is_no_news(client, at, engagement, path):
    where = path.format(engagement=engagement)
    at(10)
    first = client.get(where)
    assert first.status_code == 200, first.text
    at(40)
    again = client.get(where, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("path", [PATHS[0], PATHS[1], PATHS[5]])
def test_what_happened_is_news(client, at, session, engagement, path):
    where = path.format(engagement=engagement)
    first = client.get(where)
    happened = [
        NewEvent(ref("globe"), "alert.fired", NOW + timedelta(seconds=1), "prometheus", "a2", "Slow",
                 details={"alert": "Slow"}),
        NewEvent(ref("globe"), "incident.opened", NOW + timedelta(seconds=1), "pagerduty", "i2", "It is slow",
                 details={"incident": "i2", "severity": "sev2"}),
    ]  # fmt: skip
    history.record(session, happened, NOW + timedelta(seconds=2))
    session.commit()
    at(10)
    again = client.get(where, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 200
    assert again.headers["ETag"] != first.headers["ETag"]


def test_a_sentence_that_tells_an_age_is_news_once_it_reads_otherwise(client, at, engagement):
    first = client.get(PATHS[0])
    at(3 * 3600)
    again = client.get(PATHS[0], headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 200
    assert again.json["headline"] != first.json["headline"]


def test_the_fields_are_left_out_wherever_they_stand():
    told = {"at": 1, "items": [{"at": 2, "value": 3}]}
    same = {"at": 7, "items": [{"at": 8, "value": 3}]}
    other = {"at": 1, "items": [{"at": 2, "value": 4}]}
    assert tag_without(told, ["at"]) == tag_without(same, ["at"])
    assert tag_without(told, ["at"]) != tag_without(other, ["at"])
