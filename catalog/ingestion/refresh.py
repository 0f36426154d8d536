"""Locations to entities: read, judge, compare with what is stored, write what differs.

A bad document keeps the last good form of its entity, with the error in its status; a target that cannot be read keeps
all of them. Entities that left their files are marked as orphans after a complete read, and go after a grace period,
only a few at a time: more of them wait for a person.

A read has three parts: `begin` says what is known, `read` looks outside and needs no database, `write_some` stores a
part of what was found and is called until it is done, each time in a transaction of its own. A process that is killed
in between loses nothing: files are remembered last, and what was written is found to be so by the next read.
"""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog import settings as catalog_settings
from catalog.ingestion.candidates import await_candidates
from catalog.ingestion.documents import documents_of
from catalog.ingestion.file_readings import FileReading, FoundFault
from catalog.ingestion.findings import (
    doubt_files,
    findings,
    known_files,
    let_others_try,
    remember_files,
    still_known_files,
    store_findings,
)
from catalog.ingestion.following import read_location
from catalog.ingestion.pacing import next_read
from catalog.ingestion.planning import Departures, Plan, departures, left_behind, make_plan, own_entities
from catalog.ingestion.reading import Reader
from catalog.ingestion.search_keys import SearchKeys
from catalog.ingestion.storing import (
    INGESTION,
    MANY,
    orphan_entities,
    remove_entities,
    restate,
    tell_the_planner,
    write_entities,
)
from catalog.ingestion.under_way import Ingestion, IngestReport
from catalog.locations import register_location
from catalog.models import CatalogVersion, Location
from catalog.settings import CatalogSettings
from catalog.versions import next_version
from portal_backend.core.db import serialise
from portal_backend.core.memory import uncollected
from portal_backend.core.processes import Run, other_processes

__all__ = ["INGESTION", "IngestReport", "begin", "read", "refresh_location", "register_location", "write_some"]

AT_ONCE = 8_000
"""Entities written in one transaction: others who want to write wait for no longer than that takes."""
SOON_WRITTEN = 3 * AT_ONCE
"""Entities that are written within some seconds; where there are more, the planner is told after the first part too."""
CLAIM = timedelta(minutes=2)
"""When a location is read again whose read never ended, because its process died."""


def refresh_location(
    session: Session,
    location: Location,
    now: datetime,
    *,
    allow_removals: bool = False,
    reader: Reader | None = None,
    settings: CatalogSettings | None = None,
    on_file: Callable[[str], None] = lambda _: None,
) -> IngestReport:
    """Read a registered location again and store what differs, all in the caller's transaction.

    `allow_removals` lifts the grace period of orphans and the cap on entities that leave; `on_file` is called with each
    file before it is read. What is wrong is in the report.
    """
    settings = settings or catalog_settings.current()
    ingestion = begin(session, location)
    with other_processes() as run:
        read(ingestion, reader or settings.reader(), on_file, run)
    while ingestion.report is None:
        write_some(session, ingestion, now, settings, allow_removals=allow_removals)
    return ingestion.report


def begin(session: Session, location: Location, claimed_until: datetime | None = None) -> Ingestion:
    """Return what is known of a location before it is read.

    With `claimed_until` it is due again then: whoever has died in between does not keep it from being read.
    """
    if claimed_until is not None:
        location.due_at = claimed_until
    known = known_files(session, location.id) if location.moved_at is None else {}
    by_operator = location.registered_by is None or location.configured is True
    return Ingestion(location.id, location.type, location.target, known, claimed_until, by_operator)


def read(ingestion: Ingestion, reader: Reader, on_file: Callable[[str], None] = lambda _: None, run: Run = map) -> None:
    """Look at the files and servers; needs no database, and raises nothing. `run` judges (`core.processes`)."""
    reader = reader.for_operator() if ingestion.by_operator else reader

    def keep(file: FileReading) -> FileReading:
        """Put the documents on the shelf at once: as Python objects, those of many files would not fit into memory."""
        ingestion.documents += documents_of(file, ingestion.shelf)
        return replace(file, documents=(), good=())

    ingestion.reading = read_location(reader, ingestion.type, ingestion.target, ingestion.known, on_file, keep, run)


def write_some(
    session: Session,
    ingestion: Ingestion,
    now: datetime,
    settings: CatalogSettings,
    *,
    allow_removals: bool = False,
) -> None:
    """Store the next part of what was read; the last part sets the report.

    A location that was taken away or given another target in the meantime is left alone.
    """
    serialise(session, INGESTION)
    location = session.get(Location, ingestion.location_id, populate_existing=True, with_for_update=True)
    if location is None or (location.type, location.target) != (ingestion.type, ingestion.target):
        if location is not None and location.due_at == ingestion.claimed_until:
            location.due_at = None  # our claim was written after the move, which wants the new target read at once
        ingestion.report = _report(ingestion, Plan(), Departures([], [], []))
        ingestion.shelf.close()
        return
    plan = _plan(session, ingestion, location)
    part = plan.candidates[ingestion.written : ingestion.written + AT_ONCE]
    if not ingestion.written and len(part) < len(plan.candidates):
        doubt_files(session, location.id, {candidate.place.target for candidate in plan.candidates})
    ingestion.changed_refs |= write_entities(session, part, ingestion.coming, ingestion.name, now, ingestion.keys)
    ingestion.written += len(part)
    counted = [candidate for candidate in part if candidate.ref != location.entity_ref]
    ingestion.added += sum(candidate.stored is None for candidate in counted)
    ingestion.changed += sum(candidate.stored is not None for candidate in counted)
    done = ingestion.written == len(plan.candidates)
    is_long = len(part) == ingestion.written and len(plan.candidates) > SOON_WRITTEN
    if len(part) >= MANY and (done or is_long):
        tell_the_planner(session)
    if done:
        _end(session, ingestion, plan, location, now, settings, allow_removals=allow_removals)
    if ingestion.changed_refs or part:
        next_version(session)
    ingestion.version = _version(session)


def _plan(session: Session, ingestion: Ingestion, location: Location) -> Plan:
    """Return the plan; made anew where somebody else has written since."""
    if ingestion.plan is None or ingestion.version != _version(session):
        own = own_entities(session, location.id)
        with uncollected():
            ingestion.plan = make_plan(session, location, ingestion.reading, ingestion.documents, own)
            ingestion.coming = await_candidates(session, ingestion.plan.candidates)
        ingestion.own = own
        ingestion.keys = SearchKeys()
        ingestion.written = 0
    return ingestion.plan


def _version(session: Session) -> int | None:
    return session.scalar(select(CatalogVersion.number))


def _end(
    session: Session,
    ingestion: Ingestion,
    plan: Plan,
    location: Location,
    now: datetime,
    settings: CatalogSettings,
    *,
    allow_removals: bool,
) -> None:
    """Let go what left, keep what is wrong, remember the files, and say when the next read is due."""
    reading, name = ingestion.reading, ingestion.name
    supplied = {*ingestion.own, *(candidate.ref for candidate in plan.candidates)} - {location.entity_ref}
    leaving = departures(
        reading,
        plan,
        left_behind(session, ingestion.own, plan),
        location,
        now,
        present=len(supplied),
        grace=settings.orphan_grace,
        share=settings.removal_share,
        allow_removals=allow_removals,
    )
    changed = remove_entities(session, leaving.removed, now, actor=name)
    reasons = {one.ref: f"{one.file} no longer holds it" for one in leaving.orphaned}
    changed |= orphan_entities(session, leaving.orphaned, reasons, name, now)
    let_others_try(session, [one.ref for one in leaving.removed + leaving.orphaned], location.id)
    touched = _keep_findings(session, ingestion, plan, leaving, location, now)
    ingestion.changed_refs |= changed | restate(session, touched, name, now)
    _note_read(location, ingestion, now, settings)
    ingestion.report = _report(ingestion, plan, leaving, location.entity_ref)
    ingestion.shelf.close()


def _keep_findings(
    session: Session, ingestion: Ingestion, plan: Plan, leaving: Departures, location: Location, now: datetime
) -> set[str]:
    reading = ingestion.reading
    notes = _notes(leaving)
    parents = {file.place.target: file.parent_ref for file in reading.files}
    found = findings(reading, plan.conflicts, notes, parents, location.entity_ref)
    doubtful = {*(one.file for one in found), *(one.file for one in leaving.withheld if one.orphaned_at is None)}
    known = still_known_files(session, location.id, ingestion.known)
    remember_files(session, location.id, reading, doubtful, known)
    return store_findings(session, location.id, found, now)


def _notes(leaving: Departures) -> list[FoundFault]:
    if not leaving.note:
        return []
    return [FoundFault(one.file, one.document, one.ref, "", leaving.note) for one in leaving.withheld]


def _note_read(location: Location, ingestion: Ingestion, now: datetime, settings: CatalogSettings) -> None:
    reading = ingestion.reading
    failing_since = None if reading.error is None else location.last_read_at or location.created_at
    location.last_attempt_at = now
    location.last_error = reading.error
    if reading.error is None:
        location.last_read_at = now
    if reading.complete:
        location.moved_at = None
    if location.due_at == ingestion.claimed_until:  # otherwise somebody has asked for another read since
        chance = random.random()  # noqa: S311 (spreads load, guards nothing)
        location.due_at = next_read(settings.refresh_every, settings.jitter, location.id, now, chance, failing_since)


def _report(ingestion: Ingestion, plan: Plan, leaving: Departures, own_ref: str = "") -> IngestReport:
    removed = frozenset(one.ref for one in leaving.removed)
    faults = [*ingestion.reading.faults, *(one.fault for one in plan.conflicts), *_notes(leaving)]
    return IngestReport(
        location=ingestion.name,
        added=ingestion.added,
        changed=ingestion.changed,
        removed=len(removed),
        unchanged=plan.unchanged,
        faults=tuple(faults),
        changed_refs=frozenset(ingestion.changed_refs - removed - {own_ref}),
        removed_refs=removed,
        withheld_refs=frozenset(one.ref for one in leaving.withheld),
        orphaned_refs=frozenset(one.ref for one in leaving.orphaned),
        error=ingestion.reading.error,
    )
