"""Webhooks on the levels of axes: told once, by axis, owner and direction, and to nobody who did not ask."""

import json

import pytest

from scorecards.scorecard import update
from tests.scorecards.conftest import REF
from tests.scorecards.samples import MINUTE, NOW
from tests.scorecards.webhooks.receiving import HOOKS, LOCAL, deliver, enqueue, subscribe

BOTH = ["scorecard.level_changed", "scorecard.axis_level_changed"]
AXES = {"events": BOTH[1:]}
LATER = NOW + MINUTE


def rejudged(session, judged, now=LATER, **facts):
    """Judge again after something changed, as the pipeline does; return how many messages were queued."""
    judged.observe(facts, now=now)
    moved = update(session, judged.judging, {REF}, now)
    count = enqueue(session, judged.judging, moved, {REF}, LOCAL, now)
    session.commit()
    return count


def without_limits(session, judged, now=LATER):
    return rejudged(session, judged, now, **{"runtime.resources.set": False})


def told(receiver):
    return [json.loads(body) for _, _, body in receiver.taken]


def test_an_axis_that_falls_is_told_with_its_cause(judged, client, session, app, receiver):
    hook = subscribe(client, receiver, **AXES)
    assert hook["events"] == BOTH[1:]
    assert without_limits(session, judged) == 1
    deliver(app, LATER)
    (message,) = told(receiver)
    assert message["type"] == "scorecard.axis_level_changed"
    data = message["data"]
    assert (data["axis"], data["direction"], data["to"], data["checks"]) == ("capacity", "fell", "L0", ["cap.limits"])
    assert data["from"] > "L0"
    assert (data["service"], data["owner"], data["cause"]) == (REF, "group:default/bards", "service_changed")
    assert data["sentence"] == f"capacity: Fell from {data['from']} to L0 by cap.limits: the service changed."


def test_the_same_judgement_handed_in_again_makes_no_second_message(judged, client, session, app, receiver):
    subscribe(client, receiver, **AXES)
    without_limits(session, judged)
    enqueue(session, judged.judging, [], {REF}, LOCAL, LATER)
    session.commit()
    assert deliver(app, LATER) == 1
    assert without_limits(session, judged, LATER + MINUTE) == 0


def test_who_did_not_ask_for_axes_is_told_of_levels_alone(judged, client, session, app, receiver):
    hook = subscribe(client, receiver)
    assert hook["events"] == BOTH[:1]
    without_limits(session, judged)
    deliver(app, LATER)
    assert {message["type"] for message in told(receiver)} <= {"scorecard.level_changed"}
    assert subscribe(client, receiver, events=BOTH)["id"] != hook["id"]
    assert subscribe(client, receiver, events=BOTH[:1])["id"] == hook["id"]


@pytest.mark.parametrize(
    ("chosen", "count"),
    [
        ({"axis": "capacity", "direction": "fell"}, 1),
        ({"axis": "change"}, 0),
        ({"direction": "rose"}, 0),
        ({"owner": "group:default/bards"}, 1),
        ({"owner": "group:default/others"}, 0),
        ({"service": "component:default/quill"}, 0),
    ],
)
def test_a_filter_lets_through_what_it_names(judged, client, session, receiver, chosen, count):
    subscribe(client, receiver, filter=chosen, **AXES)
    assert without_limits(session, judged) == count


@pytest.mark.parametrize("events", [[], ["scorecard.deleted"], "scorecard.level_changed"])
def test_other_events_are_refused(judged, client, receiver, events):
    answer = client.post(HOOKS, json={"url": receiver.url, "events": events})
    assert (answer.status_code, "events" in str(answer.json["errors"])) == (400, True)
