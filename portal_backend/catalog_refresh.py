"""Reads the catalog's locations, and lets facts, verdicts and history follow what changed there.

The catalog is a source like the others: it has a lease, runs and a health of its own, under the name `catalog`.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

import catalog.facts
import catalog.services
import catalog.settings
from catalog.ingestion.refresh import CLAIM, INGESTION, IngestReport, begin, read, write_some
from catalog.ingestion.reindexing import reindex_some
from catalog.locations import list_locations
from catalog.models import Entity, Location
from catalog.services import Service
from engagements import history, imports, support
from engagements.history import NewEvent
from engagements.lifecycle import adoption
from plugins import sources
from plugins.contract import Fact, PullFault
from plugins.models import Source
from portal_backend import judgement, settings
from portal_backend.core import clock
from portal_backend.core.clock import format_time, parse_time
from portal_backend.core.database_faults import SHOWN, traceback_of
from portal_backend.core.db import reading, serialise, transaction
from portal_backend.core.errors import InvalidInput
from portal_backend.core.principal import LOCAL_ADMINISTRATOR
from portal_backend.core.processes import other_processes
from scorecards import facts, judging, scorecard
from scorecards.changes import LevelChange
from scorecards.evidence.causes import CATALOG_SOURCE
from scorecards.exceptions.recording import JUDGING
from scorecards.loading import dependents_of
from scorecards.models import EntityFacts

log = logging.getLogger(__name__)

TOGETHER = timedelta(seconds=30)
"""Locations that would be due so soon are read along: one run for all of them instead of one for each."""

REOBSERVED_AFTER = timedelta(hours=1)
"""Facts of an unchanged catalog are observed anew at this pace: often enough to stay fresh, seldom enough to cost
little."""

READING = "reading"
"""The cursor while locations are read: a run that ends before facts could follow leaves it for the next one to see."""

WATCHED = {
    "catalog.owner": ("service.owner_changed", "owner"),
    "catalog.criticality": ("service.criticality_changed", "criticality"),
    "catalog.lifecycle": ("service.lifecycle_changed", "lifecycle"),
}
"""Facts whose change is an event in a service's history, with the event's kind and the word for it."""


def due_locations(session: Session, now: datetime) -> list[str]:
    """Return the ids of the locations that are to be read now, those that somebody waits for first."""
    due = or_(Location.due_at.is_(None), Location.due_at <= now)
    return list(session.scalars(select(Location.id).where(due).order_by(Location.due_at.is_not(None), Location.due_at)))


def is_wanted(session: Session, now: datetime) -> bool:
    """Say whether a location is due, or a run was killed, while nobody reads the catalog.

    After a failure the source's own pause holds.
    """
    resting = and_(Source.consecutive_failures > 0, Source.next_due_at > now)
    free = or_(Source.lease_token.is_(None), Source.lease_until <= now)
    source = session.execute(
        select(Source.cursor).where(
            Source.name == CATALOG_SOURCE, Source.configured, free, ~func.coalesce(resting, False)
        )
    ).one_or_none()
    return source is not None and (source.cursor == READING or bool(due_locations(session, now)))


def read_locations(
    keep: Callable[[IngestReport], None], *, only_due: bool = False, interrupted: bool = False
) -> list[IngestReport]:
    """Read the registered locations, or those that are due by a moment from now; `keep` is called after each.

    After a run that was `interrupted` those are due too that it had claimed. Nobody waits for a lock while files and
    servers are read, and a large location is written a part at a time. One location that fails for a reason of ours
    does not keep the others from it: the first such failure is raised last.
    """
    with reading() as session:
        every = [location.id for location in list_locations(session)]
        ids = due_locations(session, clock.now() + (CLAIM if interrupted else TOGETHER)) if only_due else every
    reports: list[IngestReport] = []
    failure: Exception | None = None
    for location_id in ids:
        try:
            report = read_one(location_id)
        except Exception as error:
            about = {"location": location_id, "error": str(error)[:SHOWN]}
            log.error("location not read", exc_info=traceback_of(error), extra={"portal": about})
            failure = failure or error
            continue
        if report is not None:
            keep(report)
            reports.append(report)
    if failure is not None:
        raise failure
    return reports


def read_one(
    location_id: str, *, allow_removals: bool = False, on_file: Callable[[str], None] = lambda _: None
) -> IngestReport | None:
    """Read one location; None when it was taken away.

    `allow_removals` lets go what left the files, however much it is; `on_file` is called with each file.
    """
    settings_ = catalog.settings.current()
    with transaction() as session:
        location = session.get(Location, location_id)
        if location is None:
            return None
        ingestion = begin(session, location, claimed_until=clock.now() + CLAIM)
    with other_processes() as run:
        read(ingestion, settings_.reader(), on_file, run)
    while ingestion.report is None:
        with transaction() as session:
            write_some(session, ingestion, clock.now(), settings_, allow_removals=allow_removals)
    return ingestion.report


def reindex() -> int:
    """Bring what filters see of stored entities up to date, once after an upgrade; return how many differed."""
    changed = after = 0
    while True:
        with transaction() as session:
            serialise(session, INGESTION)
            step = reindex_some(session, after)
        if step is None:
            break
        after, some = step
        changed += some
    if changed:
        log.info("indexed entities as this release does", extra={"portal": {"entities": changed}})
    return changed


def vanished(session: Session) -> set[str]:
    """Return the services that facts tell of although no entity is there any more: a person took them away."""
    exists = select(Entity.id).where(Entity.ref == EntityFacts.entity_ref).exists()
    return set(session.scalars(select(EntityFacts.entity_ref).where(EntityFacts.source == CATALOG_SOURCE, ~exists)))


def follow(reports: Collection[IngestReport]) -> list[LevelChange]:
    """Let facts, verdicts and history follow what reading changed; return the levels that moved."""
    observe(reports)
    return judgement.rejudge_due()


def observe(reports: Collection[IngestReport], everything: bool = False) -> None:
    """Let facts and history follow what reading changed, and have those judged whose facts changed, or all services.

    All services are observed, since one entity bears on the facts of others: a group on its services' owner, a service
    on its dependents' weakest dependency. What the other sources know of a new service is asked for at once. Judging
    takes far longer than this; it is left to `judgement.rejudge_due`, so that nobody who reads files waits for it.
    """
    gone = {ref for report in reports for ref in report.removed_refs}
    with transaction() as session:
        serialise(session, JUDGING)
        now = clock.now()
        gone |= vanished(session)
        found = catalog.services.services(session, judging.current().service_types)
        observed = catalog.facts.observe(found, catalog.services.directory(session, found), now)
        touched, registered = _store(session, found, observed, now)
        left = [ref for ref, known in facts.readings(session, gone).items() if known]
        scorecard.forget(session, gone)
        history.record(session, [_removed(ref, now) for ref in left], now)
        touched |= {ref for report in reports for ref in report.changed_refs}
        touched |= dependents_of(session, judging.current(), touched)
        if everything:
            touched |= {service.ref for service in found}
        scorecard.expire(session, touched - gone, now)
    if registered:
        with transaction() as session:
            sources.request_collection_of_all(session, clock.now())


def import_support() -> list[PullFault]:
    """Import the configured file of support tiers that held before; return what was refused. Safe to repeat."""
    path = settings.current().config.support_import
    if path is None:
        return []
    with transaction() as session:
        now = clock.now()
        try:
            records = imports.read_records(path, now)
        except InvalidInput as error:
            return [PullFault(f"{path.name} {fault.path}".rstrip(), fault.message) for fault in error.faults] or [
                PullFault(path.name, error.message)
            ]
        report = support.adopt(session, records, LOCAL_ADMINISTRATOR, now)
        adoption.adopt(session, LOCAL_ADMINISTRATOR, now, [record.entity_ref for record in records])
    return [PullFault(f"{path.name} {fault.path}", fault.message) for fault in report.refused]


def _store(
    session: Session, found: Sequence[Service], observed: Sequence[Fact], now: datetime
) -> tuple[set[str], list[Service]]:
    """Store the catalog's facts and record what changed of services; return those to judge again, and the new ones."""
    refs = {service.ref for service in found}
    before = _watched_values(session, refs)
    stored = facts.store(session, CATALOG_SOURCE, observed, settings.current().specs, now, whole=refs)
    registered = [service for service in found if not before[service.ref]]
    events = [_registered(service, now) for service in registered]
    events += [event for fact in observed if (event := _changed(fact, before.get(fact.ref, {}), now))]
    history.record(session, events, now)
    return set(stored.changed), registered


def _watched_values(session: Session, refs: Collection[str]) -> dict[str, dict[str, Any]]:
    known = facts.readings(session, refs)
    return {
        ref: {
            key: reading.value
            for key, readings in of_ref.items()
            for reading in readings
            if key in WATCHED and reading.source == CATALOG_SOURCE
        }
        for ref, of_ref in known.items()
    }


def _registered(service: Service, now: datetime) -> NewEvent:
    return NewEvent(
        entity_ref=service.ref,
        kind="service.registered",
        occurred_at=now,
        source=CATALOG_SOURCE,
        source_event_id=f"registered:{service.ref}:{format_time(now)}",
        summary=f"{service.title or service.name} entered the catalog.",
    )


def _changed(fact: Fact, before: Mapping[str, Any], now: datetime) -> NewEvent | None:
    if fact.key not in WATCHED or fact.key not in before or before[fact.key] == fact.value:
        return None
    kind, word = WATCHED[fact.key]
    return NewEvent(
        entity_ref=fact.ref,
        kind=kind,
        occurred_at=now,
        source=CATALOG_SOURCE,
        source_event_id=f"{word}:{fact.ref}:{format_time(now)}",
        summary=f"The {word} changed from {before[fact.key]} to {fact.value}.",
        details={"from": before[fact.key], "to": fact.value},
    )


def _removed(ref: str, now: datetime) -> NewEvent:
    return NewEvent(
        entity_ref=ref,
        kind="service.removed",
        occurred_at=now,
        source=CATALOG_SOURCE,
        source_event_id=f"removed:{ref}:{format_time(now)}",
        summary="The service left the catalog.",
    )


def is_due_again(cursor: str | None, now: datetime) -> bool:
    """Say whether an unchanged catalog is to be observed anew; the cursor is the time of the last observation."""
    return cursor is None or cursor == READING or now - parse_time(cursor) >= REOBSERVED_AFTER
