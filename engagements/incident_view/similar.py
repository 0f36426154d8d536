"""What fired like this before, here and elsewhere, how long it lasted, and what came right before its end."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Any

from engagements.corrections import without_corrected
from engagements.incident_view.episodes import Episode, episodes
from engagements.incident_view.queries import AFTERWARDS, MENDING, POSTMORTEM, Round, Seen
from engagements.incident_view.settings import IncidentSettings

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
    """The last changes before their ends, and the postmortems after them."""


def past_of(
    ref: str, patterns: Collection[str], running: Collection[Episode], found: Round, settings: IncidentSettings
) -> Past:
    """Return what happened under these patterns before; this service's own comes first, then what began last."""
    events = [event for event in map(Seen._make, found.past) if event.pattern in patterns]
    now_running = {(one.ref, one.began.sequence) for one in running}
    past = [
        one
        for one in episodes(without_corrected(events), settings.similar_looked_at)
        if one.ended and (one.ref, one.began.sequence) not in now_running
    ]
    past.sort(key=lambda one: one.ref != ref)
    afterwards = sorted((one for one in events if one.kind in AFTERWARDS), key=_newest_first)
    around = {(one.entity_ref, one.sequence): one for one in map(Seen._make, (*found.mending, *found.postmortems))}
    return Past(past, afterwards, list(around.values()))


def _newest_first(event: Seen) -> float:
    return -event.occurred_at.timestamp()


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
            if one.kind == POSTMORTEM
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
