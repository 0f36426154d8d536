"""What people vouch for where no source can show it."""

from datetime import timedelta
from threading import Thread
from uuid import uuid4

import pytest
from sqlalchemy import select

from engagements.models import HistoryEvent
from portal_backend import exception_events
from portal_backend.core.principal import Role
from scorecards.exceptions import settings
from scorecards.exceptions.loading import load_in_force
from scorecards.exceptions.models import AttestationRow
from tests.scorecards.exceptions.conftest import ATTESTABLE, MEASURED, QUILL, SHAKESPEARE
from tests.scorecards.samples import DAY, NOW

REF = "component:default/quill"
LEAD = [Role.DEV_LEAD]
GIVEN = {
    "check": ATTESTABLE,
    "holds": True,
    "statement": "Every user-visible failure is counted at the front end.",
    "evidence_url": "https://wiki.example/quill/failures",
}


def attest(call, path=QUILL, name="ann", roles=LEAD, **changes):
    return call(name, roles, "post", f"{path}/attestations", {**GIVEN, **changes})


def events(session, ref=REF):
    session.expire_all()
    query = select(HistoryEvent).where(HistoryEvent.entity_ref == ref, HistoryEvent.kind.like("attestation.%"))
    return [event.kind for event in session.scalars(query.order_by(HistoryEvent.sequence))]


def status_of(call, check=ATTESTABLE, path=QUILL):
    card = call("reader", [], "get", f"{path}/scorecard").json
    return next(result for result in card["results"] if result["check"] == check)["status"]


def test_an_attestation_says_who_vouches_for_what_and_until_when(call, session):
    answer = attest(call)
    assert answer.status_code == 200, answer.json
    assert answer.json | {"id": ""} == {
        "id": "",
        "ref": REF,
        "check": ATTESTABLE,
        "check_version": 1,
        "holds": True,
        "statement": GIVEN["statement"],
        "evidence_url": GIVEN["evidence_url"],
        "attested_by": "ann",
        "attested_at": "2026-11-22T12:00:00Z",
        "expires_at": "2027-05-21T12:00:00Z",
        "state": "in_force",
        "ended_at": None,
        "ended_by": None,
        "end_reason": None,
    }
    counted = load_in_force(session, [REF], NOW)[REF]
    assert counted.attestations[ATTESTABLE].id == answer.json["id"]
    assert counted.changes_at == NOW + 180 * DAY
    assert load_in_force(session, None, NOW + 180 * DAY) == {}
    assert events(session) == ["attestation.given"]


def test_the_service_is_judged_again_at_once(call):
    assert status_of(call) == "unknown"
    attest(call)
    assert status_of(call) == "pass"
    attest(call, holds=False, statement="The search box fails without being counted.")
    assert status_of(call) == "fail"


def test_an_attestation_that_has_expired_counts_no_longer_and_the_history_says_so_once(call, session, at, app):
    attest(call)
    at(NOW + 181 * DAY)
    assert status_of(call) == "unknown"
    assert call("ann", [], "get", f"{QUILL}/attestations").json["items"][0]["state"] == "expired"
    with app.app_context():
        assert [exception_events.record_expiries(), exception_events.record_expiries()] == [1, 0]
    assert events(session) == ["attestation.given", "attestation.expired"]
    assert call("ann", [], "get", f"{QUILL}/attestations").json["items"][0]["state"] == "expired"


def test_a_measured_check_is_not_attested_and_the_reason_is_told(call):
    answer = attest(call, SHAKESPEARE, check=MEASURED)
    assert answer.status_code == 409
    assert "what is measured decides" in answer.json["detail"]
    assert answer.json["errors"][0]["field"] == "check"


def test_a_check_whose_evidence_is_only_late_is_not_attested_either(call, at):
    at(NOW + 30 * DAY)
    answer = attest(call, SHAKESPEARE, check=MEASURED)
    assert answer.status_code == 409
    assert "alerts.sli_coverage_ratio" in answer.json["detail"]


def test_a_fact_that_a_source_supplies_for_others_is_to_be_measured_here_too(call):
    answer = attest(call, check=MEASURED)
    assert answer.status_code == 409
    assert "A source supplies alerts.sli_coverage_ratio" in answer.json["detail"]


def test_a_check_that_is_only_ever_measured_takes_no_attestation(call):
    answer = attest(call, check="cap.limits")
    assert answer.status_code == 409
    assert "runtime.resources.set" in answer.json["detail"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"evidence_url": None, "statement": "It is all fine, fine, fine."}, "evidence_url"),
        ({"evidence_url": "javascript:alert(1)"}, "evidence_url"),
        ({"statement": "  fine   "}, "statement"),
        ({"statement": "nul \0 in the middle"}, "statement"),
        ({"check": "no.such.check"}, "check"),
        ({"check": ["cap.limits"]}, "check"),
        ({"holds": "yes"}, "holds"),
        ({"expires_at": "2027-05-22T12:00:01Z"}, "expires_at"),
        ({"expires_at": "2026-11-22T12:00:00Z"}, "expires_at"),
        ({"expires_at": "2027-01-01T00:00:00"}, "expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-12:00"}, "expires_at"),
        ({"evidence": "none"}, "evidence"),
        ({"id": "7"}, "id"),
    ],
)
def test_what_is_no_evidence_is_refused_with_the_field_at_fault(call, changes, field):
    answer = attest(call, **changes)
    assert answer.status_code == 400, answer.json
    assert [fault["field"] for fault in answer.json["errors"]] == [field]


SUBSTANCE = (
    "Looked through all forty error paths of the front end with Bea on Friday; each one increments the counter that "
    "the availability objective is computed from."
)


def test_no_words_do_for_evidence_of_a_pass_unless_the_organisation_says_how_many(call, app, monkeypatch):
    refused = attest(call, evidence_url=None, statement=SUBSTANCE)
    assert refused.status_code == 400
    assert "no pass goes without" in refused.json["errors"][0]["message"]
    monkeypatch.setitem(app.extensions, settings.EXTENSION, settings.ExceptionSettings(words_of_substance=12))
    assert attest(call, evidence_url=None, statement="Looked at it.").status_code == 400
    assert attest(call, evidence_url=None, statement=SUBSTANCE).status_code == 200


def test_that_a_check_does_not_hold_needs_no_evidence(call):
    assert attest(call, evidence_url=None, holds=False).status_code == 200


def test_who_may_attest_is_a_lead_an_sre_or_the_owner(call, session, company):
    refused = attest(call, roles=[Role.DEV])
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (403, "role")
    company.write(
        "ann.yaml",
        "apiVersion: backstage.io/v1alpha1\nkind: User\nmetadata: {name: ann}\nspec: {memberOf: [bards]}\n",
    )
    session.commit()
    assert attest(call, roles=[Role.DEV]).status_code == 200


def test_the_same_request_twice_is_one_attestation(call, session):
    first, second = attest(call), attest(call)
    assert first.json == second.json
    assert events(session) == ["attestation.given"]


def test_a_request_with_an_id_of_ones_own_is_known_by_it_for_good(call, session, at):
    id_ = str(uuid4())
    first = attest(call, id=id_)
    at(NOW + 200 * DAY)
    assert attest(call, id=id_).json == {**first.json, "state": "expired"}
    other = attest(call, id=id_, statement="Something else altogether was seen.")
    assert other.status_code == 409
    assert events(session) == ["attestation.given"]


def test_a_newer_attestation_takes_the_place_of_the_last(call, session, at):
    first = attest(call).json
    at(NOW + 30 * DAY)
    second = attest(call).json
    assert first["id"] != second["id"]
    listed = call("ann", [], "get", f"{QUILL}/attestations").json["items"]
    assert [(one["id"], one["state"]) for one in listed] == [
        (second["id"], "in_force"),
        (first["id"], "superseded"),
    ]
    assert load_in_force(session, [REF], NOW + 30 * DAY)[REF].attestations[ATTESTABLE].id == second["id"]


def test_two_people_attest_at_once_and_one_attestation_counts(call, app, session):
    answers = []

    def give(name: str) -> None:
        client = app.test_client()
        answers.append(client.post(f"{QUILL}/attestations", json={**GIVEN, "statement": f"{name} has seen it work."}))

    call("ann", LEAD, "get", "/api/scorecards/attestations")
    threads = [Thread(target=give, args=(name,)) for name in ("Ann", "Bea", "Cid")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    rows = session.scalars(select(AttestationRow)).all()
    assert len(rows) == 3
    assert len([row for row in rows if row.ended_at is None]) == 1


def test_its_author_revokes_it_and_it_counts_no_longer(call, session):
    given = attest(call).json
    path = f"/api/scorecards/attestations/{given['id']}/revoke"
    stranger = call("bob", [Role.DEV], "post", path, {"reason": "I do not believe it."})
    assert stranger.status_code == 403
    body = {"reason": "The counter was removed last week."}
    revoked = [call("ann", LEAD, "post", path, body) for _ in range(2)]
    assert [(one.status_code, one.json["state"]) for one in revoked] == [(200, "revoked")] * 2
    assert status_of(call) == "unknown"
    assert events(session) == ["attestation.given", "attestation.revoked"]


def test_a_spot_audit_by_a_second_person_overturns_it(call, session):
    given = attest(call, roles=[Role.SRE]).json
    path = f"/api/scorecards/attestations/{given['id']}/overturn"
    body = {"reason": "Three error paths are not counted."}
    assert call("ann", [Role.SRE], "post", path, body).status_code == 409
    assert call("dan", [Role.DEV_LEAD], "post", path, body).status_code == 403
    assert call("sam", [Role.SRE], "post", path, {}).status_code == 400
    answer = call("sam", [Role.SRE], "post", path, body)
    assert (answer.json["state"], answer.json["ended_by"]) == ("overturned", "sam")
    again = call("ann", [Role.SRE], "post", f"/api/scorecards/attestations/{given['id']}/revoke", body)
    assert again.status_code == 409
    assert events(session) == ["attestation.given", "attestation.overturned"]


def test_the_digest_lists_what_ends_soon_in_order_and_by_pages(call):
    given = attest(call).json
    path = "/api/scorecards/attestations"
    page = call("reader", [], "get", f"{path}?expiring_before=2027-05-22T00:00:00Z&limit=1")
    assert [one["id"] for one in page.json["items"]] == [given["id"]]
    assert page.json["next_cursor"] is None
    early = call("reader", [], "get", f"{path}?expiring_before=2027-05-21T00:00:00Z")
    assert early.json["items"] == []
    for query in ("owner=group:default/bards", f"check={ATTESTABLE}", "state=in_force", "by=ann"):
        assert len(call("reader", [], "get", f"{path}?{query}").json["items"]) == 1, query
    for query in ("owner=group:default/others", "check=cap.limits", "state=expired&state=revoked", "by=bob"):
        assert call("reader", [], "get", f"{path}?{query}").json["items"] == [], query
    for query in ("cursor=x", "state=odd", "colour=red", "limit=0", "cursor=WyJhIiwxXQ"):
        assert call("reader", [], "get", f"{path}?{query}").status_code == 400, query


def test_pages_follow_each_other_without_gap(call, at):
    ids = []
    for day in range(5):
        at(NOW + day * DAY)
        ids.append(attest(call, statement=f"Seen again on day {day} of the fair.").json["id"])
    seen, cursor = [], ""
    while cursor is not None:
        page = call("reader", [], "get", f"{QUILL}/attestations?limit=2{cursor and '&cursor='}{cursor}").json
        seen += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
    assert seen == ids[::-1]


def test_the_questions_tell_what_may_be_attested_and_offer_the_last_answer(call):
    attest(call)
    items = {one["check"]: one for one in call("x", [], "get", f"{QUILL}/attestations/questions").json["items"]}
    asked = items[ATTESTABLE]
    assert (asked["open"], asked["obstacle"], asked["attested_for_days"]) == (True, None, 180)
    assert (asked["answered"], items["er.controls"]["answered"]) == (True, False)
    assert asked["last"]["statement"] == GIVEN["statement"]
    assert (items[MEASURED]["open"], items[MEASURED]["last"]) == (False, None)
    assert "supplies alerts.sli_coverage_ratio" in items[MEASURED]["obstacle"]


def test_what_is_no_service_takes_no_attestation(call):
    assert attest(call, "/api/services/component/default/nothing").status_code == 404
    assert attest(call, "/api/services/component/default/ink").status_code == 404
    assert attest(call, "/api/services/component/default/qu%00ill").status_code == 404
    assert call("x", [], "get", f"/api/scorecards/attestations/{uuid4()}").status_code == 404
    assert call("x", [], "get", "/api/scorecards/attestations/7").status_code == 404


def test_the_history_holds_the_whole_attestation(call, session):
    given = attest(call, expires_at="2027-01-01T00:00:00+01:00").json
    event = session.scalars(select(HistoryEvent).where(HistoryEvent.kind == "attestation.given")).one()
    assert (event.actor, event.details["roles"]) == ("ann", ["dev_lead"])
    state = event.details["state"]
    assert (state["id"], state["expires_at"]) == (given["id"], "2026-12-31T23:00:00Z")
    assert timedelta(days=39) < session.get(AttestationRow, given["id"]).expires_at - NOW < timedelta(days=40)
