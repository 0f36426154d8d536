"""HTTP: attestations and waivers."""

from typing import Any

from portal_backend.core import clock
from portal_backend.core.auth import current_principal
from portal_backend.core.db import reading, transaction
from portal_backend.core.pagination import Page
from scorecards import judging
from scorecards.blueprints import blueprint
from scorecards.exceptions import attestations, waivers
from scorecards.exceptions.attestations import Answer
from scorecards.exceptions.listing import (
    Wanted,
    attestation_form,
    list_attestations,
    list_waivers,
    waiver_form,
)
from scorecards.exceptions.people import find_service, owner_ref
from scorecards.exceptions.recording import begin, settle
from scorecards.exceptions.schemas import (
    AnswerSchema,
    ApprovalSchema,
    AttestationPageSchema,
    AttestationQuery,
    AttestationQuestionListSchema,
    AttestationSchema,
    ExceptionReasonSchema,
    OfServiceQuery,
    WaiverPageSchema,
    WaiverQuery,
    WaiverRequestSchema,
    WaiverSchema,
)
from scorecards.exceptions.settings import current as exception_settings
from scorecards.schemas import NoQuery

SERVICE = "/services/<string:kind>/<string:namespace>/<string:name>"
ROLE_LACKS = "The caller lacks the role; nothing else stands in the way."
GUARDS_FAIL = "What stands in the way, each with what would meet it."


@blueprint.post(f"{SERVICE}/attestations")
@blueprint.arguments(AnswerSchema)
@blueprint.response(200, AttestationSchema)
@blueprint.alt_response(403, description=ROLE_LACKS)
@blueprint.alt_response(409, description="A source answers the check, or it takes no attestation.")
def give_attestation(body: dict[str, Any], kind: str, namespace: str, name: str) -> dict[str, Any]:
    """Attest what no source can show, with evidence; it takes the place of the last attestation of the check."""
    now = clock.now()
    answer = Answer(**{**body, "id": str(body["id"]) if body["id"] else None})
    with transaction() as session:
        begin(session)
        service = find_service(session, judging.current(), kind, namespace, name)
        done = attestations.give(
            session, judging.current(), exception_settings(), service, answer, current_principal(), now
        )
        settle(session, done.happenings, now)
        return attestation_form(done.value, now)


@blueprint.get(f"{SERVICE}/attestations")
@blueprint.arguments(OfServiceQuery, location="query")
@blueprint.response(200, AttestationPageSchema)
def list_service_attestations(query: dict[str, Any], kind: str, namespace: str, name: str) -> Page[dict[str, Any]]:
    """List what was attested for a service, the latest first."""
    with reading() as session:
        ref = find_service(session, judging.current(), kind, namespace, name).ref
        wanted = Wanted(ref=ref, checks=query["check"])
        return list_attestations(session, wanted, query["cursor"], query["limit"], clock.now())


@blueprint.get(f"{SERVICE}/attestations/questions")
@blueprint.arguments(NoQuery, location="query")
@blueprint.response(200, AttestationQuestionListSchema)
def list_questions(_query: dict[str, Any], kind: str, namespace: str, name: str) -> dict[str, Any]:
    """List what people may answer for a service, each with the last answer to start from."""
    now = clock.now()
    with reading() as session:
        service = find_service(session, judging.current(), kind, namespace, name)
        items = attestations.questions(session, judging.current(), service, now)
        last = [{**item, "last": attestation_form(item["last"], now) if item["last"] else None} for item in items]
        return {"items": last}


@blueprint.get("/scorecards/attestations")
@blueprint.arguments(AttestationQuery, location="query")
@blueprint.response(200, AttestationPageSchema)
def list_fleet_attestations(query: dict[str, Any]) -> Page[dict[str, Any]]:
    """List attestations of all services, whichever ends first; `expiring_before` makes it the digest of what ends."""
    with reading() as session:
        return list_attestations(session, _wanted(query), query["cursor"], query["limit"], clock.now())


@blueprint.get("/scorecards/attestations/<uuid:attestation_id>")
@blueprint.arguments(NoQuery, location="query")
@blueprint.response(200, AttestationSchema)
def get_attestation(_query: dict[str, Any], attestation_id: object) -> dict[str, Any]:
    """Read an attestation."""
    with reading() as session:
        return attestation_form(attestations.find(session, str(attestation_id)), clock.now())


@blueprint.post("/scorecards/attestations/<uuid:attestation_id>/revoke")
@blueprint.arguments(ExceptionReasonSchema)
@blueprint.response(200, AttestationSchema)
@blueprint.alt_response(403, description=ROLE_LACKS)
@blueprint.alt_response(409, description=GUARDS_FAIL)
def revoke_attestation(body: dict[str, Any], attestation_id: object) -> dict[str, Any]:
    """Take an attestation back."""
    now = clock.now()
    with transaction() as session:
        begin(session)
        done = attestations.revoke(session, str(attestation_id), body["reason"], current_principal(), now)
        settle(session, done.happenings, now)
        return attestation_form(done.value, now)


@blueprint.post("/scorecards/attestations/<uuid:attestation_id>/overturn")
@blueprint.arguments(ExceptionReasonSchema)
@blueprint.response(200, AttestationSchema)
@blueprint.alt_response(403, description=ROLE_LACKS)
@blueprint.alt_response(409, description=GUARDS_FAIL)
def overturn_attestation(body: dict[str, Any], attestation_id: object) -> dict[str, Any]:
    """Set an attestation aside after a spot audit by SRE."""
    now = clock.now()
    with transaction() as session:
        begin(session)
        done = attestations.overturn(session, str(attestation_id), body["reason"], current_principal(), now)
        settle(session, done.happenings, now)
        return attestation_form(done.value, now)


@blueprint.post(f"{SERVICE}/waivers")
@blueprint.arguments(WaiverRequestSchema)
@blueprint.response(200, WaiverSchema)
@blueprint.alt_response(403, description=ROLE_LACKS)
@blueprint.alt_response(409, description=GUARDS_FAIL)
def request_waiver(body: dict[str, Any], kind: str, namespace: str, name: str) -> dict[str, Any]:
    """Ask for an exemption from a check; somebody else decides."""
    now = clock.now()
    ids = {key: str(body[key]) if body[key] else None for key in ("id", "renews")}
    wanted = waivers.WaiverRequest(**{**body, **ids})
    with transaction() as session:
        begin(session)
        service = find_service(session, judging.current(), kind, namespace, name)
        catalogue = judging.current().catalogue
        done = waivers.request(session, catalogue, exception_settings(), service, wanted, current_principal(), now)
        # A request exempts from nothing yet: nothing is judged again.
        settle(session, done.happenings, now, rejudged=())
        return waiver_form(done.value, now)


@blueprint.get(f"{SERVICE}/waivers")
@blueprint.arguments(OfServiceQuery, location="query")
@blueprint.response(200, WaiverPageSchema)
def list_service_waivers(query: dict[str, Any], kind: str, namespace: str, name: str) -> Page[dict[str, Any]]:
    """List the waivers of a service, the latest first."""
    with reading() as session:
        ref = find_service(session, judging.current(), kind, namespace, name).ref
        wanted = Wanted(ref=ref, checks=query["check"])
        return list_waivers(session, wanted, query["cursor"], query["limit"], clock.now())


@blueprint.get("/scorecards/waivers")
@blueprint.arguments(WaiverQuery, location="query")
@blueprint.response(200, WaiverPageSchema)
def list_fleet_waivers(query: dict[str, Any]) -> Page[dict[str, Any]]:
    """List the waivers of all services, whichever ends first."""
    with reading() as session:
        return list_waivers(session, _wanted(query), query["cursor"], query["limit"], clock.now())


@blueprint.get("/scorecards/waivers/<uuid:waiver_id>")
@blueprint.arguments(NoQuery, location="query")
@blueprint.response(200, WaiverSchema)
def get_waiver(_query: dict[str, Any], waiver_id: object) -> dict[str, Any]:
    """Read a waiver."""
    with reading() as session:
        return waiver_form(waivers.find(session, str(waiver_id)), clock.now())


@blueprint.post("/scorecards/waivers/<uuid:waiver_id>/approve")
@blueprint.arguments(ApprovalSchema)
@blueprint.response(200, WaiverSchema)
@blueprint.alt_response(403, description=ROLE_LACKS)
@blueprint.alt_response(409, description=GUARDS_FAIL)
def approve_waiver(body: dict[str, Any], waiver_id: object) -> dict[str, Any]:
    """Grant a waiver that somebody else asked for."""
    now = clock.now()
    with transaction() as session:
        begin(session)
        done = waivers.approve(
            session,
            exception_settings(),
            str(waiver_id),
            body["reason"],
            body["until"],
            current_principal(),
            now,
        )
        settle(session, done.happenings, now)
        return waiver_form(done.value, now)


@blueprint.post("/scorecards/waivers/<uuid:waiver_id>/reject")
@blueprint.arguments(ExceptionReasonSchema)
@blueprint.response(200, WaiverSchema)
@blueprint.alt_response(403, description=ROLE_LACKS)
@blueprint.alt_response(409, description=GUARDS_FAIL)
def reject_waiver(body: dict[str, Any], waiver_id: object) -> dict[str, Any]:
    """Refuse a waiver that somebody else asked for."""
    now = clock.now()
    with transaction() as session:
        begin(session)
        done = waivers.reject(session, str(waiver_id), body["reason"], current_principal(), now)
        settle(session, done.happenings, now, rejudged=())
        return waiver_form(done.value, now)


@blueprint.post("/scorecards/waivers/<uuid:waiver_id>/end")
@blueprint.arguments(ExceptionReasonSchema)
@blueprint.response(200, WaiverSchema)
@blueprint.alt_response(403, description=ROLE_LACKS)
@blueprint.alt_response(409, description=GUARDS_FAIL)
def end_waiver(body: dict[str, Any], waiver_id: object) -> dict[str, Any]:
    """Withdraw one's own request, or end a waiver before its time."""
    now = clock.now()
    with transaction() as session:
        begin(session)
        done = waivers.end(session, str(waiver_id), body["reason"], current_principal(), now)
        settle(session, done.happenings, now)
        return waiver_form(done.value, now)


def _wanted(query: dict[str, Any]) -> Wanted:
    return Wanted(
        states=query["state"],
        checks=query["check"],
        owner=owner_ref(query["owner"]),
        by=query["by"],
        expiring_before=query["expiring_before"],
    )
