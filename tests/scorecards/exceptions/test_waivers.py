"""Exemptions from checks: two people, a reason, something instead, an end."""

from threading import Thread
from uuid import uuid4

import pytest
from sqlalchemy import select

from engagements.models import HistoryEvent
from portal_backend import exception_events
from portal_backend.core import auth, clock
from portal_backend.core.principal import Principal, Role
from scorecards.exceptions.loading import load_in_force
from scorecards.exceptions.models import WaiverRow
from tests.scorecards.exceptions.conftest import QUILL
from tests.scorecards.samples import DAY, NOW

REF = "component:default/quill"
CHECK = "cap.limits"
ALL = "/api/scorecards/waivers"
ASKED = {
    "check": CHECK,
    "reason": "The platform moves to new nodes until March.",
    "compensating_control": "The namespace has a quota.",
    "until": "2027-03-31T00:00:00Z",
}
BODY = {"reason": "Agreed in the weekly meeting."}


def ask(call, name="ann", roles=(Role.DEV_LEAD,), **changes):
    return call(name, list(roles), "post", f"{QUILL}/waivers", {**ASKED, **changes})


def decide(call, id_, verb="approve", name="sue", roles=(Role.SRE_LEAD,), **body):
    return call(name, list(roles), "post", f"{ALL}/{id_}/{verb}", body)


def waived(session, now=NOW):
    session.expire_all()
    found = load_in_force(session, [REF], now).get(REF)
    return set(found.waivers) if found else set()


def events(session):
    session.expire_all()
    query = select(HistoryEvent).where(HistoryEvent.entity_ref == REF, HistoryEvent.kind.like("waiver.%"))
    return [event.kind for event in session.scalars(query.order_by(HistoryEvent.sequence))]


def result(call, check=CHECK):
    card = call("reader", [], "get", f"{QUILL}/scorecard").json
    return next(one for one in card["results"] if one["check"] == check)


def test_a_waiver_counts_once_a_second_person_has_approved_it(call, session):
    asked = ask(call)
    assert asked.status_code == 200, asked.json
    assert (asked.json["state"], asked.json["requested_by"]) == ("requested", "ann")
    assert waived(session) == set()
    granted = decide(call, asked.json["id"])
    assert (granted.json["state"], granted.json["decided_by"]) == ("approved", "sue")
    assert waived(session) == {CHECK}
    counted = load_in_force(session, [REF], NOW)[REF].waivers[CHECK]
    assert (counted.requested_by, counted.approved_by, counted.since) == ("ann", "sue", NOW)
    assert events(session) == ["waiver.requested", "waiver.granted"]
    assert result(call)["status"] == "waived"


def test_whoever_asked_decides_nothing_whatever_the_role(call, session):
    id_ = ask(call, name="sue", roles=[Role.SRE_MANAGER]).json["id"]
    for verb in ("approve", "reject"):
        answer = decide(call, id_, verb, "sue", [Role.ADMINISTRATOR], **BODY)
        assert answer.status_code == 409
        assert [fault["field"] for fault in answer.json["errors"]] == ["second_person"]
    assert waived(session) == set()


def test_without_authentication_the_refusal_says_how_there_comes_to_be_a_second_person(call):
    administrator = ("local-administrator", (Role.ADMINISTRATOR,))
    asked = ask(call, *administrator).json
    refused = decide(call, asked["id"], "approve", *administrator)
    assert refused.status_code == 409
    assert "until `authentication.service_tokens` is true in portal.yaml" in refused.json["errors"][0]["message"]


@pytest.mark.parametrize("role", [Role.DEV, Role.DEV_LEAD, Role.SRE, Role.PLATFORM_OWNER])
def test_only_a_lead_or_manager_of_sre_decides(call, role):
    id_ = ask(call).json["id"]
    answer = decide(call, id_, "approve", "bob", [role])
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (403, "role")


def test_every_guard_that_fails_is_named_at_once(call):
    id_ = ask(call).json["id"]
    decide(call, id_)
    answer = decide(call, id_, "reject", "ann", [Role.DEV], **BODY)
    assert answer.status_code == 409
    assert [fault["field"] for fault in answer.json["errors"]] == ["state", "second_person", "role"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"until": "2027-05-21T12:00:01Z"}, "until"),
        ({"until": "2026-11-22T12:00:00Z"}, "until"),
        ({"until": None}, "until"),
        ({"until": "0001-01-01T00:00:00+14:00"}, "until"),
        ({"reason": "later"}, "reason"),
        ({"compensating_control": ""}, "compensating_control"),
        ({"check": "no.such"}, "check"),
        ({"state": "approved"}, "state"),
        ({"renews": "x"}, "renews"),
        ({"reason": "x" * 4001}, "reason"),
    ],
)
def test_what_no_waiver_can_rest_on_is_refused_with_the_field_at_fault(call, changes, field):
    answer = ask(call, **changes)
    assert answer.status_code == 400, answer.json
    assert [fault["field"] for fault in answer.json["errors"]] == [field]


def test_without_reason_control_or_end_nothing_is_asked_for(call):
    answer = call("ann", [Role.DEV_LEAD], "post", f"{QUILL}/waivers", {"check": CHECK})
    assert answer.status_code == 400
    assert {fault["field"] for fault in answer.json["errors"]} == {
        "reason",
        "compensating_control",
        "until",
    }


def test_180_days_are_the_longest(call):
    assert ask(call, until="2027-05-21T12:00:00Z").status_code == 200


def test_an_approval_may_shorten_a_waiver_and_not_extend_it(call, session):
    id_ = ask(call).json["id"]
    assert decide(call, id_, until="2027-04-01T00:00:00Z").status_code == 400
    assert decide(call, id_, until="2026-11-22T12:00:00Z").status_code == 400
    granted = decide(call, id_, until="2026-12-31T00:00:00Z")
    assert granted.json["until"] == "2026-12-31T00:00:00Z"
    assert waived(session, NOW + 38 * DAY) == {CHECK}
    assert waived(session, NOW + 39 * DAY) == set()


def test_an_expired_waiver_stops_counting_by_itself_and_the_history_says_so_once(call, session, at, app):
    decide(call, ask(call).json["id"])
    before = call("x", [], "get", f"{QUILL}/scorecard").json
    assert before["valid_until"] <= "2027-03-31T00:00:00Z"
    at(NOW + 130 * DAY)
    assert waived(session, NOW + 130 * DAY) == set()
    assert result(call)["status"] == "unknown"
    assert [one["state"] for one in call("x", [], "get", f"{ALL}?state=expired").json["items"]] == ["expired"]
    with app.app_context():
        assert [exception_events.record_expiries(), exception_events.record_expiries()] == [1, 0]
    assert events(session)[-1] == "waiver.expired"
    told = call("x", [], "get", f"{QUILL}/history?kind=waiver.expired").json["items"][0]
    assert told["occurred_at"] == "2027-03-31T00:00:00Z"
    assert told["recorded_at"] == clock.format_time(NOW + 130 * DAY), "when the worker came by"
    assert [one["state"] for one in call("x", [], "get", f"{ALL}?state=expired").json["items"]] == ["expired"]
    assert call("x", [], "get", f"{ALL}?state=approved").json["items"] == []


def test_a_request_whose_end_has_passed_cannot_be_approved(call, at):
    id_ = ask(call).json["id"]
    at(NOW + 130 * DAY)
    answer = decide(call, id_)
    assert answer.status_code == 409
    assert "has passed" in answer.json["detail"]
    assert decide(call, id_, "reject", **BODY).json["state"] == "rejected"


def test_a_renewal_is_a_new_request_that_names_the_old_and_takes_its_place(call, session, at):
    old = ask(call).json["id"]
    decide(call, old)
    at(NOW + 100 * DAY)
    later = {"until": "2027-06-30T00:00:00Z"}
    refused = ask(call, **later)
    assert refused.status_code == 409
    assert old in refused.json["detail"]
    assert ask(call, **later, renews=str(uuid4())).status_code == 409
    new = ask(call, **later, renews=old).json["id"]
    assert waived(session, NOW + 100 * DAY) == {CHECK}
    decide(call, new)
    states = {one["id"]: one["state"] for one in call("x", [], "get", f"{QUILL}/waivers").json["items"]}
    assert states == {old: "ended", new: "approved"}
    assert load_in_force(session, [REF], NOW + 100 * DAY)[REF].waivers[CHECK].id == new


def test_one_request_at_a_time_waits_for_a_check(call):
    first = ask(call).json["id"]
    answer = ask(call, name="bob", reason="We never had the time for it.")
    assert answer.status_code == 409
    assert first in answer.json["detail"]
    assert ask(call, check="obs.golden").status_code == 200


def test_repeating_a_request_or_a_decision_changes_nothing(call, session):
    asked = [ask(call).json for _ in range(2)]
    assert asked[0] == asked[1]
    granted = [decide(call, asked[0]["id"]).json for _ in range(2)]
    assert granted[0] == granted[1]
    assert events(session) == ["waiver.requested", "waiver.granted"]


def test_a_request_with_an_id_of_ones_own_is_known_by_it_after_the_decision_too(call, session):
    id_ = str(uuid4())
    ask(call, id=id_)
    decide(call, id_, until="2027-01-31T00:00:00Z")
    assert ask(call, id=id_).json["state"] == "approved"
    assert ask(call, id=id_, check="obs.golden").status_code == 409
    assert events(session) == ["waiver.requested", "waiver.granted"]


def test_two_people_ask_at_once_and_one_request_waits(call, app, session):
    answers = []
    call("ann", [Role.DEV_LEAD], "get", ALL)

    def send(reason: str) -> None:
        answers.append(app.test_client().post(f"{QUILL}/waivers", json={**ASKED, "reason": reason}).status_code)

    threads = [Thread(target=send, args=(f"The reason of number {number}.",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 409, 409]
    assert len(session.scalars(select(WaiverRow)).all()) == 1


def test_two_leads_decide_at_once_and_one_decision_stands(call, app, session, monkeypatch):
    id_ = ask(call).json["id"]
    answers = []
    monkeypatch.setattr(auth, "LOCAL_ADMINISTRATOR", Principal("sue", frozenset({Role.SRE_LEAD}), frozenset({"*"})))

    def send(verb: str) -> None:
        answers.append(app.test_client().post(f"{ALL}/{id_}/{verb}", json=BODY).status_code)

    threads = [Thread(target=send, args=(verb,)) for verb in ("approve", "reject")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 409]
    assert len(events(session)) == 2


def test_a_request_is_withdrawn_by_whoever_made_it(call, session):
    id_ = ask(call).json["id"]
    assert decide(call, id_, "end", "sue", [Role.SRE_LEAD], **BODY).status_code == 403
    answers = [decide(call, id_, "end", "ann", [], **BODY) for _ in range(2)]
    assert [(one.status_code, one.json["state"]) for one in answers] == [(200, "withdrawn")] * 2
    assert decide(call, id_).status_code == 409
    assert events(session) == ["waiver.requested", "waiver.withdrawn"]


def test_a_waiver_is_ended_before_its_time(call, session):
    id_ = ask(call).json["id"]
    decide(call, id_)
    assert decide(call, id_, "end", "bob", [Role.DEV], **BODY).status_code == 403
    assert decide(call, id_, "end", "sam", [Role.SRE]).status_code == 400
    assert decide(call, id_, "end", "sam", [Role.SRE], **BODY).json["state"] == "ended"
    assert decide(call, id_, "end", "ann", [], **BODY).status_code == 409
    assert waived(session) == set()
    assert result(call)["status"] == "unknown"


def test_the_fleet_list_is_filtered_and_paged(call):
    ids = [ask(call, check=check).json["id"] for check in ("cap.limits", "obs.golden", "cap.autoscale")]
    decide(call, ids[0])
    decide(call, ids[1], "reject", **BODY)
    seen, cursor = [], ""
    while cursor is not None:
        page = call("x", [], "get", f"{ALL}?limit=1{cursor and '&cursor='}{cursor}").json
        seen += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
    assert sorted(seen) == sorted(ids)

    def listed(query):
        return [one["id"] for one in call("x", [], "get", f"{ALL}?{query}").json["items"]]

    assert listed("state=approved") == [ids[0]]
    assert listed("state=rejected&state=requested&check=obs.golden") == [ids[1]]
    assert listed("expiring_before=2027-04-01T00:00:00Z") == [ids[0]]
    assert listed("expiring_before=2027-03-01T00:00:00Z") == []
    assert listed("by=bob") == []
    assert len(listed("owner=Bards")) == 3
    assert listed("owner=scribes") == []
    assert call("x", [], "get", f"{ALL}?state=open").status_code == 400
    assert call("x", [], "get", f"{ALL}?owner=bards%00").status_code == 400
    assert call("x", [], "get", f"{ALL}?owner=group:").status_code == 400
    assert call("x", [], "get", f"{ALL}/{uuid4()}").status_code == 404


def test_the_history_holds_the_whole_waiver(call, session):
    id_ = ask(call).json["id"]
    decide(call, id_, reason="The quota is enough until then.")
    event = session.scalars(select(HistoryEvent).where(HistoryEvent.kind == "waiver.granted")).one()
    state = event.details["state"]
    assert (event.actor, state["requested_by"], state["compensating_control"]) == (
        "sue",
        "ann",
        ASKED["compensating_control"],
    )
    assert "until 2027-03-31" in event.summary
