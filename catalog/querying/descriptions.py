"""What the reading routes take and answer, for the API's description.

They read their parameters themselves, so the description is written out here.
"""

from collections.abc import Mapping
from typing import Any

Document = Mapping[str, Any]

STRINGS: Document = {"type": "array", "items": {"type": "string"}}
ENTITY_SCHEMA: Document = {"type": "object", "description": "A final entity, or the fields of it that were asked for."}
PREDICATE: Document = {
    "type": "object",
    "description": 'Equalities as {"kind": "component"}; $exists, $in, $hasPrefix, $contains; $all, $any, $not.',
}


def _query(name: str, schema: Document, description: str, **more: Any) -> Document:
    return {"name": name, "in": "query", "schema": schema, "description": description, **more}


def _whole(minimum: int) -> Document:
    return {"type": "integer", "minimum": minimum}


def _answer(description: str, schema: Document) -> Document:
    return {"200": {"description": description, "content": {"application/json": {"schema": schema}}}}


def _body(properties: Document, required: tuple[str, ...] = ()) -> Document:
    schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = list(required)
    return {"required": bool(required), "content": {"application/json": {"schema": schema}}}


FILTER = _query(
    "filter", STRINGS, "Sets `key` or `key=value`, separated by commas, all of which hold; one of several sets holds."
)
FIELDS = _query(
    "fields", STRINGS, "Dotted paths that are kept of each entity, separated by commas.", explode=False, style="form"
)
OFFSET = _query("offset", _whole(0), "Entities to skip.")
CURSOR = _query(
    "cursor",
    {"type": "string", "minLength": 1},
    "The `nextCursor` or `prevCursor` of a page; goes before what else selects.",
)
TOTAL: Document = {"type": "string", "enum": ["include", "exclude"]}

PAGE = _answer(
    "A page; `nextCursor` and `prevCursor` are there where there is such a page.",
    {
        "type": "object",
        "required": ["items", "totalItems", "pageInfo"],
        "properties": {
            "items": {"type": "array", "items": ENTITY_SCHEMA},
            "totalItems": {"type": "integer"},
            "pageInfo": {
                "type": "object",
                "properties": {"nextCursor": {"type": "string"}, "prevCursor": {"type": "string"}},
            },
        },
    },
)
COUNTS = _answer(
    "Per facet, under the name asked for, its values and how many entities have each.",
    {
        "type": "object",
        "required": ["facets"],
        "properties": {
            "facets": {
                "type": "object",
                "additionalProperties": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["value", "count"],
                        "properties": {"value": {"type": "string"}, "count": {"type": "integer"}},
                    },
                },
            }
        },
    },
)

ENTITY = {"responses": _answer("The final entity, with its relations.", ENTITY_SCHEMA)}
ENTITIES = {
    "parameters": [
        FILTER,
        FIELDS,
        _query("order", STRINGS, "`asc:<field>` or `desc:<field>`; several sort within one another."),
        _query("limit", _whole(1), "Entities in the answer; without limit, offset and after it is all of them."),
        OFFSET,
        _query("after", {"type": "string", "minLength": 1}, "From the Link header of the previous page."),
    ],
    "responses": _answer(
        "A bare list; a Link header leads to the next page.", {"type": "array", "items": ENTITY_SCHEMA}
    ),
}
QUERY = {
    "parameters": [
        FILTER,
        FIELDS,
        _query("orderField", STRINGS, "`<field>`, `<field>,asc` or `<field>,desc`; only the first one counts."),
        _query("limit", _whole(0), "Entities on the page; 200 if not given, 0 for the total alone."),
        OFFSET,
        CURSOR,
        _query("fullTextFilterTerm", {"type": "string", "minLength": 1}, "A text that one of the fields contains."),
        _query("fullTextFilterFields", STRINGS, "The fields, separated by commas.", explode=False, style="form"),
        _query("totalItems", TOTAL, "`exclude` answers 0 and saves the counting."),
    ],
    "responses": PAGE,
}
QUERY_BODY = {
    "requestBody": _body(
        {
            "query": PREDICATE,
            "fields": STRINGS,
            "orderBy": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["field", "order"],
                    "properties": {
                        "field": {"type": "string"},
                        "order": {"type": "string", "enum": ["asc", "desc"]},
                    },
                },
            },
            "fullTextFilter": {"type": "object", "properties": {"term": {"type": "string"}, "fields": STRINGS}},
            "limit": _whole(0),
            "offset": _whole(0),
            "cursor": {"type": "string", "minLength": 1},
            "totalItems": TOTAL,
        }
    ),
    "responses": PAGE,
}
REFS_BODY = {
    "parameters": [FILTER],
    "requestBody": _body({"entityRefs": STRINGS, "fields": STRINGS, "query": PREDICATE}, ("entityRefs",)),
    "responses": _answer(
        "As many items as references, in the same order; null for an entity that is missing or not selected.",
        {
            "type": "object",
            "required": ["items"],
            "properties": {"items": {"type": "array", "items": {**ENTITY_SCHEMA, "type": ["object", "null"]}}},
        },
    ),
}
FACETS = {
    "parameters": [_query("facet", STRINGS, "A key, such as `spec.type`.", required=True), FILTER],
    "responses": COUNTS,
}
FACETS_BODY = {
    "requestBody": _body({"facets": {**STRINGS, "minItems": 1}, "query": PREDICATE}, ("facets",)),
    "responses": COUNTS,
}
