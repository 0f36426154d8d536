"""What a request selects: conditions, text, order, and the place in the list. Pure."""

from dataclasses import dataclass
from functools import cached_property

from catalog.querying.conditions import Condition

BY_QUERY_LIMIT = 200
"""Entities on a page of a query that names no limit, as Backstage answers it."""
LARGEST = 2**53
"""The largest limit or offset: a whole number that every JSON parser reads exactly."""


@dataclass(frozen=True)
class Order:
    """One field to sort by, lower case."""

    field: str
    descending: bool


@dataclass(frozen=True)
class TextFilter:
    """A text that a value of one of the fields contains; all lower case."""

    term: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Selection:
    """Which entities, in which order. `key` names it: equal selections have equal keys."""

    condition: Condition
    text: TextFilter | None = None
    orders: tuple[Order, ...] = ()

    @cached_property
    def key(self) -> str:
        """A short name for caches; computed once, since selections are kept with the requests that ask for them."""
        return repr((self.condition, self.text, self.orders))


@dataclass(frozen=True)
class Position:
    """A place in an ordered list: just behind an entity, or, looking backwards, just before it."""

    value: str | None
    """Of the order field; None where the list is ordered by id."""
    id: int
    backwards: bool


@dataclass(frozen=True)
class EntitiesRequest:
    """A bare list of entities; without limit it is the whole list."""

    selection: Selection
    fields: tuple[str, ...]
    limit: int | None
    offset: int
    query_string: str
    """What the next page's address repeats: everything but the place in the list."""


@dataclass(frozen=True)
class PageRequest:
    """A page of a query."""

    selection: Selection
    carried: bytes
    """What of the request its cursors carry, as JSON."""
    fields: tuple[str, ...]
    limit: int
    offset: int
    wants_total: bool
    position: Position | None = None
    total: int | None = None
    """As the first page found it."""


@dataclass(frozen=True)
class FacetsRequest:
    """Values and their numbers, per key as it was asked for."""

    selection: Selection
    facets: tuple[str, ...]


@dataclass(frozen=True)
class RefsRequest:
    """Entities by reference, in the order asked; those outside the selection are left empty."""

    selection: Selection
    refs: tuple[str, ...]
    fields: tuple[str, ...]
