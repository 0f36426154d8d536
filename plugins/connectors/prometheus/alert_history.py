"""Turns the points at which alerts were firing, or SLOs were missed, into episodes, and these into events.

The points lie on a grid of absolute times, so that every pull sees the same episode begin at the same time, and the
same event carries the same id.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from plugins.connectors.prometheus.api import Series
from plugins.contract import Event, EventSpec
from plugins.label_join import Join

STEP_SECONDS = 300
DAYS = 30
GAP_SECONDS = 2 * STEP_SECONDS
"""Points this far apart are still one episode: one missing point is a restart of the server, not two alerts."""

FIRED = EventSpec("alert.fired", "A paging alert began to fire.")
RESOLVED = EventSpec("alert.resolved", "A paging alert stopped firing.")
BREACHED = EventSpec("slo.breached", "A recorded SLO had used up the error budget of its period.")
EXHAUSTED = EventSpec("budget.exhausted", "The same moment, as the error budget's: nothing was left of it.")
RECOVERED = EventSpec("slo.recovered", "The budget was no longer overspent.")


@dataclass(frozen=True)
class Window:
    """The time that is looked at (Unix seconds, on the grid)."""

    start: int
    end: int


@dataclass(frozen=True)
class Episode:
    """One uninterrupted firing of one alert, or one stretch of a missed SLO."""

    ref: str
    name: str
    began_at: int | None
    """None when it was under way when the window began: nobody can say since when."""
    ended_at: int | None
    """None while it lasts."""
    slo: str = ""
    """The SLO whose burn the alert told of; empty for other alerts."""


def window(now: datetime) -> Window:
    """Return the last 30 days up to the last point of the grid."""
    end = int(now.timestamp()) // STEP_SECONDS * STEP_SECONDS
    return Window(end - DAYS * 86400, end)


def alert_episodes(
    found: Sequence[Series], seen: Window, join: Join, slo_of: Callable[[Mapping[str, str]], str]
) -> list[Episode]:
    """Return the episodes of every alert of every service; instances that fire the same alert together are one.

    `slo_of` names the SLO in an alert's labels, if it tells of the burn of one. An alert on several SLOs names none.
    """
    slos: dict[tuple[str, str], set[str]] = {}
    for series in found:
        for ref in join.find(series.labels):
            slos.setdefault((ref, _alert_of(series.labels)), set()).add(slo_of(series.labels))
    about = {key: next(iter(names)) for key, names in slos.items() if len(names) == 1}
    return [
        replace(episode, slo=about.get((episode.ref, episode.name), ""))
        for episode in episodes(found, seen, join.find, _alert_of)
    ]


def _alert_of(labels: Mapping[str, str]) -> str:
    return labels.get("alertname", "")


def episodes(
    found: Sequence[Series],
    seen: Window,
    refs_of: Callable[[Mapping[str, str]], Iterable[str]],
    name_of: Callable[[Mapping[str, str]], str],
) -> list[Episode]:
    """Return the episodes of all series, by the services that they are about and their name."""
    firing: dict[tuple[str, str], set[float]] = {}
    for series in found:
        for ref in refs_of(series.labels):
            firing.setdefault((ref, name_of(series.labels)), set()).update(series.times)
    return [
        Episode(
            ref,
            name,
            began_at=None if first <= seen.start + GAP_SECONDS else first,
            ended_at=None if last >= seen.end - GAP_SECONDS else last + STEP_SECONDS,
        )
        for (ref, name), times in sorted(firing.items())
        for first, last in _stretches(sorted(times))
    ]


def alert_events(found: Sequence[Episode]) -> Iterator[Event]:
    """Yield what can be said with certainty: an unknown beginning gives no event."""
    for episode in found:
        about = {"alert": episode.name, **({"slo": episode.slo} if episode.slo else {})}
        if episode.began_at is not None:
            yield _event(episode, FIRED, episode.began_at, f"Alert {episode.name} began to fire", about)
        if episode.ended_at is not None:
            yield _event(episode, RESOLVED, episode.ended_at, f"Alert {episode.name} stopped firing", about)


def breach_events(found: Sequence[Episode]) -> Iterator[Event]:
    """Yield when an SLO's budget was used up, which is when it was missed, and when it no longer was, likewise."""
    for episode in found:
        about = {"slo": episode.name}
        name = episode.name or "of the service"
        if episode.began_at is not None:
            yield _event(episode, BREACHED, episode.began_at, f"SLO {name} was missed: its budget is used up", about)
            yield _event(episode, EXHAUSTED, episode.began_at, f"The error budget of SLO {name} is used up", about)
        if episode.ended_at is not None:
            yield _event(episode, RECOVERED, episode.ended_at, f"SLO {name} is met again", about)


def _stretches(times: Sequence[float]) -> Iterator[tuple[int, int]]:
    """Yield first and last point of each run of points without a longer gap."""
    first = previous = None
    for moment in times:
        if first is None or previous is None or moment - previous > GAP_SECONDS:
            if first is not None and previous is not None:
                yield int(first), int(previous)
            first = moment
        previous = moment
    if first is not None and previous is not None:
        yield int(first), int(previous)


def _event(episode: Episode, spec: EventSpec, at: int, summary: str, about: Mapping[str, str]) -> Event:
    fingerprint = hashlib.sha256(f"{episode.ref}\0{episode.name}".encode()).hexdigest()[:16]
    return Event(
        ref=episode.ref,
        source_event_id=f"{spec.kind}:{fingerprint}:{at}",
        kind=spec.kind,
        occurred_at=datetime.fromtimestamp(at, UTC),
        summary=summary,
        details={**about, "resolution_seconds": STEP_SECONDS},
    )
