"""Production meetings of developers with SRE: what is to be talked about, made by itself, and what was said."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.services import Service, services
from engagements import records
from engagements.knowledge.models import ProductionMeeting
from engagements.models import HistoryEvent
from engagements.records import Change, Place
from engagements.reviews.launching.models import Launch
from engagements.reviews.words import LaunchStage
from portal_backend.core.clock import format_time
from portal_backend.core.db import chunks
from portal_backend.core.errors import Fault, InvalidInput
from portal_backend.core.pagination import Page
from portal_backend.core.principal import Principal, Role
from scorecards.judging import Judging

LOOK_BACK, LOOK_AHEAD = timedelta(days=7), timedelta(days=60)
ENDING = ("deprecation", "abandoned", "unsupported")
HOLDERS = (Role.DEV, Role.DEV_LEAD, Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER, Role.LAUNCH_COORDINATOR)
MOST = 200


def agenda(session: Session, judging: Judging, refs: Sequence[str] | None, now: datetime) -> dict[str, Any]:
    """Return what the next meeting is to talk about (SRE book, chapter 31): last week's pages, launches, turn-downs.

    `refs` are the services it is about; None means all of them. Raises InvalidInput for one that is no service.
    """
    found = services(session, judging.service_types, refs)
    if odd := sorted(set(refs or ()) - {service.ref for service in found}):
        faults = [Fault("service", f"{ref} is no service of the catalog") for ref in odd]
        raise InvalidInput(f"A meeting is about services; {', '.join(odd)[:500]} is none of the catalog.", faults)
    about = [service.ref for service in found]
    pages = _pages(session, about, now)
    return {
        "since": now - LOOK_BACK,
        "until": now + LOOK_AHEAD,
        "pages": pages[:MOST],
        "open_pages": [page for page in pages if page["open"]][:MOST],
        "launches": _launches(session, about, now)[:MOST],
        "turn_downs": [_turn_down(service) for service in found if service.lifecycle in ENDING][:MOST],
    }


def hold(
    session: Session, judging: Judging, body: Mapping[str, Any], principal: Principal, now: datetime
) -> ProductionMeeting:
    """Record a meeting that was held, in the history of each of its services; the same one twice is one.

    Raises InvalidInput when it lies in the future or is about what is no service.
    """
    records.require_role(principal, "record a production meeting", *HOLDERS)
    refs = sorted({ref.lower() for ref in body["services"]})
    known_refs = {service.ref for service in services(session, judging.service_types, refs)}
    faults = [Fault("services", f"{ref} is no service of the catalog") for ref in refs if ref not in known_refs]
    if body["held_at"] > now:
        faults.append(Fault("held_at", "is still to come; record a meeting once it was held"))
    if faults:
        raise InvalidInput("This is no meeting that was held about services.", faults)
    records.lock(session, *refs)
    content = {**{name: value for name, value in body.items() if name != "id"}, "services": refs}
    place, request = Place(refs[0]), records.digest(content)
    meeting_id = records.identity(body["id"], ProductionMeeting.__tablename__, content)
    known = records.known(session, ProductionMeeting, meeting_id, place, request)
    if known is not None:
        return known
    row = records.fresh(
        ProductionMeeting, meeting_id, place, request, **content,
        agenda=_plain(agenda(session, judging, refs, body["held_at"])),
    )  # fmt: skip
    summary = f"Production meeting of {', '.join(body['attendees'])}."
    records.write(session, [Change(row, "meeting.held", summary, body["held_at"], refs=refs)], principal, now)
    return row


def list_meetings(session: Session, cursor: str | None, limit: int) -> Page[ProductionMeeting]:
    """Return a page of meetings, the newest record first."""
    return records.page(session, ProductionMeeting, select(ProductionMeeting), cursor, limit)


def _pages(session: Session, refs: Sequence[str], now: datetime) -> list[dict[str, Any]]:
    """Return the pages of the last week, the latest first; one is open while no later event says it stopped."""
    fired: list[HistoryEvent] = []
    ended: dict[tuple[str, str], datetime] = {}
    for chunk in chunks(refs):
        query = select(HistoryEvent).where(
            HistoryEvent.entity_ref.in_(chunk),
            HistoryEvent.kind.in_(("alert.fired", "alert.resolved")),
            HistoryEvent.occurred_at >= now - LOOK_BACK,
            HistoryEvent.occurred_at <= now,
        )
        for event in session.scalars(query):
            if event.kind == "alert.fired":
                fired.append(event)
            else:
                key = (event.entity_ref, _alert(event))
                ended[key] = max(event.occurred_at, ended.get(key, event.occurred_at))
    fired.sort(key=lambda event: (event.occurred_at, event.id), reverse=True)
    return [
        {
            "service": event.entity_ref,
            "at": event.occurred_at,
            "summary": event.summary,
            "link": event.link,
            "open": ended.get((event.entity_ref, _alert(event)), event.occurred_at) <= event.occurred_at,
        }
        for event in fired
    ]


def _alert(event: HistoryEvent) -> str:
    return str(event.details.get("alert") or event.details.get("alertname") or event.summary)


def _launches(session: Session, refs: Sequence[str], now: datetime) -> list[dict[str, Any]]:
    found = []
    for chunk in chunks(refs):
        query = select(Launch).where(
            Launch.entity_ref.in_(chunk), Launch.stage.not_in((LaunchStage.FULL, LaunchStage.ABORTED))
        )
        found += [
            {"service": row.entity_ref, "launch": row.id, "name": row.name, "stage": row.stage,
             "planned_at": row.planned_at, "signed": row.signed_by is not None}
            for row in session.scalars(query)
            if row.planned_at is None or row.planned_at <= now + LOOK_AHEAD
        ]  # fmt: skip
    return sorted(found, key=lambda each: (each["planned_at"] is None, each["planned_at"] or now, each["launch"]))


def _turn_down(service: Service) -> dict[str, Any]:
    return {"service": service.ref, "lifecycle": service.lifecycle, "dependents": list(service.dependents)}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return format_time(value) if isinstance(value, datetime) else value
