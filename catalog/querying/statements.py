"""Statements for a selection. They depend on the ids of its keys only, and outlive the catalog's versions."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from catalog.querying.conditions import Equals, Exists, conjuncts, equalities, says_only_the_kind
from catalog.querying.remembering import statements
from catalog.querying.selection import Selection
from catalog.querying.translation import NEVER_NULL, Sql, Translator, join_or, key_names, keys_of
from catalog.versions import Version
from portal_backend.core.db import chunks
from portal_backend.core.quick_reading import Reader
from portal_backend.core.remembering import OVERHEAD


class Keys(NamedTuple):
    """What the rest-index knows of the keys that a selection looks at."""

    ids: Mapping[str, Mapping[str, int]]
    """By name and kind of entity."""
    known: tuple[tuple[Any, ...], ...]
    """The same as a value that compares: kind, name and id of each."""


NO_KEYS = Keys({}, ())
FREQUENT_SHARE = 40
"""One in so many of all entities: where more have a value, looking at each of them costs more than at all of a kind."""
FREQUENT_SHARE_OF_COUNTED = 12
"""The same where facets are counted: all of a kind would have to be looked at for each of them."""
WRITES_SEEN_ALIKE = 1_000
"""Writes after which it is asked again how frequent a value is; that decides over the way only, not over the answer."""
MOST_ASKED = 10
"""Values of one request of which it is asked how frequent they are."""


class Statements:
    """Writes the statements that answer one request; what was written before for the same keys is taken as it is."""

    def __init__(
        self,
        reader: Reader,
        version: Version | None,
        selection: Selection,
        facets: Iterable[str] = (),
        *,
        lists: bool = True,
    ) -> None:
        """Look the keys up, unless that was done since the last one came; `lists` where entities must be found.

        Of `facets` the values are to be counted.
        """
        self.selection = selection
        self._is_postgresql = reader.is_postgresql
        self._indexes_texts = selection.text is not None and _indexes_texts(reader, version)
        self._keys = _keys(reader, version, frozenset(key_names([*keys_of(selection), *facets])))
        share = FREQUENT_SHARE_OF_COUNTED if facets else FREQUENT_SHARE
        self._frequent = self._find_frequent(reader, version, share) if lists else frozenset()

    def write(self, purpose: str, build: Callable[[Translator, Selection], Sql]) -> Sql:
        """Return the SQL that `build` writes; `purpose` tells the statements of one selection apart."""
        key = (self._is_postgresql, self._indexes_texts, purpose, self.selection.key, self._keys.known, self._frequent)
        found: Sql | None = statements.get(key)
        if found is None:
            translator = replace(self._translator(), frequent=self._frequent, indexes_texts=self._indexes_texts)
            found = build(translator, self.selection)
            statements.keep(key, found, _weight(found, self._keys) + len(self.selection.key) + OVERHEAD)
        return found

    def _translator(self) -> Translator:
        return Translator(self._is_postgresql, self._keys.ids).within(self.selection.condition)

    def _find_frequent(self, reader: Reader, version: Version | None, share: int) -> frozenset[Equals | Exists]:
        """Return what the entities of the selection, or of one alternative, have that is frequent, of the rest-index.

        Where no kind is said, and nothing that is less frequent, there is nothing better to begin with.
        """
        if version is None or not self._is_postgresql or not self._keys.known:
            return frozenset()
        translator = self._translator()
        said = [(each, translator.rows_with(each)) for each in self._said(translator.kinds)]
        indexed = [(each, join_or(rows)) for each, rows in said if rows][:MOST_ASKED]
        if translator.kinds is None and len(indexed) == 1:
            return frozenset()
        frequent = frozenset(each for each, rows in indexed if _is_frequent(reader, version, rows, share))
        return frozenset() if translator.kinds is None and len(frequent) == len(indexed) else frequent

    def _said(self, kinds: frozenset[str] | None) -> Iterable[Equals | Exists]:
        yield from equalities(self.selection.condition)
        # Of one kind indexes have the entities in a list's order, and rows alone tell how many have a key.
        if kinds and len(kinds) == 1 and all(order.field in NEVER_NULL for order in self.selection.orders):
            said = [part for part in conjuncts(self.selection.condition) if not says_only_the_kind(part)]
            yield from (part for part in said if isinstance(part, Exists) and len(said) == 1)


def _is_frequent(reader: Reader, version: Version, rows: Sql, share: int) -> bool:
    key = (version.lineage, version.number // WRITES_SEEN_ALIKE, "frequent", share, rows)
    found: bool | None = statements.get(key)
    if found is None:
        found = bool(reader.rows(frequent_sql(rows, share), rows.parameters)[0][0])
        statements.keep(key, found, _weight(rows, NO_KEYS) + OVERHEAD)
    return found


def frequent_sql(rows: Sql, share: int) -> str:
    """Return the statement that tells whether these rows are more than the share; it counts no further than that."""
    return (
        "SELECT m.most > 0 AND (SELECT count(*) FROM ("  # noqa: S608 (our own text)
        f"SELECT 1 FROM catalog_search s WHERE {rows.text} LIMIT m.most) f) = m.most "
        f"FROM (SELECT COALESCE(sum(entities), 0)::bigint / {share} AS most "
        "FROM catalog_value_count WHERE path = 'kind') m"
    )


def _weight(sql: Sql, keys: Keys) -> int:
    return len(sql.text) + sum(len(str(parameter)) + 50 for parameter in sql.parameters) + 200 * len(keys.known)


def _indexes_texts(reader: Reader, version: Version | None) -> bool:
    if not reader.is_postgresql:
        return False
    key = None if version is None else (version.lineage, "texts")
    found: bool | None = statements.get(key) if key else None
    if found is None:
        found = bool(reader.rows("SELECT to_regclass('ix_catalog_entity_trigrams') IS NOT NULL")[0][0])
        if key:
            statements.keep(key, found, OVERHEAD)
    return found


def _keys(reader: Reader, version: Version | None, names: frozenset[str]) -> Keys:
    if not names:
        return NO_KEYS
    key = None if version is None else (version.lineage, version.keys, "keys", names)
    found: Keys | None = statements.get(key) if key else None
    if found is None:
        found = _read_keys(reader, names)
        if key:
            statements.keep(key, found, 200 * (len(names) + len(found.known)) + OVERHEAD)
    return found


def _read_keys(reader: Reader, names: Iterable[str]) -> Keys:
    rows: list[tuple[Any, ...]] = []
    for some in chunks(sorted(names)):
        marks = ", ".join(["%s"] * len(some))
        rows += reader.rows(
            f"SELECT name, kind, id FROM catalog_search_key WHERE name IN ({marks})",  # noqa: S608 (marks only)
            some,
        )
    ids: dict[str, dict[str, int]] = {}
    for name, kind, id_ in rows:
        ids.setdefault(name, {})[kind] = id_
    return Keys(ids, tuple(rows))
