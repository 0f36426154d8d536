"""Takes out of a batch what nobody could store, so that a connector's slip is told as such and costs nothing else.

Facts are looked at where they are stored: each is held against its declaration there. Pure.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from plugins.contract import Batch, Event, Fact, PullFault


def cleaned(batch: Any) -> Batch:
    """Return a connector's batch with a fault in the place of each event that is none.

    Raises TypeError or ValueError for what is no batch at all, and for a cursor that is no storable text: the next pull
    would start from a wrong place.
    """
    if not isinstance(batch, Batch):
        raise TypeError(f"pull yielded a {type(batch).__name__}, and no Batch")
    facts = list(batch.facts)
    if odd := next((fact for fact in facts if not isinstance(fact, Fact)), None):
        raise TypeError(f"a batch holds a {type(odd).__name__} among its facts")
    if batch.cursor is not None:
        _check_cursor(batch.cursor)
    events, faults = [], [PullFault(_text(fault.scope), _text(fault.message)) for fault in batch.faults]
    for event in batch.events:
        if wrong := _wrong_with(event):
            faults.append(PullFault(f"event {getattr(event, 'source_event_id', '')!r:.100}", wrong))
        else:
            events.append(event if event.link else replace(event, link=""))
    return Batch(facts, events, faults, [_text(name) for name in batch.unmatched], batch.cursor)


def _text(value: Any) -> str:
    return str(value).replace("\0", "\ufffd").encode(errors="replace").decode()


def _check_cursor(cursor: Any) -> None:
    if not isinstance(cursor, str):
        raise TypeError(f"the cursor is a {type(cursor).__name__}, and no string")
    if cursor != _text(cursor):
        raise ValueError("the cursor holds characters that no database keeps")


def _wrong_with(event: Any) -> str:
    """Say what keeps an event from being recorded; empty when nothing does."""
    if not isinstance(event, Event):
        return f"is a {type(event).__name__}, and no Event"
    for name in ("ref", "source_event_id", "kind", "summary"):
        value = getattr(event, name)
        if not isinstance(value, str) or not value.strip():
            return f"its {name} is {value!r:.100}, and no text"
    if not isinstance(event.link, str | None):
        return f"its link is {event.link!r:.100}, and no text"
    if not isinstance(event.occurred_at, datetime) or event.occurred_at.tzinfo is None:
        return f"its occurred_at is {event.occurred_at!r:.100}: it needs a time with a UTC offset"
    return _wrong_with_details(event.details)


def _wrong_with_details(details: Any) -> str:
    if not isinstance(details, Mapping):
        return f"its details are a {type(details).__name__}, and no mapping"
    try:
        orjson.dumps(dict(details))
    except TypeError as error:
        return f"its details are no JSON: {error}"
    return ""
