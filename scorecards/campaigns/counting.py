"""How far campaigns are: now, service by service, and from day to day."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal_backend.core.db import upsert
from portal_backend.core.pagination import Page, encode_cursor
from scorecards.campaigns.campaigns import position
from scorecards.campaigns.models import Campaign, CampaignDay
from scorecards.campaigns.progress import Member, Stand, Tally, add_up, days_left, stand_of
from scorecards.campaigns.targets import members
from scorecards.checks.definitions import CheckCatalogue, Status

COUNT_AGAIN = timedelta(hours=1)
"""How old the present day's count may grow before upkeep counts again."""
TEAMS_LISTED = 500
DAYS_LISTED = 366
LEFT = {Stand.OPEN.value, Stand.UNKNOWN.value}
LACKING = {Status.FAIL.value, Status.UNKNOWN.value}


def live_checks(campaign: Campaign, catalogue: CheckCatalogue) -> list[str]:
    """Return the checks of a campaign that the catalogue still has; nobody can lack one that is gone."""
    return [check for check in campaign.checks if check in catalogue.checks]


def progress_of(session: Session, catalogue: CheckCatalogue, campaign: Campaign, now: datetime) -> dict[str, Any]:
    """Return how far a campaign is over all and by team, those with most left first."""
    checks = live_checks(campaign, catalogue)
    progress = add_up(members(session, campaign, checks, now), checks)
    teams = sorted(progress.teams.items(), key=lambda item: (-(item[1].open + item[1].unknown), item[0]))
    left = days_left(campaign.due_on, now)
    lacking = progress.total.open + progress.total.unknown
    return {
        "total": tally_form(progress.total),
        "teams": [{"owner": owner or None, **tally_form(tally)} for owner, tally in teams[:TEAMS_LISTED]],
        "teams_count": len(teams),
        "days_left": left,
        "overdue": campaign.state == "active" and left < 0 and lacking > 0,
        "dropped_checks": [check for check in campaign.checks if check not in checks],
        "as_of": now,
    }


def tally_form(tally: Tally) -> dict[str, Any]:
    """Return counts with their percent."""
    counts = {name: getattr(tally, name) for name in ("done", "open", "unknown", "exempt")}
    return {**counts, "percent": tally.percent}


def list_services(
    session: Session,
    catalogue: CheckCatalogue,
    campaign: Campaign,
    stands: list[str],
    owner: str | None,
    cursor: str | None,
    limit: int,
    now: datetime,
) -> Page[dict[str, Any]]:
    """Return a page of the services of a campaign that stand in one of these ways, by reference.

    Raises InvalidInput when the cursor is not one of this list.
    """
    after = position(cursor) if cursor is not None else ""
    found, checks = [], live_checks(campaign, catalogue)
    for member in members(session, campaign, checks, now):
        stand = stand_of(member, checks)
        if stand.value in stands and member.ref > after and (owner is None or member.owner == owner):
            found.append(member_form(member, stand, checks))
            if len(found) > limit:
                break
    more = len(found) > limit
    return Page(found[:limit], encode_cursor(found[limit - 1]["ref"]) if more else None)


def member_form(member: Member, stand: Stand, checks: Sequence[str]) -> dict[str, Any]:
    """Return a service with what it lacks."""
    return {
        "ref": member.ref,
        "owner": member.owner,
        "stand": stand.value,
        "exempt": member.exempt,
        "lacking": [
            {"check": check, "status": member.statuses.get(check, Status.UNKNOWN.value)}
            for check in checks
            if member.statuses.get(check, Status.UNKNOWN.value) in LACKING
        ],
    }


def campaigns_of(session: Session, catalogue: CheckCatalogue, ref: str, now: datetime) -> list[dict[str, Any]]:
    """Return the running campaigns that a service takes part in, the one due first at the front."""
    running = select(Campaign).where(Campaign.state == "active").order_by(Campaign.due_on, Campaign.name)
    found = []
    for campaign in session.scalars(running):
        checks = live_checks(campaign, catalogue)
        for member in members(session, campaign, checks, now, [ref]):
            stand = stand_of(member, checks)
            if stand is not Stand.NOT_APPLICABLE:
                told = member_form(member, stand, checks)
                found.append({**told, **_to_a_team(catalogue, campaign, told, now)})
    return found


def _to_a_team(catalogue: CheckCatalogue, campaign: Campaign, told: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Return what a team is told of a campaign besides where its service stands: why, who asks, what would do."""
    left = days_left(campaign.due_on, now)
    return {
        "campaign": campaign.name,
        "title": campaign.title,
        "reason": campaign.reason,
        "asked_by": campaign.owner,
        "due_on": campaign.due_on,
        "days_left": left,
        "overdue": left < 0 and told["stand"] in LEFT,
        "lacking": [
            {**one, "title": check.title, "guide": check.guide, "guide_url": check.guide_url}
            for one in told["lacking"]
            for check in (catalogue.checks[one["check"]],)
        ],
    }


def count_day(session: Session, catalogue: CheckCatalogue, campaign: Campaign, now: datetime) -> None:
    """Keep how far a campaign is on the present day; a later count of the same day replaces it."""
    checks = live_checks(campaign, catalogue)
    total = add_up(members(session, campaign, checks, now), checks).total
    counts = {name: getattr(total, name) for name in ("done", "open", "unknown", "exempt")}
    row = {"campaign": campaign.name, "day": now.date(), "counted_at": now, **counts}
    upsert(session, CampaignDay, [row], ["campaign", "day"])


def due_counts(session: Session, now: datetime) -> list[str]:
    """Return the running campaigns whose count of the present day is missing, or an hour old."""
    fresh = select(CampaignDay.campaign).where(
        CampaignDay.day == now.date(), CampaignDay.counted_at > now - COUNT_AGAIN
    )
    query = select(Campaign.name).where(Campaign.state == "active", Campaign.name.not_in(fresh))
    return list(session.scalars(query.order_by(Campaign.name)))


def days(session: Session, campaign: Campaign, since: date | None) -> list[dict[str, Any]]:
    """Return how far a campaign was on each day that was counted, the earliest first: the last 366 days at most."""
    row = CampaignDay
    query = select(row).where(row.campaign == campaign.name)
    if since is not None:
        query = query.where(row.day >= since)
    found = session.scalars(query.order_by(row.day.desc()).limit(DAYS_LISTED))
    return [
        {
            "day": one.day,
            "counted_at": one.counted_at,
            **tally_form(Tally(one.done, one.open, one.unknown, one.exempt)),
        }
        for one in reversed(list(found))
    ]
