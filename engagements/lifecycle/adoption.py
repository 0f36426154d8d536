"""Engagements that began before this portal knew of them, put on record so that they go on here."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engagements import history, support
from engagements.lifecycle.models import Engagement
from engagements.lifecycle.states import Aspect, EngagementState, Holder, Model, State
from engagements.lifecycle.writing import Change, save_all, state_of, with_section
from engagements.models import Support
from engagements.support import SupportState
from engagements.tiers import Tier
from portal_backend.core.clock import format_time, parse_time
from portal_backend.core.db import chunks
from portal_backend.core.errors import NotAllowed
from portal_backend.core.principal import Principal, Role

IMPORTED = "imported"
"""The section of the terms that says which version an import wrote: nobody moved it here while it is that one."""


def adopt(
    session: Session, actor: Principal, now: datetime, refs: Iterable[str] | None = None
) -> list[EngagementState]:
    """Put the engagements that imported supports tell of on record, of all services or of `refs`; return what changed.

    An engagement that people went on with here stays as it is. To repeat it changes nothing. Raises NotAllowed unless
    an SRE manager or an administrator asks.
    """
    if not actor.has_role(Role.SRE_MANAGER):
        raise NotAllowed(f"{actor.name} may not adopt engagements: it takes the role {Role.SRE_MANAGER}.")
    told = _told(session, refs)
    history.lock(session, told)
    present = _present(session, told)
    changed = []
    for ref, supported in sorted(told.items()):
        before = present.get(ref)
        if before is not None and before.section(IMPORTED).get("version") != before.version:
            continue
        after = _adopted(supported, before, now)
        if before is not None and _same(before, after):
            continue
        summary = f"An engagement ({after.model}, {after.state}) from before this portal was put on record."
        changed.append(Change(before, after, "engagement.adopted", summary))
    return save_all(session, changed, actor, now)


def _told(session: Session, refs: Iterable[str] | None) -> dict[str, SupportState]:
    """Return the imported supports that name an engagement's model and phase."""
    if refs is None:
        query = select(Support.entity_ref).where(Support.origin == support.IMPORT)
        refs = session.scalars(query).all()
    states = support.current(session, refs)
    return {
        ref: state
        for ref, state in states.items()
        if state.origin == support.IMPORT and state.engagement_model and state.phase
    }


def _present(session: Session, refs: Iterable[str]) -> dict[str, EngagementState]:
    found = {}
    for few in chunks(refs):
        query = select(Engagement).where(Engagement.entity_ref.in_(few), Engagement.closed_at.is_(None))
        found.update({row.entity_ref: state_of(row) for row in session.scalars(query)})
    return found


def _adopted(supported: SupportState, before: EngagementState | None, now: datetime) -> EngagementState:
    since = supported.since or now
    evidence = supported.evidence
    state = State(str(supported.phase))
    reviewed = evidence.get("prr_completed_at")
    version = (before.version if before else 0) + 1
    engagement = EngagementState(
        id=before.id if before else _id(supported),
        entity_ref=supported.entity_ref,
        model=Model(str(supported.engagement_model)),
        state=state,
        state_since=since,
        requested_by=support.IMPORT,
        requested_at=since,
        accepted_at=since,
        review_completed_at=parse_time(reviewed) if reviewed else None,
        review_revision=evidence.get("prr_revision"),
        version=before.version if before else 0,
        document=_terms(supported, since, version),
    )
    if state in {State.REQUESTED, State.CANDIDATE, State.ASSESSING}:
        engagement = replace(engagement, accepted_at=None)
    if state is State.DISENGAGING:
        notice = {"tier": Tier.DOCUMENTATION.value, "reason": supported.reason, "at": format_time(since), "until": None}
        engagement = with_section(engagement, notice=notice)
    return engagement


def _terms(supported: SupportState, since: datetime, version: int) -> Mapping[str, Any]:
    terms: dict[str, Any] = {
        "request": {
            "reason": supported.reason,
            "consented_by": "",
            "usage_forecast_rps": supported.usage_forecast_rps,
            "staffing": None,
            "criteria": [],
        },
        IMPORTED: {"version": version},
    }
    if supported.tier is Tier.FULL_SRE:
        holder = {"holder": Holder.SRE.value, "since": format_time(since), "by": support.IMPORT, "note": ""}
        terms["transfers"] = {aspect.value: holder for aspect in Aspect}
    return terms


def _same(before: EngagementState, after: EngagementState) -> bool:
    return replace(with_section(after, imported=before.section(IMPORTED)), version=before.version) == before


def _id(supported: SupportState) -> str:
    """Return the same id for the same import, however often it is repeated."""
    text = f"{supported.entity_ref} {supported.version} {supported.import_hash}"
    return f"eng-{hashlib.sha256(text.encode()).hexdigest()[:10]}"
