"""The agreement of a review: objectives, deliverables, schedule, reviewers, trainings; signed by both sides."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from engagements.lifecycle.settings import DEFAULTS, LifecycleSettings
from engagements.lifecycle.states import EngagementState, Side, State, TrainingKind
from engagements.lifecycle.takeover_guards import SIDES
from engagements.lifecycle.terms.amending import opened, signed, write
from portal_backend.core.errors import Conflict, Fault, InvalidInput
from portal_backend.core.principal import Principal, Role

BEFORE_TAKEOVER = (
    *(State.ACCEPTED, State.ENGAGEMENT, State.ANALYSIS, State.IMPROVEMENT, State.TRAINING, State.ONBOARDING),
    *(State.DESIGN, State.BUILD, State.LAUNCH, State.POST_LAUNCH),
)
WRITING = (Role.SRE, Role.SRE_LEAD, Role.DEV_LEAD)


def put(
    session: Session,
    engagement_id: str,
    terms: Mapping[str, Any],
    principal: Principal,
    now: datetime,
    if_match: int | None = None,
    settings: LifecycleSettings = DEFAULTS,
) -> EngagementState:
    """Write the agreement in place of the one before, whose signatures then no longer hold; the same changes nothing.

    Raises InvalidInput when the trainings are changed without a reason, or the reviewers are not one to three.
    """
    if terms.get("training_attendance") is None:
        terms = {**terms, "training_attendance": settings.training_attendance}
    faults = [*_training_faults(terms, settings), *_reviewer_faults(terms, settings)]
    if faults:
        raise InvalidInput("The agreement cannot be taken: " + " ".join(map(str, faults)), faults)
    before = opened(session, engagement_id, principal, "agreement", WRITING, BEFORE_TAKEOVER, if_match)
    present = before.section("agreement")
    revision = present.pop("revision", 0)
    present.pop("signatures", None)
    if present == terms:
        return before
    agreement = {**terms, "revision": revision + 1, "signatures": {}}
    changed = terms.get("training_change_reason")
    summary = f"Revision {revision + 1} of the agreement was written."
    if changed:
        summary += f" It changes the trainings: {changed}"
    return write(session, before, "agreement.proposed", summary, principal, now, agreement=agreement)


def sign(session: Session, engagement_id: str, side: Side, principal: Principal, now: datetime) -> EngagementState:
    """Sign the agreement for one side; to sign again changes nothing.

    Raises NotAllowed when the principal does not lead the side, Conflict when there is no agreement or they signed for
    the other side already.
    """
    before = opened(session, engagement_id, principal, "signatures", (SIDES[side],), BEFORE_TAKEOVER)
    agreement = before.section("agreement")
    if not agreement:
        message = f"There is no agreement to sign: PUT /api/engagements/{engagement_id}/agreement first."
        raise Conflict(message, [Fault("agreement", message)])
    agreement["signatures"] = signed(agreement["signatures"], side, "agreement", principal, now)
    summary = f"{principal.name} signed revision {agreement['revision']} of the agreement for {side}."
    details = {"side": side.value, "revision": agreement["revision"]}
    return write(session, before, "agreement.signed", summary, principal, now, details, agreement=agreement)


def _training_faults(terms: Mapping[str, Any], settings: LifecycleSettings) -> list[Fault]:
    kinds, share = terms.get("training_kinds"), terms.get("training_attendance")
    changed = (kinds is not None and set(kinds) != {kind.value for kind in TrainingKind}) or (
        share is not None and share != settings.training_attendance
    )
    if changed and not (terms.get("training_change_reason") or "").strip():
        return [Fault("training_change_reason", "Say why the trainings or their attendance differ from the template.")]
    return []


def _reviewer_faults(terms: Mapping[str, Any], settings: LifecycleSettings) -> list[Fault]:
    fewest, most = settings.reviewers
    if fewest <= len(set(terms["reviewers"])) <= most and len(set(terms["reviewers"])) == len(terms["reviewers"]):
        return []
    return [Fault("reviewers", f"Name {fewest} to {most} reviewers, each once.")]
