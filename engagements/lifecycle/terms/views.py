"""HTTP: the terms of an engagement, from the agreement to handing back, and of a service's on-call and revision."""

from collections.abc import Callable
from typing import Any

from flask import Response
from marshmallow import Schema

from catalog.services import services as read_services
from engagements import services
from engagements.blueprints import ENGAGEMENT, SERVICE, engagements_blueprint, services_blueprint
from engagements.in_force import capacity_settings, lifecycle_settings
from engagements.lifecycle.http import HEADERS, IDEMPOTENCY_KEY, engagement, tagged, writing
from engagements.lifecycle.schemas import EngagementSchema
from engagements.lifecycle.states import Aspect, Duty, EngagementState, Holder
from engagements.lifecycle.terms import (
    agreements,
    framework,
    hand_back,
    oncall,
    revisions,
    takeover,
    trainings,
)
from engagements.lifecycle.terms.amending import side_of
from engagements.lifecycle.terms.schemas import (
    AgreementSchema,
    BackupSchema,
    ConformanceSchema,
    DutySchema,
    EscalationSchema,
    ModulesSchema,
    PagerPhaseSchema,
    PagerSchema,
    RevisionSchema,
    RotationSchema,
    SignSchema,
    SplitSchema,
    TrainingSchema,
    TransferSchema,
)
from portal_backend.core import clock
from portal_backend.core.auth import current_principal
from portal_backend.core.clock import format_time
from portal_backend.core.db import reading
from portal_backend.core.entity_tags import version_asked_for
from portal_backend.core.errors import Fault, InvalidInput
from scorecards.judging import current as judging

View = Callable[..., Response]


def replaces(rule: str, schema: type[Schema]) -> Callable[[View], View]:
    """Route a PUT that replaces a part of an engagement's terms and answers with the engagement."""
    changed = "The engagement changed since the caller read it."
    routed = _routed(engagements_blueprint.put(rule), schema, 200, EngagementSchema, HEADERS)
    return lambda view: routed(engagements_blueprint.alt_response(412, description=changed)(view))


def signs(rule: str) -> Callable[[View], View]:
    """Route a POST that signs for a side and answers with the engagement."""
    return _routed(engagements_blueprint.post(rule), SignSchema, 200, EngagementSchema, [IDEMPOTENCY_KEY])


def records(rule: str, schema: type[Schema]) -> Callable[[View], View]:
    """Route a POST that puts something on record and answers with it."""
    return _routed(engagements_blueprint.post(rule), schema, 201, schema, [IDEMPOTENCY_KEY])


def _routed(
    route: Callable[[View], View], taken: type[Schema], status: int, answered: type[Schema], headers: list[Any]
) -> Callable[[View], View]:
    def register(view: View) -> View:
        view = engagements_blueprint.doc(parameters=headers)(view)
        view = engagements_blueprint.alt_response(409, description="What stands in the way, each with its remedy.")(
            view
        )
        view = engagements_blueprint.alt_response(403, description="The caller lacks the role.")(view)
        return route(engagements_blueprint.arguments(taken)(engagements_blueprint.response(status, answered)(view)))

    return register


def _amended(change: Callable[..., EngagementState], engagement_id: str, *told: Any, **numbers: Any) -> Response:
    """Change the terms of an engagement in one transaction, on the version in If-Match, and answer with it."""
    who, now, version = current_principal(), clock.now(), version_asked_for()
    return engagement(lambda session: change(session, engagement_id, *told, who, now, version, **numbers))


def _signed(sign: Callable[..., EngagementState], engagement_id: str, side: str | None) -> Response:
    who, now = current_principal(), clock.now()
    return engagement(lambda session: sign(session, engagement_id, side_of(side, who), who, now))


def _recorded(record: Callable[..., tuple[Any, dict[str, Any]]], engagement_id: str, told: dict[str, Any]) -> Response:
    who, now = current_principal(), clock.now()
    return writing(lambda session: record(session, engagement_id, told, who, now)[1], 201)


@replaces(f"{ENGAGEMENT}/agreement", AgreementSchema)
def put_agreement(body: dict[str, Any], engagement_id: str) -> Response:
    """Write the agreement: objectives, deliverables, schedule, one to three reviewers, trainings.

    A changed one has to be signed again by both sides. Example: `{"slo": [{"name": "availability", "objective":
    0.999}], "deliverables": ["review document"], "schedule": "analysis in May, improvements until July", "reviewers":
    ["sam"]}`. Trainings or an attendance other than the template's take a `training_change_reason`.
    """
    return _amended(agreements.put, engagement_id, body, settings=lifecycle_settings())


@signs(f"{ENGAGEMENT}/agreement/signatures")
def sign_agreement(body: dict[str, Any], engagement_id: str) -> Response:
    """Sign the agreement for a side: `{"side": "dev_lead"}`. Nobody but an administrator signs for both."""
    return _signed(agreements.sign, engagement_id, body["side"])


@replaces(f"{ENGAGEMENT}/rotation", RotationSchema)
def put_rotation(body: dict[str, Any], engagement_id: str) -> Response:
    """Say who is in the rotation that takes over: `{"members": ["ann", "bob"]}`. Attendance counts against it."""
    return _amended(trainings.put_rotation, engagement_id, body["members"], body["source"])


@records(f"{ENGAGEMENT}/trainings", TrainingSchema)
def hold_training(body: dict[str, Any], engagement_id: str) -> Response:
    """Record a training that was held.

    Example: `{"kind": "design_overview", "lead": "sam", "attendees": ["ann", "bob"], "held_at":
    "2026-05-04T09:00:00Z", "material_url": "https://wiki/design"}`. The same again changes nothing.
    """
    return _recorded(trainings.hold, engagement_id, body)


@replaces(f"{ENGAGEMENT}/transfers/<string:aspect>", TransferSchema)
def put_transfer(body: dict[str, Any], engagement_id: str, aspect: str) -> Response:
    """Pass a responsibility on: `{"holder": "shared"}`.

    `aspect` is one of operations, on_call, change_management, access_rights, capacity. It passes from `dev` by way of
    `shared` to `sre` and back, a step at a time.
    """
    what = Aspect(_one_of("aspect", aspect, [each.value for each in Aspect]))
    return _amended(takeover.transfer, engagement_id, what, Holder(body["holder"]), body["note"])


@replaces(f"{ENGAGEMENT}/backup", BackupSchema)
def put_backup(body: dict[str, Any], engagement_id: str) -> Response:
    """Say until when the developers back SRE up: `{"until": "2027-03-01T00:00:00Z", "developers_in_rotation": 2}`."""
    return _amended(takeover.put_backup, engagement_id, body["until"], body["developers_in_rotation"])


@replaces(f"{ENGAGEMENT}/pager-shadow/<string:phase>", PagerPhaseSchema)
def put_pager_shadow(body: dict[str, Any], engagement_id: str, phase: str) -> Response:
    """Record SRE's `spin` of the pager (at least 7 days), or its `shadow` on call after that.

    Example: `{"began_at": "2026-05-04T09:00:00Z", "ended_at": "2026-05-11T09:00:00Z", "pages": 9, "critical": 7,
    "actionable": 8}`.
    """
    return _amended(takeover.put_pager_phase, engagement_id, _one_of("phase", phase, ["spin", "shadow"]), body)


@signs(f"{ENGAGEMENT}/takeover-signatures")
def sign_takeover(body: dict[str, Any], engagement_id: str) -> Response:
    """Agree to the takeover for a side: `{"side": "dev_lead"}`. Who makes the move to `active` agrees by that."""
    return _signed(takeover.sign, engagement_id, body["side"])


@records(f"{ENGAGEMENT}/escalations", EscalationSchema)
def escalate(body: dict[str, Any], engagement_id: str) -> Response:
    """Take a step with a neglected service: `{"step": "feature_freeze", "note": "until the plan is signed"}`."""
    return _recorded(hand_back.escalate, engagement_id, body)


@replaces(f"{ENGAGEMENT}/pager", PagerSchema)
def put_pager(body: dict[str, Any], engagement_id: str) -> Response:
    """Return the pager to the developers until a dated review, or resume it: the tier stays.

    Example: `{"carrier": "dev", "reason": "no plan since May", "review_on": "2026-12-20T09:00:00Z"}`.
    """
    wanted = (body["carrier"], body["reason"], body["review_on"])
    return _amended(hand_back.put_pager, engagement_id, *wanted, settings=lifecycle_settings())


@replaces(f"{ENGAGEMENT}/hand-back/<string:duty>", DutySchema)
def put_duty(body: dict[str, Any], engagement_id: str, duty: str) -> Response:
    """Record that a duty of handing back is done: `{"evidence_url": "https://oncall/bards"}`.

    `duty` is one of dev_rota_live, runbooks_handed, reverse_training, ledger_freed. The last posts to the ledger of
    the SRE team what becomes free.
    """
    what = Duty(_one_of("duty", duty, [each.value for each in Duty]))
    return _amended(hand_back.fulfil, engagement_id, what, body, settings=capacity_settings())


@replaces(f"{ENGAGEMENT}/modules", ModulesSchema)
def put_modules(body: dict[str, Any], engagement_id: str) -> Response:
    """Choose the framework's modules: `{"modules": [{"name": "request-log", "version": "2"}]}`."""
    return _amended(framework.put_modules, engagement_id, body["modules"])


@replaces(f"{ENGAGEMENT}/conformance", ConformanceSchema)
def put_conformance(body: dict[str, Any], engagement_id: str) -> Response:
    """Report a conformance run; what a source measures (fw.conformance.pass …) counts before it.

    Example: `{"passed": true, "version_supported": true, "framework": "globe", "version": "4", "capabilities":
    {"logging": true, "monitoring": true, "configuration": true, "controls": true}}`.
    """
    return _amended(framework.report_conformance, engagement_id, body)


@services_blueprint.get(f"{SERVICE}/oncall-split")
@services_blueprint.response(200, SplitSchema)
def get_split(kind: str, namespace: str, name: str) -> Response:
    """Read whose each alert of a service is, and which alerts of 90 days are nobody's."""
    with reading() as session:
        ref = services.service_ref(session, judging().service_types, kind, namespace, name)
        return tagged(_split(oncall.read(session, ref, clock.now())))


@services_blueprint.put(f"{SERVICE}/oncall-split")
@services_blueprint.arguments(SplitSchema)
@services_blueprint.response(200, SplitSchema)
@services_blueprint.doc(parameters=HEADERS)
def put_split(body: dict[str, Any], kind: str, namespace: str, name: str) -> Response:
    """Say whose each alert is: `{"routes": {"HostDown": "platform_infra", "CheckoutSlow": "service_function"}}`."""
    now = clock.now()

    def act(session: Any) -> dict[str, Any]:
        ref = services.service_ref(session, judging().service_types, kind, namespace, name)
        return _split(oncall.put(session, ref, body["routes"], current_principal(), now, version_asked_for()))

    return writing(act)


@services_blueprint.put(f"{SERVICE}/revision")
@services_blueprint.arguments(RevisionSchema)
@services_blueprint.response(200, RevisionSchema)
@services_blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def put_revision(body: dict[str, Any], kind: str, namespace: str, name: str) -> Response:
    """Set the major revision that runs: `{"revision": "2"}`. A new one makes the review of a supported service due."""
    now = clock.now()

    def act(session: Any) -> dict[str, Any]:
        ref = services.service_ref(session, judging().service_types, kind, namespace, name)
        found = read_services(session, judging().service_types, [ref])
        annotation = found[0].annotations.get(revisions.REVISION_ANNOTATION)
        row = revisions.put(session, ref, body["revision"], annotation, current_principal(), now)
        return {
            "entity_ref": ref,
            "revision": row.revision,
            "set_by": row.set_by,
            "set_at": format_time(row.set_at),
        }

    return writing(act)


def _split(split: oncall.Split) -> dict[str, Any]:
    return {
        "entity_ref": split.entity_ref,
        "routes": dict(split.routes),
        "unrouted": list(split.unrouted),
        "agreed_by": split.agreed_by,
        "agreed_at": split.agreed_at and format_time(split.agreed_at),
        "version": split.version,
    }


def _one_of(name: str, given: str, words: list[str]) -> str:
    """Return a part of the path that is one of few words; raises InvalidInput naming them."""
    if given in words:
        return given
    message = f"is {given!r}; use one of {', '.join(words)}"
    raise InvalidInput(f"{name} {message}", [Fault(name, message)])
