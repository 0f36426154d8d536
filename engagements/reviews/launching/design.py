"""Early engagement's design phase: reviews of the design, and what it trades against reliability."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from engagements import records
from engagements.lifecycle.models import Engagement
from engagements.records import Change
from engagements.reviews import engaged
from engagements.reviews.launching.models import DesignReview, TradeOff
from portal_backend.core.errors import Conflict, Fault, InvalidInput
from portal_backend.core.principal import Principal, Role

DESIGNERS = (Role.DEV, Role.DEV_LEAD, Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER)


@dataclass(frozen=True)
class NewDesignReview:
    """A design review that was held."""

    held_at: datetime
    reviewers: tuple[str, ...]
    document_url: str
    summary: str
    id: str | None = None


@dataclass(frozen=True)
class NewTradeOff:
    """A choice that costs reliability, or (`none`) the word that there is none."""

    none: bool = False
    choice: str = ""
    rejected_option: str = ""
    reliability_cost: str = ""
    accepted_by: str = ""
    reason: str = ""
    id: str | None = None


def hold_review(
    session: Session, engagement: Engagement, new: NewDesignReview, principal: Principal, now: datetime
) -> DesignReview:
    """Record a design review; the same one twice is one. Raises InvalidInput when it lies in the future."""
    records.require_role(principal, "record a design review", Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER)
    if new.held_at > now:
        raise InvalidInput("A design review is recorded once it was held.", [Fault("held_at", "is still to come")])
    place = engaged.place_of(engagement)
    content = {name: value for name, value in vars(new).items() if name != "id"}
    request = records.digest([content, engagement.id])
    review_id = records.identity(new.id, DesignReview.__tablename__, engagement.id, content)
    known = records.known(session, DesignReview, review_id, place, request)
    if known is not None:
        return known
    row = records.fresh(DesignReview, review_id, place, request, **{**content, "reviewers": list(new.reviewers)})
    summary = f"Design reviewed by {', '.join(new.reviewers)}: {new.summary}"
    change = Change(row, "design.reviewed", summary, occurred_at=new.held_at, link=new.document_url)
    records.write(session, [change], principal, now)
    return row


def record_trade_off(
    session: Session, engagement: Engagement, new: NewTradeOff, principal: Principal, now: datetime
) -> TradeOff:
    """Record a trade-off, or the word that there is none; the same one twice is one.

    Raises InvalidInput when a field is missing, Conflict when "none" contradicts a trade-off on record.
    """
    records.require_role(principal, "record trade-offs", *DESIGNERS)
    _refuse_incomplete(new)
    place = engaged.place_of(engagement)
    content = {name: value for name, value in vars(new).items() if name != "id"}
    request = records.digest([content, engagement.id])
    trade_off_id = records.identity(new.id, TradeOff.__tablename__, engagement.id, content)
    known = records.known(session, TradeOff, trade_off_id, place, request)
    if known is not None:
        return known
    if new.none and any(not row.none for row in trade_offs(session, engagement.id)):
        raise Conflict(
            "Trade-offs of this design are on record, so there is not none.", [Fault("none", "leave it out")]
        )
    row = records.fresh(TradeOff, trade_off_id, place, request, **content)
    summary = (
        f"No trade-offs: {new.reason}" if new.none else f"Trade-off: {new.choice} instead of {new.rejected_option}"
    )
    records.write(session, [Change(row, "design.trade_off", summary)], principal, now)
    return row


def reviews(session: Session, engagement_id: str) -> list[DesignReview]:
    """Return the design reviews of an engagement, the latest first."""
    query = select(DesignReview).where(DesignReview.engagement_id == engagement_id)
    return list(session.scalars(query.order_by(DesignReview.held_at.desc(), DesignReview.id)))


def trade_offs(session: Session, engagement_id: str) -> list[TradeOff]:
    """Return what an engagement's design trades against reliability, in the order it was recorded."""
    query = select(TradeOff).where(TradeOff.engagement_id == engagement_id)
    return list(session.scalars(query.order_by(TradeOff.created_at, TradeOff.id)))


def _refuse_incomplete(new: NewTradeOff) -> None:
    needed = ("reason",) if new.none else ("choice", "rejected_option", "reliability_cost", "accepted_by")
    faults = [Fault(name, "is needed") for name in needed if not getattr(new, name).strip()]
    if faults:
        what = (
            "To say that there is none takes a reason."
            if new.none
            else "A trade-off is a choice, what was rejected, \
what it costs in reliability, and who accepted that."
        )
        raise InvalidInput(what, faults)
