"""Requests that come as JSON bodies: they become what is selected. Pure.

Fields that are not known are ignored, as by Backstage: a client newer than us may send some.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from catalog.querying.conditions import ALWAYS, Condition, every
from catalog.querying.predicates import parse_predicate
from catalog.querying.projection import parse_fields
from catalog.querying.query_strings import continued, facets_request, fault, first_page
from catalog.querying.selection import (
    BY_QUERY_LIMIT,
    LARGEST,
    FacetsRequest,
    Order,
    PageRequest,
    RefsRequest,
    Selection,
)

MAX_REFS = 10_000
"""References in one request; Backstage's client asks for 1,000 at a time."""


def parse_page_body(body: bytes) -> PageRequest:
    """Read a query; no body at all asks for everything. Raises InvalidInput."""
    given = _object(orjson.loads(body) if body else {})
    limit, offset = _number(given, "limit", BY_QUERY_LIMIT), _number(given, "offset", 0)
    total = given.get("totalItems", "include")
    if total not in ("include", "exclude"):
        raise fault("totalItems", "must be include or exclude")
    fields = parse_fields(field for text in _strings(given, "fields") for field in text.split(","))
    orders = [_order(order, f"orderBy[{number}]") for number, order in enumerate(_list(given, "orderBy"))]
    text = _object(given.get("fullTextFilter", {}), "fullTextFilter")
    searched = _strings(text, "fields", "fullTextFilter.fields") if "fields" in text else None
    words = (_string(text.get("term", ""), "fullTextFilter.term"), searched)
    if "cursor" in given:
        return continued(_string(given["cursor"], "cursor"), fields, limit)
    carried = {"query": given["query"]} if "query" in given else {}
    return first_page(
        _condition(given), carried, orders, words, fields, limit, offset, wants_total=total == "include"
    )  # fmt: skip


def parse_refs_body(body: bytes, condition: Condition) -> RefsRequest:
    """Read a list of references, of which only those of the condition are wanted; raises InvalidInput."""
    given = _object(orjson.loads(body))
    if "entityRefs" not in given:
        raise fault("entityRefs", "is missing; give a list of references such as component:default/checkout")
    refs = tuple(_strings(given, "entityRefs"))
    if len(refs) > MAX_REFS:
        raise fault("entityRefs", f"holds {len(refs)} references; {MAX_REFS} are the most: ask in parts")
    return RefsRequest(Selection(every((condition, _condition(given)))), refs, parse_fields(_strings(given, "fields")))


def parse_facets_body(body: bytes) -> FacetsRequest:
    """Read the keys whose values are to be counted; raises InvalidInput."""
    given = _object(orjson.loads(body))
    return facets_request(_strings(given, "facets"), _condition(given))


def _condition(given: Mapping[str, Any]) -> Condition:
    return parse_predicate(given["query"]) if "query" in given else ALWAYS


def _object(value: Any, path: str = "The body") -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise fault(path, "must be a JSON object")
    return value


def _number(given: Mapping[str, Any], name: str, default: int) -> int:
    number = given.get(name, default)
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= LARGEST:
        raise fault(name, "must be a whole number from 0")
    return number


def _list(given: Mapping[str, Any], name: str, path: str = "") -> list[Any]:
    found = given.get(name, [])
    if not isinstance(found, list):
        raise fault(path or name, "must be a list")
    return found


def _string(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise fault(path, "must be a string")
    return value


def _strings(given: Mapping[str, Any], name: str, path: str = "") -> list[str]:
    return [_string(item, f"{path or name}[{number}]") for number, item in enumerate(_list(given, name, path))]


def _order(value: Any, path: str) -> Order:
    given = _object(value, path)
    field = _string(given.get("field", ""), f"{path}.field").strip().lower()
    if not field or given.get("order") not in ("asc", "desc"):
        raise fault(path, 'must be {"field": "<field>", "order": "asc" or "desc"}')
    return Order(field, given["order"] == "desc")
