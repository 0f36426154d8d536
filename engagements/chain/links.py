"""What one event adds to its service's chain: the canonical form of a row and its hash. Pure.

The hash of an event is SHA-256 over the JSON text of the list

    [form, hash of the service's event before it ("" at the first), entity_ref, sequence, kind, occurred_at,
     recorded_at, actor, source, source_event_id, simulated, schema_version, summary, link, details]

as orjson writes it: UTF-8, without blanks, the keys of objects sorted, times as RFC 3339 in UTC. It is kept as
`<form>:<64 hexadecimal digits>`, so that a later form can begin where this one ends.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from portal_backend.core.clock import format_time

FORM = 1
FIRST = ""
"""What stands for the hash of the event before the first one."""

HASHED = (
    "entity_ref",
    "sequence",
    "kind",
    "occurred_at",
    "recorded_at",
    "actor",
    "source",
    "source_event_id",
    "simulated",
    "schema_version",
    "summary",
    "link",
    "details",
)
"""The columns that the hash covers: all of them but the row's own number and the hash itself."""


def link(previous: str, row: Mapping[str, Any]) -> str:
    """Return the hash of an event that follows the one with the hash `previous`.

    Raises TypeError when the details hold what has no JSON form.
    """
    values = [row[name] for name in HASHED]
    for index in (3, 4):
        values[index] = format_time(values[index])
    text = orjson.dumps([FORM, previous, *values], option=orjson.OPT_SORT_KEYS)
    return f"{FORM}:{hashlib.sha256(text).hexdigest()}"
