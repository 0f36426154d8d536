"""A calendar (iCalendar, RFC 5545) of what teams plan around: launches, meetings, trainings, reviews, hand-overs.

Each event of the history is one entry with a UID that stays; a corrected one is cancelled, so that a calendar that
subscribes drops it. Dates that an event names as due or planned are entries of their own. The text follows from the
history alone, so that an unchanged calendar has an unchanged ETag.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from icalendar import Calendar, Event
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.models import RelationRow
from engagements.event_kinds import CORRECTION, EVENT_KINDS
from engagements.history_export.dates import dues_of, moment_of
from engagements.history_reading import HistoryFilter, conditions
from engagements.models import HistoryEvent

KINDS = (
    *("launch.planned", "launch.stage_entered", "launch.aborted", "meeting.held", "training.held"),
    *("consultation.held", "design.reviewed", "service_review.held", "incident_review.done"),
    *("engagement.requested", "engagement.accepted", "engagement.phase_entered", "engagement.paused"),
    *("agreement.signed", "plan.agreed", "transfer.started", "transfer.completed", "tier.changed"),
    *("pager.returned", "pager.resumed", "disengagement.started", "disengagement.completed"),
    *("waiver.granted", "attestation.given", "budget.exhausted", "postmortem.published", "incident.opened"),
    *("engagement.terms_changed", "improvement.agreed", "improvement.changed", "improvement.deferred"),
    *("improvement.done", "improvement.verified", "improvement.rejected"),
)
"""The kinds that a calendar shows; deploys and alerts would bury them."""
DATES_ONLY = ("engagement.terms_changed", *(kind for kind in KINDS if kind.startswith("improvement.")))
"""Kinds of which a calendar shows the dates that they name, not the event itself."""
MAX_EVENTS = 1000
DEFAULT_SPAN = timedelta(days=365)
DOMAIN = "history.portal"


@dataclass(frozen=True)
class Wanted:
    """Which entries a calendar holds."""

    refs: Sequence[str] = ()
    """Of these services; of all by default."""
    owner: str | None = None
    """Of the services that this group or user owns."""
    kinds: Sequence[str] = KINDS
    since: datetime | None = None
    until: datetime | None = None


def calendar_of(session: Session, name: str, wanted: Wanted) -> bytes:
    """Return the newest entries, at most MAX_EVENTS, as the text of a calendar of this name."""
    query = select(HistoryEvent).where(
        *conditions(HistoryFilter(kinds=wanted.kinds, since=wanted.since, until=wanted.until))
    )
    if wanted.refs:
        query = query.where(HistoryEvent.entity_ref.in_(wanted.refs))
    if wanted.owner is not None:
        owned = select(RelationRow.target_ref).where(
            RelationRow.type == "ownerOf", RelationRow.source_ref == wanted.owner.lower()
        )
        query = query.where(HistoryEvent.entity_ref.in_(owned))
    order = (HistoryEvent.occurred_at.desc(), HistoryEvent.id.desc())
    events = session.scalars(query.order_by(*order).limit(MAX_EVENTS)).all()
    corrected = _corrected(session, {event.entity_ref for event in events})
    calendar = Calendar()
    calendar.add("prodid", "-//Portal backend//History//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", name)
    calendar.add("refresh-interval", timedelta(hours=1), parameters={"VALUE": "DURATION"})
    told: set[str] = set()
    for event in events:
        for entry in _entries(event, corrected.get((event.entity_ref, event.sequence)), told):
            calendar.add_component(entry)
    return bytes(calendar.to_ical())


def _corrected(session: Session, refs: set[str]) -> dict[tuple[str, int], datetime]:
    """Return when each corrected event of these services was corrected; corrections are few."""
    query = select(HistoryEvent.entity_ref, HistoryEvent.details, HistoryEvent.recorded_at).where(
        HistoryEvent.kind == CORRECTION
    )
    found = {}
    for ref, details, recorded_at in session.execute(query):
        if ref in refs:
            found[ref, details.get("corrects")] = recorded_at
    return found


def _entries(event: HistoryEvent, corrected_at: datetime | None, told: set[str]) -> Iterator[Event]:
    """Yield the entries of an event; what a newer event said of the same date is in `told` already, and stands."""
    own = f"{event.sequence}.{_digest(event.entity_ref)}"
    if event.kind not in DATES_ONLY:
        begins = moment_of(event.details.get("starts_at")) or event.occurred_at
        ends = moment_of(event.details.get("ends_at"))
        yield _entry(event, own, event.summary, begins, corrected_at, ends)
    for due in dues_of(event.details):
        thing = f"{due.name}.{_digest(event.entity_ref + due.key)}" if due.key else f"{due.name}.{own}"
        if thing in told or (corrected_at and due.key):
            continue
        told.add(thing)
        if due.moment is not None:
            yield _entry(event, thing, f"{due.said}: {event.summary}", due.moment, corrected_at, None)


def _entry(
    event: HistoryEvent,
    uid: str,
    summary: str,
    begins: datetime,
    corrected_at: datetime | None,
    ends: datetime | None,
) -> Event:
    entry = Event()
    entry.add("uid", f"{uid}@{DOMAIN}")
    entry.add("dtstamp", corrected_at or event.recorded_at)
    entry.add("last-modified", corrected_at or event.recorded_at)
    entry.add("sequence", event.sequence * 2 + (1 if corrected_at else 0))
    entry.add("status", "CANCELLED" if corrected_at else "CONFIRMED")
    entry.add("dtstart", begins)
    if ends and ends > begins:
        entry.add("dtend", ends)
    marked = f"{summary} (simulated)" if event.simulated else summary
    entry.add("summary", _clean(f"{_short(event.entity_ref)}: {marked}"))
    entry.add("description", _clean(f"{EVENT_KINDS.get(event.kind, event.kind)}\n{event.entity_ref}\nBy {event.actor}"))
    entry.add("categories", [event.kind])
    entry.add("transp", "TRANSPARENT")
    if event.link.startswith(("https://", "http://")):
        entry.add("url", event.link)
    return entry


def _digest(ref: str) -> str:
    return hashlib.sha256(ref.encode()).hexdigest()[:16]


def _short(ref: str) -> str:
    return ref.rpartition("/")[2]


def _clean(text: str) -> str:
    """Leave out control characters, which a calendar may not hold."""
    return "".join(letter for letter in text if letter == "\n" or letter.isprintable())
