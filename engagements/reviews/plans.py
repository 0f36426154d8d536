"""Improvement plans: versions of what both sides agreed to do, each signed by both or not at all.

The content is what is agreed: which improvements, in which order, by whom. Work on them does not change it. Another
content after a signature is another version, unsigned. A plan has an age and no deadline: improving is open-ended.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engagements import records
from engagements.lifecycle.models import Engagement
from engagements.records import Change
from engagements.reviews import engaged, improvements
from engagements.reviews.improvement_moves import PLANNED
from engagements.reviews.models import Improvement, ImprovementPlan
from portal_backend.core.clock import format_time
from portal_backend.core.errors import Conflict, Fault, NotFound
from portal_backend.core.principal import Principal, Role

SIGNATORIES = {"dev": "dev_lead", "sre": "sre_lead"}
DRAFTERS = (Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER, Role.DEV, Role.DEV_LEAD)


def versions(session: Session, engagement_id: str) -> list[ImprovementPlan]:
    """Return every version of an engagement's plan, the newest first."""
    query = select(ImprovementPlan).where(ImprovementPlan.engagement_id == engagement_id)
    return list(session.scalars(query.order_by(ImprovementPlan.number.desc())))


def newest(session: Session, engagement_id: str) -> ImprovementPlan | None:
    """Return the newest version of an engagement's plan, None while there is none."""
    query = select(ImprovementPlan).where(ImprovementPlan.engagement_id == engagement_id)
    return session.scalar(query.order_by(ImprovementPlan.number.desc()).limit(1))


def draft(session: Session, engagement: Engagement, principal: Principal, now: datetime) -> ImprovementPlan:
    """Draw up the plan from the improvements that are agreed; the newest version stays when its content is the same."""
    records.require_role(principal, "draw up a plan", *DRAFTERS)
    return _up_to_date(session, engagement, principal, now, newest(session, engagement.id))


def refresh(session: Session, engagement: Engagement, principal: Principal, now: datetime) -> None:
    """Let an engagement's plan, where there is one, follow what its improvements say now."""
    plan = newest(session, engagement.id)
    if plan is not None:
        _up_to_date(session, engagement, principal, now, plan)


def sign(
    session: Session, engagement: Engagement, number: int, side: str | None, principal: Principal, now: datetime
) -> ImprovementPlan:
    """Sign a version of the plan for one side; a signature that is there stays.

    Raises NotFound when there is no such version, Conflict when it is not the newest or one person signs twice.
    """
    plan = newest(session, engagement.id)
    if plan is None or number > plan.number or number < 1:
        raise NotFound(f"The engagement {engagement.id} has no version {number} of a plan; draw one up first.")
    if number != plan.number:
        raise Conflict(
            f"Version {number} was replaced by version {plan.number}.",
            [Fault("version", f"read version {plan.number} and sign that")],
        )
    signed_side = records.by_side(principal, side)
    role = SIGNATORIES[signed_side]
    if role in plan.signatures:
        return plan
    others = {name: signature["by"] for name, signature in plan.signatures.items()}
    records.refuse_both_sides(principal, role, others)
    plan.signatures = {**plan.signatures, role: {"by": principal.name, "at": format_time(now)}}
    complete = set(plan.signatures) == set(SIGNATORIES.values())
    kind = "plan.agreed" if complete else "plan.signed"
    summary = f"Improvement plan version {plan.number} signed by {principal.name} ({role})" + (
        "; both sides have signed." if complete else "."
    )
    records.write(session, [Change(plan, kind, summary)], principal, now)
    return plan


def form(plan: ImprovementPlan, states: dict[str, Improvement], now: datetime) -> dict[str, Any]:
    """Return a plan as it is answered: its items with their present state, and its age."""
    done = sum(states[item["improvement"]].state == "verified" for item in plan.items if item["improvement"] in states)
    return {
        "version": plan.number,
        "items": [_item_form(item, states.get(item["improvement"])) for item in plan.items],
        "signatures": plan.signatures,
        "signed": set(plan.signatures) == set(SIGNATORIES.values()),
        "created_at": plan.created_at,
        "age_days": (now - plan.created_at).days,
        "verified": done,
        "total": len(plan.items),
    }


def _item_form(item: dict[str, Any], row: Improvement | None) -> dict[str, Any]:
    return {
        **item,
        "state": row.state if row else None,
        "due_at": row.due_at if row else None,
    }


def _up_to_date(
    session: Session, engagement: Engagement, principal: Principal, now: datetime, plan: ImprovementPlan | None
) -> ImprovementPlan:
    items = _content([row for row in improvements.of_engagement(session, engagement.id) if row.state in PLANNED])
    content = records.digest(items)
    if plan is not None and plan.content_digest == content:
        return plan
    if plan is not None and not plan.signatures:
        plan.items, plan.content_digest = items, content
        change = Change(plan, "plan.drafted", f"Improvement plan version {plan.number} changed: {len(items)} items.")
        records.write(session, [change], principal, now)
        return plan
    number = plan.number + 1 if plan else 1
    row = records.fresh(
        ImprovementPlan, records.identity(None, ImprovementPlan.__tablename__, engagement.id, number),
        engaged.place_of(engagement), content, number=number, items=items, content_digest=content, signatures={},
    )  # fmt: skip
    summary = f"Improvement plan version {number} drawn up: {len(items)} items, unsigned."
    records.write(session, [Change(row, "plan.drafted", summary)], principal, now)
    return row


def _content(rows: Sequence[Improvement]) -> list[dict[str, Any]]:
    return [
        {
            "improvement": row.id, "title": row.title, "axis": row.axis, "check": row.check_id, "urgency": row.urgency,
            "priority": improvements.effective_priority(row), "owner_dev": row.owner_dev, "owner_sre": row.owner_sre,
        }
        for row in rows
    ]  # fmt: skip
