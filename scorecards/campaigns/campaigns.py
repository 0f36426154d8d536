"""Campaigns from plan to close, and exemptions from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal_backend.core.clock import format_time
from portal_backend.core.errors import Conflict, Fault, InvalidInput, NotFound
from portal_backend.core.pagination import Page, bad_cursor, decode_cursor, encode_cursor
from portal_backend.core.principal import Principal, Role
from scorecards.campaigns.models import Campaign, CampaignExemption
from scorecards.campaigns.targets import Target, comparable
from scorecards.checks.definitions import CheckCatalogue
from scorecards.exceptions.models import plain_form
from scorecards.exceptions.people import owner_ref, require_role
from scorecards.exceptions.recording import Done, Happening
from scorecards.exceptions.versions import refuse_outdated

KEEPERS = (Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER, Role.PLATFORM_OWNER)
EXEMPTERS = (Role.SRE_LEAD, Role.SRE_MANAGER, Role.PLATFORM_OWNER)
LONGEST_EXEMPTION = timedelta(days=180)
"""As long as a waiver may last."""


@dataclass(frozen=True)
class CampaignPlan:
    """What a campaign is to reach, where and by when."""

    title: str
    reason: str
    owner: str
    checks: Sequence[str]
    target: Target
    due_on: date


def plan(
    session: Session,
    catalogue: CheckCatalogue,
    name: str,
    wanted: CampaignPlan,
    if_match: int | None,
    principal: Principal,
    now: datetime,
) -> Campaign:
    """Plan a campaign, or change one that is not closed. An unchanged plan changes nothing.

    Raises NotAllowed when the role is lacking, InvalidInput on unknown checks, references or a day gone by, Conflict
    when it is closed, and PreconditionFailed when it changed since the caller read it.
    """
    require_role(principal, KEEPERS, "plan campaigns")
    campaign = session.get(Campaign, name)
    refuse_outdated(f"Campaign {name}", if_match, campaign.version if campaign else 0)
    values = {
        "title": wanted.title,
        "reason": wanted.reason,
        "owner": owner_ref(wanted.owner),
        "checks": _known_checks(catalogue, wanted.checks),
        "target": comparable(wanted.target),
        "due_on": wanted.due_on,
    }
    if campaign is not None and all(getattr(campaign, key) == value for key, value in values.items()):
        return campaign
    _refuse_past(campaign, wanted.due_on, now)
    if campaign is None:
        stamps = {"created_by": principal.name, "created_at": now, "changed_by": principal.name, "changed_at": now}
        campaign = Campaign(name=name, state="planned", version=1, **stamps, **values)
        session.add(campaign)
    elif campaign.state == "closed":
        raise Conflict(f"Campaign {name} is closed; plan a new one under another name.")
    else:
        for key, value in values.items():
            setattr(campaign, key, value)
        _touch(campaign, principal, now)
    session.flush()
    return campaign


def start(session: Session, name: str, principal: Principal, now: datetime) -> Campaign:
    """Begin a campaign; one that runs stays as it is. Raises NotFound, NotAllowed, and Conflict when it is closed."""
    require_role(principal, KEEPERS, "start campaigns")
    campaign = find(session, name)
    if campaign.state == "closed":
        raise Conflict(f"Campaign {name} is closed; plan a new one under another name.")
    if campaign.state == "planned":
        campaign.state, campaign.started_at = "active", now
        _touch(campaign, principal, now)
        session.flush()
    return campaign


def close(session: Session, name: str, reason: str, principal: Principal, now: datetime) -> Campaign:
    """End a campaign, with what came of it; a closed one stays as it is. Raises NotFound and NotAllowed."""
    require_role(principal, KEEPERS, "close campaigns")
    campaign = find(session, name)
    if campaign.state != "closed":
        campaign.state, campaign.closed_at, campaign.close_reason = "closed", now, reason
        _touch(campaign, principal, now)
        session.flush()
    return campaign


def exempt(
    session: Session, name: str, ref: str, reason: str, until: datetime, principal: Principal, now: datetime
) -> Done[CampaignExemption]:
    """Exempt a service from a campaign until a time, or change that. Repeating it changes nothing.

    Raises NotFound, NotAllowed, InvalidInput when the end lies out of bounds, and Conflict when the campaign is closed.
    """
    require_role(principal, EXEMPTERS, "exempt services from campaigns")
    _refuse_closed(find(session, name))
    row = session.get(CampaignExemption, (name, ref))
    if row is not None and (row.reason, row.until) == (reason, until):
        return Done(row)
    _refuse_end(until, now)
    if row is None:
        row = CampaignExemption(campaign=name, entity_ref=ref)
        session.add(row)
    row.reason, row.until, row.granted_by, row.granted_at = reason, until, principal.name, now
    session.flush()
    summary = f"{principal.name} exempts it from the campaign {name} until {until:%Y-%m-%d}: {reason}"
    details = {"state": plain_form(row), "roles": sorted(principal.roles)}
    event_id = f"campaign/{name}/{ref}/exempted/{format_time(now)}/{format_time(until)}"
    told = Happening(ref, "campaign.exempted", event_id, now, summary, principal.name, details)
    return Done(row, (told,))


def end_exemption(session: Session, name: str, ref: str, principal: Principal, now: datetime) -> Done[None]:
    """Let a service take part again; one that does changes nothing. Raises NotFound and NotAllowed."""
    require_role(principal, EXEMPTERS, "end exemptions from campaigns")
    find(session, name)
    row = session.get(CampaignExemption, (name, ref))
    if row is None:
        return Done(None)
    session.delete(row)
    session.flush()
    summary = f"{principal.name} ended its exemption from the campaign {name}."
    event_id = f"campaign/{name}/{ref}/exemption_ended/{format_time(now)}"
    details = {"state": {"campaign": name}}
    return Done(None, (Happening(ref, "campaign.exemption_ended", event_id, now, summary, principal.name, details),))


def find(session: Session, name: str) -> Campaign:
    """Return a campaign; raises NotFound."""
    campaign = session.get(Campaign, name) if "\0" not in name else None
    if campaign is None:
        raise NotFound(f"There is no campaign {name}; /api/scorecards/campaigns lists them.")
    return campaign


def list_campaigns(
    session: Session, states: Sequence[str], owner: str | None, cursor: str | None, limit: int
) -> Page[Campaign]:
    """Return a page of campaigns by name; raises InvalidInput when the cursor is not one of this list."""
    query = select(Campaign)
    if states:
        query = query.where(Campaign.state.in_(states))
    if owner:
        query = query.where(Campaign.owner == owner)
    if cursor is not None:
        query = query.where(Campaign.name > position(cursor))
    found = list(session.scalars(query.order_by(Campaign.name).limit(limit + 1)))
    more = len(found) > limit
    return Page(found[:limit], encode_cursor(found[limit - 1].name) if more else None)


def list_exemptions(session: Session, name: str, cursor: str | None, limit: int) -> Page[CampaignExemption]:
    """Return a page of a campaign's exemptions by reference, ended ones too.

    Raises InvalidInput when the cursor is not one of this list.
    """
    row = CampaignExemption
    query = select(row).where(row.campaign == name)
    if cursor is not None:
        query = query.where(row.entity_ref > position(cursor))
    found = list(session.scalars(query.order_by(row.entity_ref).limit(limit + 1)))
    more = len(found) > limit
    return Page(found[:limit], encode_cursor(found[limit - 1].entity_ref) if more else None)


def position(cursor: str) -> str:
    """Return the name after which a page begins; raises InvalidInput when the cursor holds none."""
    after = decode_cursor(cursor)
    if not isinstance(after, str) or "\0" in after:
        raise bad_cursor()
    return after


def _touch(campaign: Campaign, principal: Principal, now: datetime) -> None:
    campaign.version += 1
    campaign.changed_by, campaign.changed_at = principal.name, now


def _known_checks(catalogue: CheckCatalogue, checks: Sequence[str]) -> list[str]:
    faults = [
        Fault(f"checks[{index}]", f"the catalogue has no check {check}; /api/scorecards/checks lists them")
        for index, check in enumerate(checks)
        if check not in catalogue.checks
    ]
    if faults:
        raise InvalidInput("The campaign has faults: " + "; ".join(str(fault) for fault in faults), faults)
    return list(dict.fromkeys(checks))


def _refuse_past(campaign: Campaign | None, due_on: date, now: datetime) -> None:
    if (campaign is None or campaign.due_on != due_on) and due_on < now.date():
        raise InvalidInput("due_on: must not lie in the past.", [Fault("due_on", "must not lie in the past")])


def _refuse_closed(campaign: Campaign) -> None:
    if campaign.state == "closed":
        raise Conflict(f"Campaign {campaign.name} is closed; nobody needs an exemption from it.")


def _refuse_end(until: datetime, now: datetime) -> None:
    message = None
    if until <= now:
        message = "must lie in the future"
    elif until > now + LONGEST_EXEMPTION:
        message = f"an exemption lasts {LONGEST_EXEMPTION.days} days at most"
    if message:
        raise InvalidInput(f"until: {message}.", [Fault("until", message)])
