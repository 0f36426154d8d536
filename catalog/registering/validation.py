"""A descriptor that somebody has in hand, judged as if a location held it; nothing is stored. Pure."""

from collections.abc import Iterator
from typing import Any

from catalog.format.documents import Fill, without_prototypes
from catalog.format.kind_rules import check_entity
from catalog.format.kinds import STANDARD_KINDS, KnownKinds
from catalog.format.placeholders import unfilled
from portal_backend.core.errors import Fault

URL = "url"
ADDRESSES = frozenset({"http", "https"})
SCRIPT = "javascript:"
MAX_DEPTH = 100
"""Levels of a descriptor, as in files."""
MAX_FAULTS = 50
MAX_STEP = 100
"""Characters of a field's name that are told."""
HOLDS_NUL = "holds a NUL character, which no database keeps"

Trail = tuple["Trail", str | int] | None
"""The way to a value: that to what holds it, and its own name or position; None for the whole."""


def faults_of(entity: Any, location: Any, kinds: KnownKinds = STANDARD_KINDS, fill: Fill | None = None) -> list[Fault]:
    """Return all that is wrong with a descriptor and with the location that it is said to stand at.

    `fill` puts what placeholders stand for in their place; without it, or without a good location, each is a fault.
    """
    misplaced, unfit = list(_location_faults(location)), _unfit(entity)
    if unfit:
        return misplaced + unfit
    open_ends = unfilled(entity)
    if open_ends and fill is not None and not misplaced:
        entity, open_ends = fill(entity)
    places = {fault.path for fault in open_ends}
    judged = check_entity(without_prototypes(entity), kinds)
    return [*misplaced, *open_ends, *(fault for fault in judged if fault.path not in places)]


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
    layer: list[tuple[Trail, Any]] = [(None, value)]
    found: list[Trail] = []
    for _ in range(MAX_DEPTH):
        found += (trail for trail, one in layer if isinstance(one, str) and "\0" in one)
        layer = [part for trail, outer in layer for part in _parts(trail, outer)]
        if not layer:
            return [Fault(_path(trail), HOLDS_NUL) for trail in found[:MAX_FAULTS]]
    return [Fault("", f"is nested deeper than {MAX_DEPTH} levels")]


def _parts(trail: Trail, value: Any) -> Iterator[tuple[Trail, Any]]:
    """Yield the texts, lists and mappings in a value, each with the way to it; a mapping's names have its own way."""
    if isinstance(value, list):
        yield from (((trail, index), item) for index, item in enumerate(value) if isinstance(item, str | list | dict))
    elif isinstance(value, dict):
        yield from ((trail, name) for name in value)
        yield from (((trail, name), inner) for name, inner in value.items())


def _path(trail: Trail) -> str:
    steps: list[str] = []
    while trail is not None:
        trail, step = trail
        steps.append(f"[{step}]" if isinstance(step, int) else f".{step[:MAX_STEP]}")
    return "".join(reversed(steps)).lstrip(".")
