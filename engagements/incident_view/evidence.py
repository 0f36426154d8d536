"""Gathers all that the incident view rests on, in a number of queries that does not depend on how much there is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.models import Entity, EntityBody
from catalog.services import CRITICALITIES, Service, services
from engagements import support
from engagements.incident_view.episodes import EPISODE_KINDS, Episode, episodes, without_corrected
from engagements.incident_view.newest import Seen, newest
from engagements.incident_view.settings import IncidentSettings
from engagements.incident_view.similar import CHANGES, Past, read_past
from engagements.lifecycle.engagements import open_among
from engagements.services import service_ref
from engagements.support import SupportState
from plugins.health import SourceHealth, health
from portal_backend.core.errors import NotFound
from scorecards.evidence.view import View
from scorecards.facts import readings
from scorecards.judging import Judging
from scorecards.models import Scorecard

OF_DEPENDENCIES = (*EPISODE_KINDS, *CHANGES, "event.corrected")
OF_SERVICE = (
    *OF_DEPENDENCIES,
    *("slo.breached", "slo.recovered", "budget.exhausted"),
    *("pager.returned", "pager.resumed", "oncall.split_changed"),
)


@dataclass(frozen=True)
class Neighbour:
    """An entity that the service depends on."""

    ref: str
    service: Service | None
    """None when it is no service of the catalog: a database, a queue, something unregistered."""
    view: View
    support: SupportState
    level: str | None
    episodes: Sequence[Episode]
    changes: Sequence[Seen]


@dataclass(frozen=True)
class Material:
    """All that the incident view of one service rests on."""

    service: Service
    support: SupportState
    engagement: Mapping[str, Any]
    """Model and phase of the open engagement, if there is one."""
    level: str | None
    percent: float | None
    next_step: str | None
    view: View
    episodes: Sequence[Episode]
    """Alerts and incidents, the latest beginning first."""
    events: Sequence[Seen]
    """All others of the service that bear on an incident, newest first."""
    neighbours: Sequence[Neighbour]
    neighbours_left_out: int
    bodies: Mapping[str, Mapping[str, Any]]
    """The catalog's own documents of the service and of its owner."""
    health: Mapping[str, SourceHealth]
    past: Past
    patterns: Sequence[str]

    def changes(self) -> list[Seen]:
        """Return the service's own changes, newest first."""
        return [event for event in self.events if event.kind in CHANGES]

    def last(self, *kinds: str) -> Seen | None:
        """Return the newest of these events."""
        return next((event for event in self.events if event.kind in kinds), None)


def gather(
    session: Session, judging: Judging, kind: str, namespace: str, name: str, settings: IncidentSettings, now: datetime
) -> Material:
    """Return what is stored about a service and its neighbours; raises NotFound when it is no service."""
    ref = f"{kind}:{namespace}/{name}".lower()
    service = _service(session, judging, ref, (kind, namespace, name))
    refs, left_out = _most_critical(session, judging, service.dependencies, settings.dependencies_shown)
    everyone = [ref, *refs]
    states = health(session, now)
    supply = judging.supply(states)
    observed = readings(session, everyone)
    supports = support.current(session, everyone)
    scores = _scores(session, everyone)
    own = without_corrected(newest(session, [ref], OF_SERVICE, settings.events_of_service))
    theirs = without_corrected(newest(session, list(refs), OF_DEPENDENCIES, settings.events_of_dependency))
    own_episodes = episodes(own, settings.events_of_service)
    running = [one for one in own_episodes if one.ended is None]
    patterns = _patterns(running or own_episodes[:1])
    return Material(
        service=service,
        support=supports[ref],
        engagement=open_among(session, [ref]).get(ref, {}),
        level=scores.get(ref, (None, None, None))[0],
        percent=scores.get(ref, (None, None, None))[1],
        next_step=scores.get(ref, (None, None, None))[2],
        view=View(observed[ref], supply, now),
        episodes=own_episodes,
        events=[event for event in own if event.kind not in EPISODE_KINDS],
        neighbours=[
            Neighbour(
                ref=one,
                service=known,
                view=View(observed[one], supply, now),
                support=supports[one],
                level=scores.get(one, (None, None, None))[0],
                episodes=episodes((e for e in theirs if e.entity_ref == one), settings.events_of_dependency),
                changes=[e for e in theirs if e.entity_ref == one and e.kind in CHANGES],
            )
            for one, known in refs.items()
        ],
        neighbours_left_out=left_out,
        bodies=_bodies(session, [ref, service.owner] if service.owner else [ref]),
        health=states,
        past=read_past(session, ref, patterns, running, settings),
        patterns=patterns,
    )


def _service(session: Session, judging: Judging, ref: str, parts: tuple[str, str, str]) -> Service:
    found = services(session, judging.service_types, [ref]) if "\0" not in ref else []
    if not found:
        service_ref(session, judging.service_types, *parts)  # says in which way it is none
        raise NotFound(f"{ref} left the catalog just now.")
    return found[0]


def _most_critical(
    session: Session, judging: Judging, dependencies: Sequence[str], at_most: int
) -> tuple[dict[str, Service | None], int]:
    """Return what the service depends on, the most critical first, and how many did not fit."""
    known = {one.ref: one for one in services(session, judging.service_types, dependencies)} if dependencies else {}

    def rank(ref: str) -> tuple[int, str]:
        tier = known[ref].criticality if ref in known else None
        return (CRITICALITIES.index(tier) if tier else len(CRITICALITIES), ref)

    ordered = sorted(dependencies, key=rank)
    return {ref: known.get(ref) for ref in ordered[:at_most]}, max(0, len(ordered) - at_most)


def _scores(session: Session, refs: Sequence[str]) -> dict[str, tuple[str | None, float | None, str | None]]:
    query = select(Scorecard.entity_ref, Scorecard.level, Scorecard.percent, Scorecard.next_step)
    return {row[0]: (row[1], row[2], row[3]) for row in session.execute(query.where(Scorecard.entity_ref.in_(refs)))}


def _bodies(session: Session, refs: Sequence[str]) -> dict[str, dict[str, Any]]:
    query = select(Entity.ref, EntityBody.body).join(EntityBody, EntityBody.id == Entity.id).where(Entity.ref.in_(refs))
    return {ref: orjson.loads(body) for ref, body in session.execute(query)}


def _patterns(found: Sequence[Episode]) -> list[str]:
    """Return what similar episodes are found by: alert names, and what incidents give as cause or pattern."""
    patterns = {one.began.pattern for one in found if one.began.pattern}
    patterns |= {one.began.text(name) for one in found for name in ("cause", "pattern") if one.began.text(name)}
    return sorted(patterns)[:20]
