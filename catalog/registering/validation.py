"""A descriptor that somebody has in hand, judged as if a location held it; nothing is stored. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any

from catalog.format.kind_rules import check_entity
from catalog.format.kinds import STANDARD_KINDS, KnownKinds
from portal_backend.core.errors import Fault

URL = "url"
ADDRESSES = frozenset({"http", "https"})
SCRIPT = "javascript:"
MAX_DEPTH = 100
"""Levels of a descriptor, as in files."""


def faults_of(entity: Any, location: Any, kinds: KnownKinds = STANDARD_KINDS) -> list[Fault]:
    """Return all that is wrong with a descriptor and with the location that it is said to stand at."""
    return [*_location_faults(location), *(_unfit(entity) or check_entity(entity, kinds))]


def _location_faults(location: Any) -> Iterator[Fault]:
    """Yield why a text is no reference of a location to read by its address. Source: parseLocationRef of Backstage."""
    if not isinstance(location, str):
        yield Fault("location", "must be a string such as url:https://host/path")
        return
    type_, colon, target = (part.strip() for part in location.partition(":"))
    if not (type_ and colon and target):
        yield Fault("location", "must be of the form <type>:<target>, such as url:https://host/path")
    elif type_ in ADDRESSES:
        yield Fault("location", f"must begin with its type; write url:{location}")
    elif target.lower().startswith(SCRIPT):
        yield Fault("location", "must not lead to a script")
    elif type_ != URL:
        yield Fault("location", f"is of type {type_[:50]}; only url:<target> can be given here")


def _unfit(value: Any) -> list[Fault]:
    """Return why a JSON value cannot be looked at as a descriptor: its depth would exhaust us, or it holds a NUL."""
    layer, faults = [value], []
    for _ in range(MAX_DEPTH):
        if any(isinstance(one, str) and "\0" in one for one in layer):
            faults = [Fault("", "holds a NUL character, which no database keeps")]
        layer = [inner for outer in layer for inner in _parts(outer)]
        if not layer:
            return faults
    return [Fault("", f"is nested deeper than {MAX_DEPTH} levels")]


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return (*value, *value.values())
    return value if isinstance(value, list) else ()
