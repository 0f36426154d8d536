"""Corrections in a history: what a later event said was wrong counts no more. Pure."""

from collections.abc import Iterable
from typing import Any, TypeVar

from engagements.event_kinds import CORRECTION

Event = TypeVar("Event", bound=Any)
"""Anything that has an event's `entity_ref`, `sequence`, `kind` and `details`."""


def without_corrected(events: Iterable[Event]) -> list[Event]:
    """Return the events in their order, without those that one of them corrects, and without the corrections."""
    found = list(events)
    wrong = {(one.entity_ref, one.details.get("corrects")) for one in found if one.kind == CORRECTION}
    return [one for one in found if one.kind != CORRECTION and (one.entity_ref, one.sequence) not in wrong]
