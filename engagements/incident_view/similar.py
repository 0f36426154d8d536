"""What fired like this before, here and elsewhere, how long it lasted, and what came right before its end."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from engagements.incident_view.episodes import EPISODE_KINDS, Episode, episodes, without_corrected
from engagements.incident_view.newest import Seen, columns_of, newest_of_patterns
from engagements.incident_view.settings import IncidentSettings
from engagements.models import HistoryEvent

CHANGES = ("deploy.finished", "deploy.failed", "deploy.rolled_back", "flag.changed")
MENDING = ("deploy.finished", "deploy.rolled_back", "flag.changed")
AFTERWARDS = ("postmortem.published", "lesson.recorded", "lesson.published")
STATED_AS = ("mended_by", "mitigation", "resolution", "fix")
"""Names in the details of an incident's end, or of its postmortem, that say what mended it."""
POSTMORTEM_WITHIN = timedelta(days=30)


@dataclass(frozen=True)
class Past:
    """What the history knows of the patterns."""

    episodes: Sequence[Episode] = ()
    afterwards: Sequence[Seen] = ()
    """Postmortems and lessons."""
    around: Sequence[Seen] = ()
    """Changes of the services while the episodes lasted."""


def read_past(
    session: Session, ref: str, patterns: Collection[str], running: Collection[Episode], settings: IncidentSettings
) -> Past:
    """Return what happened under these patterns before, in two queries; this service's own comes first."""
    if not patterns:
        return Past()
    limit = max(20, settings.similar_looked_at // len(patterns))
    found = newest_of_patterns(session, sorted(patterns), (*EPISODE_KINDS, *AFTERWARDS), limit)
    now_running = {(one.ref, one.began.sequence) for one in running}
    past = [
        one
        for one in episodes(without_corrected(found), limit)
        if one.ended and (one.ref, one.began.sequence) not in now_running
    ]
    past.sort(key=lambda one: one.ref != ref)
    shown = past[: settings.similar_shown]
    return Past(past, [one for one in found if one.kind in AFTERWARDS], _around(session, shown))


def _around(session: Session, shown: Sequence[Episode]) -> list[Seen]:
    """Return what was changed while the episodes lasted, and the postmortems that followed them."""
    times = [
        and_(
            HistoryEvent.entity_ref == one.ref,
            or_(
                and_(
                    HistoryEvent.kind.in_(CHANGES),
                    HistoryEvent.occurred_at.between(one.began.occurred_at, one.ended.occurred_at),
                ),
                and_(
                    HistoryEvent.kind == "postmortem.published",
                    HistoryEvent.occurred_at.between(one.began.occurred_at, one.ended.occurred_at + POSTMORTEM_WITHIN),
                ),
            ),
        )
        for one in shown
        if one.ended
    ]
    if not times:
        return []
    query = select(*columns_of(HistoryEvent)).where(or_(*times)).order_by(HistoryEvent.occurred_at.desc()).limit(500)
    return without_corrected(Seen(*row) for row in session.execute(query))


def told_similar(past: Past, ref: str, settings: IncidentSettings) -> dict[str, Any]:
    """Return the section's content: counts, how long they lasted, and the nearest ones with what mended them."""
    here = [one for one in past.episodes if one.ref == ref]
    lasted = [one.lasted_seconds for one in past.episodes if one.lasted_seconds is not None]
    return {
        "count_here": len(here),
        "count_elsewhere": len(past.episodes) - len(here),
        "median_seconds": median(lasted) if lasted else None,
        "items": [_told(one, past) for one in past.episodes[: settings.similar_shown]],
        "lessons": [
            {"entity_ref": one.entity_ref, "kind": one.kind, "occurred_at": one.occurred_at, "summary": one.summary,
             "link": one.link}
            for one in past.afterwards
        ],
    }  # fmt: skip


def _told(episode: Episode, past: Past) -> dict[str, Any]:
    assert episode.ended is not None  # noqa: S101 - only what has ended is past
    postmortem = _postmortem(episode, [*past.afterwards, *past.around])
    return {
        "entity_ref": episode.ref,
        "kind": episode.kind,
        "name": episode.name,
        "pattern": episode.began.pattern,
        "began_at": episode.began.occurred_at,
        "ended_at": episode.ended.occurred_at,
        "lasted_seconds": episode.lasted_seconds,
        "link": episode.ended.link or episode.began.link,
        "simulated": episode.began.simulated,
        "mended_by": _mended_by(episode, postmortem, past.around),
        "postmortem": {"summary": postmortem.summary, "link": postmortem.link} if postmortem else None,
    }


def _postmortem(episode: Episode, events: Iterable[Seen]) -> Seen | None:
    """Return the postmortem that names the incident, else the first one of the service that followed it."""
    following = sorted(
        (
            one
            for one in events
            if one.kind == "postmortem.published"
            and one.entity_ref == episode.ref
            and timedelta() <= one.occurred_at - episode.began.occurred_at <= POSTMORTEM_WITHIN
        ),
        key=lambda one: one.occurred_at,
    )
    incident = episode.began.details.get("incident")
    named = [one for one in following if incident and one.details.get("incident") == incident]
    return next(iter(named or following), None)


def _mended_by(episode: Episode, postmortem: Seen | None, around: Sequence[Seen]) -> Mapping[str, Any] | None:
    """Return what people said mended it, else the last change before its end: that is no proof, and says so."""
    assert episode.ended is not None  # noqa: S101
    end = episode.ended
    for event in (end, postmortem):
        stated = event.text(*STATED_AS) if event else ""
        if event and stated:
            return {"basis": "stated", "sentence": stated, "by": event.actor, "seconds_before_end": None}
    changes = [
        one
        for one in around
        if one.entity_ref == episode.ref
        and one.kind in MENDING
        and episode.began.occurred_at <= one.occurred_at <= end.occurred_at
    ]
    if not changes:
        return None
    last = max(changes, key=lambda one: (one.kind == "deploy.rolled_back", one.occurred_at))
    return {
        "basis": "came_before_the_end",
        "sentence": last.summary,
        "by": last.actor,
        "seconds_before_end": (end.occurred_at - last.occurred_at).total_seconds(),
    }
