"""What the pictures show, read from the stored scorecards."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.models import Entity
from portal_backend.core.errors import NotFound
from scorecards.checks.definitions import Axis, CheckCatalogue
from scorecards.models import Scorecard, ScorecardChange
from scorecards.pictures.shown import Point, Shown
from scorecards.standing import NO_BAR, counted

MAX_POINTS = 2_000
"""More than the picture has pixels."""


HOLDS = (Scorecard.frozen_until, Scorecard.document)


def read_overall(session: Session, ref: str, catalogue: CheckCatalogue) -> Shown:
    """Return where a service stands over all axes; raises NotFound for what has no scorecard."""
    columns = (Scorecard.level, Scorecard.percent, Scorecard.coverage)
    *values, frozen_until, document = _row(session, ref, *columns, *HOLDS)
    held = _held(catalogue, document) if frozen_until else ()
    return _shown(values, (bars for _, bars in held))


def read_axes(session: Session, ref: str, catalogue: CheckCatalogue) -> Mapping[Axis, Shown]:
    """Return where a service stands on each axis; raises NotFound for what has no scorecard."""
    columns = [getattr(Scorecard, f"{axis}_{part}") for axis in Axis for part in ("level", "percent", "coverage")]
    *values, frozen_until, document = _row(session, ref, *columns, *HOLDS)
    held = _held(catalogue, document) if frozen_until else ()
    return {
        axis: _shown(values[3 * place : 3 * place + 3], (bars for held_axis, bars in held if held_axis is axis))
        for place, axis in enumerate(Axis)
    }


def _held(catalogue: CheckCatalogue, document: bytes) -> Sequence[tuple[Axis, int]]:
    """Return, of every check that an outage holds, its axis and the level that it would bar."""
    held = (catalogue.checks.get(check) for check in orjson.loads(document).get("held", ()))
    return [(check.axis, counted(check, catalogue.ladder).bars) for check in held if check]


def _shown(standing: Sequence[Any], held: Iterable[int]) -> Shown:
    """Return a standing; its level is frozen where what is held would bar it."""
    level, percent, coverage = standing
    return Shown(level, percent, coverage, level is not None and min(held, default=NO_BAR) <= int(level[1:]))


def _row(session: Session, ref: str, *columns: Any) -> Sequence[Any]:
    found = None if "\0" in ref else session.execute(select(*columns).where(Scorecard.entity_ref == ref)).first()
    if found is None:
        raise NotFound(f"There is no scorecard of {ref}; /api/services lists the services.")
    return tuple(found)


def read_name(session: Session, ref: str) -> str:
    """Return the title, or else the name, that the catalog has of a service."""
    found = session.execute(
        select(Entity.title_original, Entity.title, Entity.name_original, Entity.name).where(Entity.ref == ref)
    ).first()
    return next((name for name in found or () if name), ref.rpartition("/")[2])


def read_history(session: Session, ref: str, axis: Axis | None, start: datetime) -> list[Point]:
    """Return where a service stood (None: over all axes) since `start`, beginning with where it stood then."""
    place = 0 if axis is None else 1 + list(Axis).index(axis)
    query = select(ScorecardChange.at, ScorecardChange.standings).where(ScorecardChange.entity_ref == ref)
    since = query.where(ScorecardChange.at >= start).order_by(ScorecardChange.at.desc(), ScorecardChange.id.desc())
    before = query.where(ScorecardChange.at < start).order_by(ScorecardChange.at.desc(), ScorecardChange.id.desc())
    rows = [*session.execute(since.limit(MAX_POINTS)), *session.execute(before.limit(1))]
    return [Point(at, Shown(*standings[place])) for at, standings in reversed(rows)]
