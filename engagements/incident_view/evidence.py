"""Gathers all that the incident view rests on, by one round of queries."""

from collections import defaultdict, namedtuple
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from catalog.services import Service, described
from engagements.corrections import without_corrected
from engagements.incident_view.episodes import Episode, episodes
from engagements.incident_view.queries import CHANGES, EPISODE_KINDS, SOURCE_COLUMNS, Round, Seen, statements
from engagements.incident_view.settings import IncidentSettings
from engagements.incident_view.similar import Past, past_of
from engagements.services import service_ref
from engagements.tiers import Tier
from plugins.health import SourceHealth, health_of
from portal_backend.core.db import reading
from portal_backend.core.errors import NotFound
from portal_backend.core.one_round import ask
from portal_backend.core.quick_reading import quick_reading
from scorecards.evidence.view import View
from scorecards.facts import observations_of
from scorecards.judging import Judging

SourceRow = namedtuple("SourceRow", SOURCE_COLUMNS)  # type: ignore[misc]


class Standing(NamedTuple):
    """An entity as the catalog has it, how ready it is, and which support it has; None where that is not known."""

    ref: str
    rank: int
    """The more critical, the lower."""
    kind: str | None
    """None: the catalog does not have it."""
    type: str | None
    body: bytes
    read_at: datetime | None
    level: str | None
    percent: float | None
    next_step: str | None
    tier_moved_to: str | None
    adopted_model: str | None
    adopted_phase: str | None
    model: str | None
    state: str | None

    @property
    def tier(self) -> str:
        """The support tier: documentation for whom nobody moved."""
        return self.tier_moved_to or Tier.DOCUMENTATION.value

    @property
    def engagement_model(self) -> str | None:
        """Of the open engagement, else what the support says."""
        return self.model or self.adopted_model

    @property
    def phase(self) -> str | None:
        """Of the open engagement, else what the support says."""
        return self.state if self.model else self.adopted_phase


@dataclass(frozen=True)
class Neighbour:
    """An entity that the service depends on."""

    standing: Standing
    service: Service | None
    """None when it is no service of the catalog: a database, a queue, something unregistered."""
    title: str | None
    """None, like the owner, when the catalog does not have it."""
    owner: str | None
    view: View
    episodes: Sequence[Episode]
    changes: Sequence[Seen]
    """Newest first."""

    @property
    def ref(self) -> str:
        """Its reference."""
        return self.standing.ref


@dataclass(frozen=True)
class Material:
    """All that the incident view of one service rests on."""

    service: Service
    standing: Standing
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
    judging: Judging, kind: str, namespace: str, name: str, settings: IncidentSettings, now: datetime
) -> Material:
    """Return what is stored about a service and its neighbours, by one round of queries.

    Raises NotFound when it is no service. Needs an app context.
    """
    ref = f"{kind}:{namespace}/{name}".lower()
    types = tuple(type_.lower() for type_ in judging.service_types)
    found = _asked(ref, types, settings) if "\0" not in ref else None
    standings = {row[0]: Standing(*row) for row in found.entities} if found else {}
    if found is None or not _is_service(standings[ref], types):
        raise _no_service(judging, kind, namespace, name)
    service = described(ref, standings[ref].body, standings[ref].read_at, found.callers)
    states = health_of((SourceRow(*row) for row in found.sources), now)
    supply = judging.supply(states)
    observed = observations_of(standings, found.facts)
    own, own_episodes = _happened(found.own, settings.events_of_service)[ref]
    theirs = _happened(found.theirs, settings.events_of_dependency)
    running = [one for one in own_episodes if one.ended is None]
    patterns = _patterns(running or own_episodes[:1], settings.patterns_compared)
    neighbours = [
        _neighbour(standing, types, View(observed[one], supply, now), *theirs[one])
        for one, standing in sorted(standings.items(), key=lambda item: (item[1].rank, item[0]))
        if one != ref
    ]
    return Material(
        service=service,
        standing=standings[ref],
        view=View(observed[ref], supply, now),
        episodes=own_episodes,
        events=own,
        neighbours=neighbours,
        neighbours_left_out=max(0, len(service.dependencies) - len(neighbours)),
        bodies={
            ref: orjson.loads(standings[ref].body),
            **{owner: orjson.loads(body) for owner, body in found.owners},
        },
        health=states,
        past=past_of(ref, patterns, running, found, settings),
        patterns=patterns,
    )


def _is_service(standing: Standing, types: Sequence[str]) -> bool:
    return standing.kind == "component" and standing.type in types


def _asked(ref: str, types: tuple[str, ...], settings: IncidentSettings) -> Round:
    with quick_reading() as reader:
        return Round(*ask(reader, statements(reader.engine, types, settings), {"ref": ref}))


def _no_service(judging: Judging, kind: str, namespace: str, name: str) -> NotFound:
    """Return the error that says in which way it is none."""
    with reading() as session:
        ref = service_ref(session, judging.service_types, kind, namespace, name)
    return NotFound(f"{ref} came into the catalog just now; ask again.")


def _happened(rows: Iterable[Sequence[Any]], seen_per_kind: int) -> dict[str, tuple[list[Seen], list[Episode]]]:
    """Return, by entity, what happened but for episodes, newest first, and the episodes; empty for all others."""
    of: dict[str, list[Seen]] = {}
    for event in without_corrected(map(Seen._make, rows)):
        of.setdefault(event.entity_ref, []).append(event)
    found: dict[str, tuple[list[Seen], list[Episode]]] = defaultdict(lambda: ([], []))
    for ref, events in of.items():
        events.sort(key=lambda event: (event.occurred_at, event.sequence), reverse=True)
        others = [event for event in events if event.kind not in EPISODE_KINDS]
        found[ref] = (others, episodes(events, seen_per_kind))
    return found


def _neighbour(
    standing: Standing, types: Sequence[str], view: View, events: Sequence[Seen], troubles: Sequence[Episode]
) -> Neighbour:
    changes = [event for event in events if event.kind in CHANGES]
    if _is_service(standing, types):
        known = described(standing.ref, standing.body, standing.read_at)
        return Neighbour(standing, known, known.title or known.name, known.owner, view, troubles, changes)
    return Neighbour(standing, None, *_title_and_owner(standing), view, troubles, changes)


def _title_and_owner(standing: Standing) -> tuple[str | None, str | None]:
    """Return what the catalog says of an entity that is no service."""
    if standing.kind is None:
        return None, None
    body = orjson.loads(standing.body)
    owners = (relation["targetRef"] for relation in body["relations"] if relation["type"] == "ownedBy")
    return body["metadata"].get("title") or body["metadata"]["name"], next(owners, None)


def _patterns(found: Sequence[Episode], at_most: int) -> list[str]:
    """Return what similar episodes are found by: alert names, and what incidents give as cause or pattern."""
    patterns = {one.began.pattern for one in found if one.began.pattern}
    patterns |= {one.began.text(name) for one in found for name in ("cause", "pattern") if one.began.text(name)}
    return sorted(patterns)[:at_most]
