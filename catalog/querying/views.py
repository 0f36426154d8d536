"""HTTP: reading entities, in the shapes of Backstage's catalog API.

What is read lies ready to send; these routes put it together and keep out of the way.
"""

from collections.abc import Callable, Iterator
from typing import TypeVar
from urllib.parse import urlencode

import orjson
from flask import Response, request, stream_with_context

from catalog.querying import descriptions
from catalog.querying.bodies import parse_facets_body, parse_page_body, parse_refs_body
from catalog.querying.cursors import encode_after
from catalog.querying.facets import count_facets
from catalog.querying.list_sql import Shown
from catalog.querying.lists import AT_ONCE, Listed, Part, QueryPage, list_entities, query_entities, read_bodies
from catalog.querying.projection import project
from catalog.querying.query_strings import (
    fault,
    parse_entities,
    parse_facets,
    parse_filter_only,
    parse_page,
)
from catalog.querying.references import bodies_by_refs, get_body
from catalog.querying.repeating import remembered, remembered_list
from catalog.querying.selection import FacetsRequest, PageRequest
from catalog.versions import Version
from catalog.views import blueprint
from portal_backend.core.auth import reads
from portal_backend.core.db import chunks
from portal_backend.core.http import json_bytes
from portal_backend.core.quick_reading import Reader, quick_reading

Parsed = TypeVar("Parsed")


@blueprint.get("/entities/by-name/<string:kind>/<string:namespace>/<string:name>")
@blueprint.doc(**descriptions.ENTITY)
def get_entity(kind: str, namespace: str, name: str) -> Response:
    """Read an entity by kind, namespace and name, in any case; 404 when there is none."""
    with quick_reading() as reader:
        return json_bytes(get_body(reader, kind, namespace, name))


@blueprint.get("/entities")
@blueprint.doc(**descriptions.ENTITIES)
def get_entities() -> Response:
    """List entities; without limit, offset and after all of them."""
    query_string = _query_string()
    asked = parse_entities(query_string)

    def read(reader: Reader, version: Version | None, shown: Shown) -> Part:
        return list_entities(reader, version, asked, shown)

    def respond(part: Part) -> Response:
        response = _list_response(b"[", part.listed, asked.fields, b"]")
        if part.has_more and asked.limit is not None:
            after = encode_after(asked.limit, asked.offset + asked.limit)
            address = "&".join(words for words in (asked.query_string, urlencode({"after": after})) if words)
            response.headers["Link"] = f'</entities?{address}>; rel="next"'
        return response

    return remembered_list("entities", query_string.encode(), read, respond)


@blueprint.get("/entities/by-query")
@blueprint.doc(**descriptions.QUERY)
def get_entities_by_query() -> Response:
    """Read a page of the entities that filters, a text and an order select."""
    query_string = _query_string()
    return _page("page", query_string.encode(), parse_page(query_string))


@blueprint.post("/entities/by-query")
@reads
@blueprint.doc(**descriptions.QUERY_BODY)
def post_entities_by_query() -> Response:
    """Read a page of the entities that a predicate, a text and an order select."""
    body = _body()
    return _page("page of a body", body, _parsed(parse_page_body, body))


@blueprint.post("/entities/by-refs")
@reads
@blueprint.doc(**descriptions.REFS_BODY)
def post_entities_by_refs() -> Response:
    """Read entities by their references: as many, and in the same order; null for those that are not there."""
    condition = parse_filter_only(_query_string())
    asked = _parsed(lambda body: parse_refs_body(body, condition), _body())
    with quick_reading() as reader:
        bodies = bodies_by_refs(reader, asked)
    return json_bytes(b'{"items":[%b]}' % b",".join(bodies))


@blueprint.get("/entity-facets")
@blueprint.doc(**descriptions.FACETS)
def get_entity_facets() -> Response:
    """Count the entities per value of each facet, among those that the filters select."""
    query_string = _query_string()
    return _facets("facets", query_string.encode(), parse_facets(query_string))


@blueprint.post("/entity-facets")
@reads
@blueprint.doc(**descriptions.FACETS_BODY)
def post_entity_facets() -> Response:
    """Count the entities per value of each facet, among those that a predicate selects."""
    body = _body()
    return _facets("facets of a body", body, _parsed(parse_facets_body, body))


def _page(question: str, words: bytes, asked: PageRequest) -> Response:
    def read(reader: Reader, version: Version | None, shown: Shown) -> QueryPage:
        return query_entities(reader, version, asked, shown)

    def respond(page: QueryPage) -> Response:
        return _list_response(b'{"items":[', page.listed, asked.fields, _page_end(page))

    return remembered_list(question, words, read, respond)


def _page_end(page: QueryPage) -> bytes:
    cursors = {"nextCursor": page.next_cursor, "prevCursor": page.previous_cursor}
    info = {name: cursor for name, cursor in cursors.items() if cursor is not None}
    return b'],"totalItems":%d,"pageInfo":%b}' % (page.total, orjson.dumps(info))


def _facets(question: str, words: bytes, asked: FacetsRequest) -> Response:
    def write(reader: Reader, version: Version | None) -> Response:
        counted = count_facets(reader, version, asked)
        facets = b",".join(b"%b:%b" % (orjson.dumps(name), values) for name, values in counted)
        return json_bytes(b'{"facets":{%b}}' % facets)

    return remembered(question, words, write)


def _list_response(start: bytes, listed: Listed, fields: tuple[str, ...], end: bytes) -> Response:
    if listed.bodies is not None:
        bodies = [project(body, fields) for body in listed.bodies] if fields else listed.bodies
        return json_bytes(start + b",".join(bodies) + end)
    return Response(
        stream_with_context(_pieces(start, listed, fields, end)), mimetype="application/json", direct_passthrough=True
    )


def _pieces(start: bytes, listed: Listed, fields: tuple[str, ...], end: bytes) -> Iterator[bytes]:
    """Yield a long list piece by piece."""
    separator = start
    for some in chunks(listed.ids, AT_ONCE):
        with quick_reading() as reader:  # not kept while the caller takes what there is
            bodies = [*read_bodies(reader, some)]
        for body in bodies:
            yield separator + project(body, fields)
            separator = b","
    yield end if separator == b"," else start + end


def _query_string() -> str:
    return request.query_string.decode(errors="replace")


def _body() -> bytes:
    body = request.get_data(cache=False)
    if body and not request.is_json:
        raise fault("Content-Type", "must be application/json")
    return body


def _parsed(parse: Callable[[bytes], Parsed], body: bytes) -> Parsed:
    try:
        return parse(body)
    except orjson.JSONDecodeError as error:
        raise fault("The body", f"is no JSON: {error}") from error
