"""Entities by their names."""

import orjson

from catalog.format.refs import make_ref
from catalog.querying.conditions import ALWAYS
from catalog.querying.projection import project
from catalog.querying.selection import RefsRequest, Selection
from catalog.querying.statements import Statements
from catalog.querying.translation import NUL, Sql, Translator
from catalog.versions import current_version
from portal_backend.core.db import chunks
from portal_backend.core.errors import NotFound
from portal_backend.core.quick_reading import Reader

AT_ONCE = 5_000
BY_REF = "SELECT b.body FROM catalog_entity e JOIN catalog_entity_body b ON b.id = e.id WHERE e.ref = %s"


def get_body(reader: Reader, kind: str, namespace: str, name: str) -> bytes:
    """Return the final entity as JSON, ready to send; raises NotFound. The parts may have any case."""
    ref = make_ref(kind, namespace, name)
    rows = reader.rows(BY_REF, (ref,)) if NUL not in ref else []
    if not rows:
        raise NotFound(f"No entity {ref} exists; `portal catalog list` shows those that do.")
    body: bytes = rows[0][0]
    return body


def bodies_by_refs(reader: Reader, request: RefsRequest) -> list[bytes]:
    """Return the JSON of each entity asked for, `null` for one that is missing or outside the selection."""
    selection = request.selection
    # Without a condition no key of the rest-index is looked up, and the version says nothing.
    version = current_version(reader) if selection.condition != ALWAYS else None
    sql = Statements(reader, version, selection, lists=False).write("refs", _refs_sql)
    found: dict[str, bytes] = {}
    for some in chunks(dict.fromkeys(ref for ref in request.refs if NUL not in ref), AT_ONCE):
        refs = orjson.dumps(some).decode()
        if reader.is_postgresql:  # quoted like JSON, but for control characters, which no reference holds
            refs = f"{{{refs[1:-1]}}}"
        found.update(reader.rows(sql.text, (*sql.parameters, refs)))
    if request.fields:
        found = {ref: project(body, request.fields) for ref, body in found.items()}
    return [found.get(ref, b"null") for ref in request.refs]


def _refs_sql(translator: Translator, selection: Selection) -> Sql:
    where = translator.where(selection)
    asked = "= ANY(CAST(%s AS text[]))" if translator.is_postgresql else "IN (SELECT value FROM json_each(%s))"
    return Sql(
        "SELECT e.ref, b.body FROM catalog_entity e JOIN catalog_entity_body b ON b.id = e.id "  # noqa: S608 (fixed names)
        f"WHERE {where.text} AND e.ref {asked}",
        where.parameters,
    )
