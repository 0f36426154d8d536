"""Which services a campaign is meant for, and how the last judgement found them: one query."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from flask import Flask, current_app
from sqlalchemy import ColumnElement, and_, exists, select
from sqlalchemy.orm import Session, aliased

from catalog.format.refs import BadReference, parse_ref
from catalog.models import Entity, SearchKey, SearchRow
from portal_backend.core.errors import Fault, InvalidInput
from scorecards.campaigns.models import Campaign, CampaignExemption
from scorecards.campaigns.progress import Member
from scorecards.exceptions.statuses import FETCHED, STATUSES_TEXT, verdicts
from scorecards.models import Scorecard

REFERENCES = {"owner": "group", "system": "system", "ref": "component"}
"""The filters that take entity references, and the kind of a reference that names none."""

Target = Mapping[str, Sequence[str]]
TierReader = Callable[[Session], Mapping[str, str]]
"""Returns the support tier of every service that has another than the one all begin with."""
FIRST_TIER = "documentation"


def init_app(app: Flask, tiers: TierReader) -> None:
    """Say how support tiers are read: they lie above this package."""
    app.extensions["scorecards.tiers"] = tiers


def comparable(target: Target) -> dict[str, list[str]]:
    """Return a target as it is kept: references in full and lower case, empty filters left out.

    Raises InvalidInput when one is no reference.
    """
    faults, found = [], {}
    for name, values in target.items():
        kind, kept = REFERENCES.get(name), []
        for index, value in enumerate(values):
            try:
                kept.append(str(parse_ref(value, kind)) if kind else value)
            except BadReference as error:
                faults.append(Fault(f"target.{name}[{index}]", str(error)))
        if kept:
            found[name] = sorted(set(kept))
    if faults:
        raise InvalidInput("The target has faults: " + "; ".join(str(fault) for fault in faults), faults)
    return found


def members(
    session: Session, campaign: Campaign, checks: Sequence[str], now: datetime, refs: Collection[str] | None = None
) -> list[Member]:
    """Return the services that a campaign is meant for (of `refs` alone), with their verdicts, by reference."""
    exempt = and_(
        CampaignExemption.campaign == campaign.name,
        CampaignExemption.entity_ref == Scorecard.entity_ref,
        CampaignExemption.until > now,
    )
    query = (
        select(Scorecard.entity_ref, Scorecard.owner, CampaignExemption.until, STATUSES_TEXT)
        .outerjoin(CampaignExemption, exempt)
        .where(*_conditions(campaign.target))
        .order_by(Scorecard.entity_ref)
        .execution_options(yield_per=FETCHED)
    )
    if refs is not None:
        query = query.where(Scorecard.entity_ref.in_(sorted(refs)))
    tiers = _tiers(session, campaign.target)
    return [
        Member(ref, owner, verdicts(text, checks), until is not None)
        for ref, owner, until, text in session.execute(query)
        if tiers is None or tiers.get(ref, FIRST_TIER) in campaign.target["tier"]
    ]


def _tiers(session: Session, target: Target) -> Mapping[str, str] | None:
    if not target.get("tier"):
        return None
    reader: TierReader = current_app.extensions["scorecards.tiers"]
    return reader(session)


def _conditions(target: Target) -> list[ColumnElement[bool]]:
    columns = {
        "owner": Scorecard.owner,
        "system": Scorecard.system,
        "criticality": Scorecard.criticality,
        "ref": Scorecard.entity_ref,
    }
    conditions: list[ColumnElement[bool]] = [
        column.in_(target[name]) for name, column in columns.items() if target.get(name)
    ]
    if target.get("tag"):
        conditions.append(_tagged(target["tag"]))
    return conditions


def _tagged(tags: Sequence[str]) -> ColumnElement[bool]:
    """One of the tags is the service's."""
    row = aliased(SearchRow)
    return exists(
        select(row.entity_id)
        .join(SearchKey, SearchKey.id == row.key_id)
        .join(Entity, Entity.id == row.entity_id)
        .where(
            SearchKey.name == "metadata.tags",
            row.value.in_([tag.lower() for tag in tags]),
            Entity.ref == Scorecard.entity_ref,
        )
    )
