"""From single events to what they mean together: alerts and incidents with their beginning and end. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from engagements.incident_view.newest import Seen

BEGINS = {"alert.fired": "alert", "incident.opened": "incident"}
ENDS = {"alert.resolved": "alert", "incident.resolved": "incident"}
EPISODE_KINDS = (*BEGINS, *ENDS)


@dataclass(frozen=True)
class Episode:
    """An alert that fired or an incident that was open, from its beginning to its end, if it has ended."""

    kind: str
    """`alert` or `incident`."""
    name: str
    began: Seen
    ended: Seen | None = None

    @property
    def ref(self) -> str:
        """The service that it happened to."""
        return self.began.entity_ref

    @property
    def lasted_seconds(self) -> float | None:
        """How long it lasted; None while it does."""
        return (self.ended.occurred_at - self.began.occurred_at).total_seconds() if self.ended else None


def without_corrected(events: Iterable[Seen]) -> list[Seen]:
    """Leave out what a later event said was wrong, and the corrections themselves."""
    found = list(events)
    wrong = {(one.entity_ref, one.details.get("corrects")) for one in found if one.kind == "event.corrected"}
    return [one for one in found if one.kind != "event.corrected" and (one.entity_ref, one.sequence) not in wrong]


def episodes(events: Iterable[Seen], seen_per_kind: int) -> list[Episode]:
    """Return the episodes, the latest beginning first.

    At most `seen_per_kind` events of a kind and service were read: what began before the oldest end that was may have
    ended unseen, and is left out.
    """
    ordered = sorted(events, key=lambda event: (event.occurred_at, event.sequence))
    horizon = _horizons(ordered, seen_per_kind)
    running: dict[tuple[str, str, str, str], Seen] = {}
    found: list[Episode] = []
    for event in ordered:
        kind = BEGINS.get(event.kind) or ENDS.get(event.kind)
        if kind is None:
            continue
        key = (event.entity_ref, event.source, kind, _identity(kind, event))
        if event.kind in BEGINS:
            running.setdefault(key, event)
        elif key in running:
            began = running.pop(key)
            found.append(Episode(kind, name_of(kind, began), began, event))
    for (ref, _, kind, _), began in running.items():
        if began.occurred_at >= horizon.get((ref, kind), began.occurred_at):
            found.append(Episode(kind, name_of(kind, began), began))
    return sorted(found, key=lambda one: (one.began.occurred_at, one.began.sequence), reverse=True)


def name_of(kind: str, event: Seen) -> str:
    """Return what people call it: the alert's name, the incident's title."""
    return (event.text("alert", "alertname") if kind == "alert" else event.text("title")) or event.summary


def _identity(kind: str, event: Seen) -> str:
    """Return what an end has in common with its beginning."""
    if kind == "alert":
        return event.text("fingerprint", "alert", "alertname") or event.summary
    number = event.details.get("number")
    return event.text("incident", "id") or (str(number) if number is not None else event.text("title") or event.summary)


def _horizons(ordered: Sequence[Seen], seen_per_kind: int) -> dict[tuple[str, str], datetime]:
    """Return since when every end of a service's episodes was read, where not all of them were."""
    ends: dict[tuple[str, str], list[datetime]] = {}
    for event in ordered:
        if event.kind in ENDS:
            ends.setdefault((event.entity_ref, ENDS[event.kind]), []).append(event.occurred_at)
    return {key: times[0] for key, times in ends.items() if len(times) >= seen_per_kind}
