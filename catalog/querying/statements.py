"""Statements for a selection, made once for each version of the catalog."""

from collections.abc import Callable, Iterable
from typing import Any

from catalog.querying.remembering import OVERHEAD, statements
from catalog.querying.selection import Selection
from catalog.querying.translation import Sql, Translator, key_names, keys_of
from catalog.versions import Version
from portal_backend.core.db import chunks
from portal_backend.core.quick_reading import Reader


def statement(
    reader: Reader,
    version: Version | None,
    selection: Selection,
    purpose: str,
    build: Callable[[Translator], Sql],
    more_keys: Iterable[str] = (),
) -> Sql:
    """Return the SQL that `build` writes for a selection; `purpose` tells the statements of one selection apart."""
    key = (version, reader.is_postgresql, purpose, selection.key)
    found: Sql | None = statements.get(key) if version else None
    if found is None:
        names = key_names([*keys_of(selection), *more_keys])
        found = build(Translator(reader.is_postgresql, _key_ids(reader, names)).within(selection.condition))
        if version:
            statements.keep(key, found, _weight(found) + len(selection.key) + OVERHEAD)
    return found


def _weight(sql: Sql) -> int:
    return len(sql.text) + sum(len(str(parameter)) + 50 for parameter in sql.parameters)


def _key_ids(reader: Reader, names: Iterable[str]) -> dict[str, dict[str, int]]:
    """Return the ids of those names that the rest-index knows, by name and kind of entity."""
    found: dict[str, dict[str, int]] = {}
    for some in chunks(sorted(names)):
        marks = ", ".join(["%s"] * len(some))
        rows: list[tuple[Any, ...]] = reader.rows(
            f"SELECT name, kind, id FROM catalog_search_key WHERE name IN ({marks})",  # noqa: S608 (marks only)
            some,
        )
        for name, kind, id_ in rows:
            found.setdefault(name, {})[kind] = id_
    return found
