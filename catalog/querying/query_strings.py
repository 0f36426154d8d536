"""Requests that come in the address: names and values become what is selected. Pure.

Unknown names, empty values and repetitions of what may stand once are refused, as Backstage's own validator does. Lists
may be written `filter=`, `filter[]=` or `filter[0]=`, as clients in JavaScript do.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode

import orjson

from catalog.querying.conditions import ALWAYS, Condition
from catalog.querying.cursors import decode_after, decode_position
from catalog.querying.filters import parse_filters
from catalog.querying.predicates import parse_predicate
from catalog.querying.projection import parse_fields
from catalog.querying.selection import (
    BY_QUERY_LIMIT,
    LARGEST,
    EntitiesRequest,
    FacetsRequest,
    Order,
    PageRequest,
    Selection,
    TextFilter,
)
from portal_backend.core.errors import Fault, InvalidInput

Parsed = TypeVar("Parsed")

MAX_PARAMETERS = 2_000
MAX_FACETS = 100
MAX_ORDERS = 10
KEPT = 2_048
KEPT_LENGTH = 1_024
"""Characters of a query string whose meaning is kept: a page of a frontend asks the same few again and again."""
NUMBER = re.compile(r"-?[0-9]{1,18}")
WRITTEN_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{0,30})?([eE][+-]?[0-9]{1,2})?")
UNBOUNDED = "Infinity"
"""What JavaScript writes for a number without end."""
LIST_NAME = re.compile(r"([A-Za-z]+)(?:\[[0-9]{0,4}\])+")
ENTITIES_ORDER = re.compile(r"(asc|desc):(.*\S.*)")
REPEATED = frozenset({"filter", "fields", "order", "orderField", "fullTextFilterFields", "facet"})
BY_UID = Order("metadata.uid", False)
"""What a list without an order is ordered by, as far as a text is looked for in it."""

Parameters = Mapping[str, Sequence[str]]


def remembering(parse: Callable[[str], Parsed]) -> Callable[[str], Parsed]:
    """Keep the results for short query strings: they are values, and mean the same every time."""
    kept = lru_cache(KEPT)(parse)

    def parse_once(query_string: str) -> Parsed:
        return (kept if len(query_string) <= KEPT_LENGTH else parse)(query_string)

    return parse_once


@remembering
def parse_filter_only(query_string: str) -> Condition:
    """Return the condition of a request whose only parameters are filters."""
    return parse_filters(_read(query_string, {"filter"}).get("filter", ()))


@remembering
def parse_entities(query_string: str) -> EntitiesRequest:
    """Read the parameters of the bare list; raises InvalidInput."""
    given = _read(query_string, {"filter", "fields", "order", "limit", "offset", "after"})
    limit, offset = _number(given, "limit", least=1), _number(given, "offset")
    is_paged = limit is not None or offset is not None or "after" in given
    if "after" in given:
        limit, offset = decode_after(given["after"][0])
    elif is_paged and limit is None:
        limit = LARGEST
    orders = tuple(dict.fromkeys(_entities_order(text) for text in given.get("order", ())))
    if len(orders) > MAX_ORDERS:
        raise fault("order", f"is given {len(orders)} times; {MAX_ORDERS} are the most")
    selection = Selection(parse_filters(given.get("filter", ())), None, orders if is_paged else orders[:1])
    kept = [(name, value) for name, values in given.items() if name not in {"after", "offset"} for value in values]
    return EntitiesRequest(selection, _fields(given), limit, offset or 0, urlencode(kept))


@remembering
def parse_page(query_string: str) -> PageRequest:
    """Read the parameters of a query; a cursor goes before whatever else selects. Raises InvalidInput."""
    given = _read(
        query_string,
        {
            "filter", "fields", "orderField", "limit", "offset", "cursor",
            "fullTextFilterTerm", "fullTextFilterFields", "totalItems",
        },
    )  # fmt: skip
    limit, offset = _number(given, "limit"), _number(given, "offset")
    wants_total = _wants_total(given.get("totalItems", ["include"])[0])
    orders = [_order_field(text) for text in given.get("orderField", ())]
    limit = BY_QUERY_LIMIT if limit is None else limit
    if "cursor" in given:
        return continued(given["cursor"][0], _fields(given), limit)
    carried: dict[str, object] = {}
    if "filter" in given:
        carried["filter"] = given["filter"]
    term = given.get("fullTextFilterTerm", [""])[0]
    text_fields = [field for text in given.get("fullTextFilterFields", ()) for field in text.split(",")] or None
    return first_page(
        parse_filters(given.get("filter", ())), carried, orders, (term, text_fields), _fields(given), limit,
        offset or 0, wants_total=wants_total,
    )  # fmt: skip


@remembering
def parse_facets(query_string: str) -> FacetsRequest:
    """Read the parameters of facets; raises InvalidInput."""
    given = _read(query_string, {"facet", "filter"})
    return facets_request(given.get("facet", ()), parse_filters(given.get("filter", ())))


def facets_request(names: Sequence[str], condition: Condition) -> FacetsRequest:
    """Return the request for these facets, each once; raises InvalidInput for none or too many."""
    facets = tuple(dict.fromkeys(name for text in names if (name := text.strip())))
    if not facets:
        raise fault("facet", "is missing; name at least one, for example facet=spec.type")
    if len(facets) > MAX_FACETS:
        raise fault("facet", f"is given {len(facets)} times; {MAX_FACETS} are the most")
    return FacetsRequest(Selection(condition), facets)


def first_page(
    condition: Condition,
    carried: dict[str, object],
    orders: Sequence[Order],
    text: tuple[str, Sequence[str] | None],
    fields: tuple[str, ...],
    limit: int,
    offset: int,
    *,
    wants_total: bool,
) -> PageRequest:
    """Return the request for a query's first page; `carried` holds the filter or predicate as it was given.

    A text without fields is looked for in the field of the order; one with an empty list of fields is nowhere.
    """
    order = orders[0] if orders else None
    term = text[0].strip().lower()
    text_filter = None
    if term:
        text_fields = tuple(dict.fromkeys(field for one in text[1] or () if (field := one.strip().lower())))
        is_nowhere = text[1] is not None and not text[1]
        text_filter = TextFilter(term, text_fields if is_nowhere or text_fields else ((order or BY_UID).field,))
        carried["text"] = [text_filter.term, text_filter.fields]
    if order:
        carried["order"] = [order.field, order.descending]
    selection = Selection(condition, text_filter, (order,) if order else ())
    return PageRequest(selection, orjson.dumps(carried), fields, limit, offset, wants_total)


def continued(cursor: str, fields: tuple[str, ...], limit: int) -> PageRequest:
    """Return the request for a later page; raises InvalidInput when the cursor is none of ours."""
    content, position, total = decode_position(cursor)
    order, text = _carried_order(content), _carried_text(content)
    if (position.value is None) is not (order is None):
        raise fault("cursor", "does not fit its own order; take it from the previous page, or leave it out")
    carried = {key: content[key] for key in ("filter", "query", "text", "order") if key in content}
    selection = Selection(_carried_condition(content), text, (order,) if order else ())
    return PageRequest(selection, orjson.dumps(carried), fields, limit, 0, total is not None, position, total)


def _carried_condition(content: Mapping[str, object]) -> Condition:
    match content:
        case {"query": query}:
            return parse_predicate(query)
        case {"filter": [*filters]} if all(isinstance(text, str) for text in filters):
            return parse_filters(str(text) for text in filters)
        case {"filter": _}:
            raise fault("cursor", "holds a filter that is none")
    return ALWAYS


def _carried_order(content: Mapping[str, object]) -> Order | None:
    match content.get("order"):
        case None:
            return None
        case [str() as field, bool() as descending]:
            return Order(field, descending)
    raise fault("cursor", "holds an order that is none")


def _carried_text(content: Mapping[str, object]) -> TextFilter | None:
    match content.get("text"):
        case None:
            return None
        case [str() as term, [*names]] if term and names and all(isinstance(name, str) for name in names):
            return TextFilter(term, tuple(str(name) for name in names))
    raise fault("cursor", "holds a text filter that is none")


def _read(query_string: str, known: set[str]) -> dict[str, list[str]]:
    try:
        pairs = parse_qsl(query_string, keep_blank_values=True, errors="replace", max_num_fields=MAX_PARAMETERS)
    except ValueError as error:
        raise fault("", f"The address has more than {MAX_PARAMETERS} parameters; ask in parts") from error
    given: dict[str, list[str]] = {}
    for written, value in pairs:
        name = written if written in known else _list_name(written)
        if name not in known:
            raise fault(written[:100], f"is no parameter of this route; it takes {', '.join(sorted(known))}")
        given.setdefault(name, []).append(value)
    for name, values in given.items():
        if values == [""]:
            raise fault(name, "has no value; give one, or leave the parameter out")
        if len(values) > 1:
            if name not in REPEATED:
                raise fault(name, "is given more than once")
            given[name] = [value for value in values if value]
    return given


def _list_name(written: str) -> str:
    """Return the name of a parameter whose name is written as that of a list, such as `filter[]`; else as it is."""
    match = LIST_NAME.fullmatch(written)
    return match[1] if match and match[1] in REPEATED else written


def _number(given: Parameters, name: str, least: int = 0) -> int | None:
    if name not in given:
        return None
    text = given[name][0]
    number = int(text) if NUMBER.fullmatch(text) else _written_number(text)
    if number is not None and least <= number <= LARGEST:
        return number
    raise fault(name, f"must be a whole number from {least}, not {text[:50]!r}")


def _written_number(text: str) -> int | None:
    """Return the whole number that is written some other way JavaScript writes one: 1e3, 20.0, Infinity."""
    words = text.strip()
    if words == UNBOUNDED:
        return LARGEST
    number = float(words) if WRITTEN_NUMBER.fullmatch(words) else None
    return int(number) if number is not None and number.is_integer() else None


def _fields(given: Parameters) -> tuple[str, ...]:
    return parse_fields(field for text in given.get("fields", ()) for field in text.split(","))


def _entities_order(text: str) -> Order:
    match = ENTITIES_ORDER.fullmatch(text)
    if match is None:
        raise fault("order", f"must be asc:<field> or desc:<field>, not {text[:100]!r}")
    return Order(match[2].strip().lower(), match[1] == "desc")


def _order_field(text: str) -> Order:
    field, comma, direction = (part.strip() for part in text.partition(","))
    if not field or (comma and direction not in {"asc", "desc"}):
        raise fault("orderField", f"must be <field>, <field>,asc or <field>,desc, not {text[:100]!r}")
    return Order(field.lower(), direction == "desc")


def _wants_total(word: str) -> bool:
    if word not in {"include", "exclude"}:
        raise fault("totalItems", f"must be include or exclude, not {word[:50]!r}")
    return word == "include"


def fault(path: str, message: str) -> InvalidInput:
    """Return the error for one parameter or field."""
    return InvalidInput(f"{path} {message}.".strip(), [Fault(path, message)])
