"""From single events to what they mean together: alerts and incidents with their beginning and end. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from engagements.incident_view.queries import BEGINS, ENDS, Seen

SEVERITY_CHANGED = "incident.severity_changed"
WHAT = {**BEGINS, **ENDS, SEVERITY_CHANGED: "incident"}
SEVERITY = ("severity", "priority", "urgency")


@dataclass(frozen=True)
class Episode:
    """An alert that fired or an incident that was open, from its beginning to its end, if it has ended."""

    kind: str
    """`alert` or `incident`."""
    name: str
    began: Seen
    ended: Seen | None = None
    severity: str | None = None
    """As it was said last: it may be given only after the beginning."""

    @property
    def ref(self) -> str:
        """The service that it happened to."""
        return self.began.entity_ref

    @property
    def lasted_seconds(self) -> float | None:
        """How long it lasted; None while it does."""
        return (self.ended.occurred_at - self.began.occurred_at).total_seconds() if self.ended else None


def episodes(events: Iterable[Seen], seen_per_kind: int) -> list[Episode]:
    """Return the episodes, the latest beginning first.

    At most `seen_per_kind` events of a kind and service were read: what began before the oldest end that was may have
    ended unseen, and is left out.
    """
    ordered = sorted(events, key=lambda event: (event.occurred_at, event.sequence))
    horizon = _horizons(ordered, seen_per_kind)
    running: dict[tuple[str, str, str, str], Episode] = {}
    found: list[Episode] = []
    for event in ordered:
        kind = WHAT.get(event.kind)
        if kind is None:
            continue
        key = (event.entity_ref, event.source, kind, _identity(kind, event))
        if event.kind in BEGINS:
            running.setdefault(key, Episode(kind, name_of(kind, event), event, None, event.text(*SEVERITY) or None))
        elif key in running:
            severity = event.text(*SEVERITY) or running[key].severity
            running[key] = replace(running[key], severity=severity)
            if event.kind in ENDS:
                found.append(replace(running.pop(key), ended=event))
    for (ref, _, kind, _), one in running.items():
        if one.began.occurred_at >= horizon.get((ref, kind), one.began.occurred_at):
            found.append(one)
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
