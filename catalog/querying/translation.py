"""Conditions as SQL over the entity table, its columns and the rest-index. Pure: text and parameters come out.

The entity is `e`. On PostgreSQL the rest-index is asked by EXISTS, of which the planner makes a join, a probe or a
hashed list as it pays; SQLite is given lists, which it computes once. What a request says becomes parameters only.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import singledispatchmethod
from typing import Any, NamedTuple

from catalog.ingestion.flatten import COLUMNS as HOT_COLUMNS
from catalog.ingestion.flatten import MAX_KEY
from catalog.querying.conditions import (
    Condition,
    Equals,
    Every,
    Exists,
    HasPrefix,
    Not,
    Some,
    conjuncts,
    kinds_of,
    negate,
    says_only_the_kind,
)
from catalog.querying.selection import Selection, TextFilter

COLUMNS: Mapping[str, str] = {**HOT_COLUMNS, "metadata.uid": "uid"}
NEVER_NULL = frozenset({"kind", "metadata.name", "metadata.namespace", "metadata.uid"})
WITHOUT_ORIGINAL = frozenset({"metadata.namespace", "metadata.uid"})
"""Always lower case."""
ITEM_VALUE = "true"
"""What `path.item` is, for an item of a list of strings."""
ITEM_COLUMNS = f"'{ITEM_VALUE}' AS value, NULL AS original, TRUE AS is_item"
NUL = "\0"
"""No text of the database holds it; PostgreSQL refuses to compare with it."""
OF_MANY = frozenset({"kind", "metadata.namespace", "spec.type", "spec.lifecycle"})
"""Columns of few values, each of which many entities have."""
TEXTS = frozenset({"name", "title"})
"""Columns whose texts PostgreSQL may have an index of."""
IN_TRIGRAMS = re.compile("[a-z0-9]{3}")
"""What a text holds that such an index can find."""
MOST_INTERSECTED = 10
"""Values up to which their rows are intersected; both databases bound how many lists they compound."""
EXISTS, MOST_JOINED = "EXISTS", 8
"""Lookups of the rest-index of one condition that PostgreSQL may make joins of."""
LIKE_SPECIAL = re.compile(r"[\\%_]")


class Sql(NamedTuple):
    """Text with `%s` for each parameter."""

    text: str
    parameters: tuple[Any, ...] = ()


TRUE, FALSE = Sql("TRUE"), Sql("FALSE")


class Source(NamedTuple):
    """Rows of the rest-index that a key stands for: all of a key's, or one item of a list."""

    key_ids: tuple[int, ...]
    """One for each kind of entity."""
    item: str | None


def key_names(keys: Iterable[str]) -> set[str]:
    """Return the names that the rest-index may know these keys by: each whole, and up to each of its dots."""
    return {name for key in keys for name, _ in _splits(key)}


def _splits(key: str) -> Iterator[tuple[str, str | None]]:
    if len(key) > MAX_KEY or NUL in key:
        return
    yield key, None
    at = key.find(".")
    while at != -1:
        yield key[:at], key[at + 1 :]
        at = key.find(".", at + 1)


def keys_of(selection: Selection) -> Iterator[str]:
    """Return every key that a selection looks at."""
    yield from _condition_keys(selection.condition)
    if selection.text:
        yield from selection.text.fields
    for order in selection.orders:
        yield order.field


def _condition_keys(condition: Condition) -> Iterator[str]:
    if isinstance(condition, Every | Some):
        for inner in condition.conditions:
            yield from _condition_keys(inner)
    elif isinstance(condition, Not):
        yield from _condition_keys(condition.condition)
    else:
        yield condition.key


@dataclass(frozen=True)
class Translator:
    """Writes SQL for one database, with the ids of the keys that its rest-index knows, by name and kind of entity."""

    is_postgresql: bool
    key_ids: Mapping[str, Mapping[str, int]]
    kinds: frozenset[str] | None = None
    """Those that entities can have at all where this is written; None: every kind."""
    indexes_texts: bool = False
    """Whether the database has an index of the texts in names and titles."""
    frequent: frozenset[Equals | Exists] = frozenset()
    """What so many entities fulfil that others are better looked at first, which PostgreSQL does not see by itself."""

    def within(self, condition: Condition) -> "Translator":
        """Return one for what is said of entities that fulfil the condition too: of other kinds it need not look."""
        kinds = kinds_of(condition)
        if kinds is None:
            return self
        return replace(self, kinds=kinds if self.kinds is None else self.kinds & kinds)

    def sources(self, key: str) -> list[Source]:
        """Return where the rest-index has values of the key."""
        found = (Source(self._ids(name), item) for name, item in _splits(key))
        return [source for source in found if source.key_ids]

    def _ids(self, name: str) -> tuple[int, ...]:
        of_kinds = self.key_ids.get(name, {})
        return tuple(id_ for kind, id_ in of_kinds.items() if self.kinds is None or kind in self.kinds)

    def starts_in_rest_index(self, selection: Selection) -> bool:
        """Say whether entities are found by rows of the rest-index, rather than by columns and looked up there then."""
        frequent = {condition.key for condition in self.frequent} - {order.field for order in selection.orders}
        return any(key not in frequent and self.sources(key) for key in keys_of(selection))

    def where(self, selection: Selection) -> Sql:
        """Return what an entity of the selection fulfils, its order left aside."""
        condition = self.condition(selection.condition)
        return join_and([condition, self._text(selection.text)]) if selection.text else condition

    def where_of_all(self, selection: Selection) -> Sql:
        """Return the same, for a statement that has to find all entities of the selection, not the first few."""
        if selection.text is None:
            return self._led(selection.condition)
        if not self.is_indexed(selection.text):
            return self.where(selection)
        return join_and([self._beside_text(selection.condition), self._like(selection.text)])

    def _led(self, condition: Condition) -> Sql:
        """Return the condition so that PostgreSQL begins with the rows that lead, and reads and joins them once.

        By itself it takes key and value for independent and their rows for few, and may look at all of a kind instead.
        """
        leads, narrower = self.leads(condition), self.within(condition)
        if not leads:
            return self.condition(condition)
        ids = narrower._ids_with(leads)
        others = [part for part in conjuncts(condition) if part not in leads]
        columns = [part for part in others if isinstance(part, Equals) and part.key in COLUMNS]
        if any(part.key not in OF_MANY for part in columns):
            columns = []
        # Of these no index may be taken: each entity that it has would be compared with each id of the list.
        looked_at = [Sql(f"({found.text}) IS TRUE", found.parameters) for found in map(narrower.condition, columns)]
        rest = narrower._all([part for part in others if part not in columns])
        return join_and([Sql(f"e.id = ANY(ARRAY({ids.text}))", ids.parameters), *looked_at, rest])

    def leads(self, condition: Condition) -> list[Equals]:
        """Return what of the condition only rows of the rest-index tell, as far as it is not frequent."""
        told = self.within(condition)._told_by_rows(condition) if self.is_postgresql else []
        return [part for part in told if part not in self.frequent]

    def rows_alone(self, condition: Condition) -> Sql | None:
        """Return a query of entity_id that finds what fulfils the condition by the rest-index; None where it cannot.

        A kind is told by the keys. An entity may come more than once.
        """
        narrower = self.within(condition)
        told = narrower._told_by_rows(condition)
        others = [part for part in conjuncts(condition) if part not in told and not says_only_the_kind(part)]
        return narrower._ids_with(told) if told and not others else None

    def rows_with_key(self, condition: Condition) -> Sql | None:
        """Return the same where nothing but kinds and one key is asked for. They are too many to make a list of."""
        said = [part for part in conjuncts(condition) if not says_only_the_kind(part)]
        if len(said) != 1 or not isinstance(said[0], Exists) or said[0].key in COLUMNS:
            return None
        return self.within(condition)._ids_with([said[0]])

    def _told_by_rows(self, condition: Condition) -> list[Equals]:
        said = [part for part in conjuncts(condition) if isinstance(part, Equals) and part.key not in COLUMNS]
        told = [part for part in said if self.rows_with(part)]
        return told if len(told) <= MOST_INTERSECTED else []

    def _ids_with(self, conditions: Iterable[Equals | Exists]) -> Sql:
        wheres = [join_or(self.rows_with(condition)) for condition in conditions]
        texts = (f"SELECT s.entity_id FROM catalog_search s WHERE {where.text}" for where in wheres)  # noqa: S608 (ours)
        return Sql(" INTERSECT ".join(texts), _all_parameters(wheres))

    def is_indexed(self, text: TextFilter) -> bool:
        """Say whether the index of texts finds every entity that has the text in one of the fields."""
        if not self.indexes_texts or not IN_TRIGRAMS.search(text.term) or NUL in text.term:
            return False
        return not any(self.sources(field) or COLUMNS.get(field, "name") not in TEXTS for field in text.fields)

    def _beside_text(self, condition: Condition) -> Sql:
        if isinstance(condition, Equals) and says_only_the_kind(condition):
            # Most entities are of few kinds, and the planner holds comparing texts for cheap: it takes the index of
            # texts if kept from that of kinds, and from the one with all names and titles, which has no uid.
            kind = has_one_of("e.kind", condition)
            return Sql(f"({kind.text} AND e.uid IS NOT NULL) IS TRUE", kind.parameters)
        return self.condition(condition)

    def _like(self, text: TextFilter) -> Sql:
        pattern = "%" + LIKE_SPECIAL.sub(r"\\\g<0>", text.term) + "%"
        columns = dict.fromkeys(COLUMNS[field] for field in text.fields if field in COLUMNS)
        return join_or([Sql(f"e.{column} LIKE %s", (pattern,)) for column in columns])

    @singledispatchmethod
    def condition(self, condition: Any) -> Sql:
        """Return the condition as SQL."""
        raise TypeError(f"{condition!r} is no condition")

    @condition.register
    def _(self, condition: Every) -> Sql:
        return self.within(condition)._all(condition.conditions)

    def _all(self, conditions: Iterable[Condition]) -> Sql:
        parts = [self.condition(condition) for condition in conditions]
        joined = [part for part in parts if part.text.startswith((EXISTS, f"NOT ({EXISTS}"))]
        # PostgreSQL makes a join of each, and weighs so many ways to join them that it would never end.
        probed = [Sql(f"({part.text}) IS TRUE", part.parameters) for part in joined[MOST_JOINED:]]
        return join_and([*(part for part in parts if part not in joined), *joined[:MOST_JOINED], *probed])

    @condition.register
    def _(self, condition: Some) -> Sql:
        return join_or([self.condition(inner) for inner in condition.conditions])

    @condition.register
    def _(self, condition: Not) -> Sql:
        if isinstance(condition.condition, Some):
            return self._all(map(negate, condition.condition.conditions))
        text, parameters = self.condition(condition.condition)
        # A column that is null equals nothing; to SQL that is unknown, and so is its opposite.
        is_known = all(key in NEVER_NULL or key not in COLUMNS for key in _condition_keys(condition.condition))
        return Sql(f"NOT ({text})" if is_known else f"({text}) IS NOT TRUE", parameters)

    @condition.register
    def _(self, condition: Exists) -> Sql:
        column = COLUMNS.get(condition.key)
        if condition.key in NEVER_NULL:
            return TRUE
        parts = [Sql(f"e.{column} IS NOT NULL")] if column else []
        return join_or([*parts, *map(self._rows, self.rows_with(condition))])

    @condition.register
    def _(self, condition: Equals) -> Sql:
        column = COLUMNS.get(condition.key)
        values = _storable(condition)
        if not values:
            return FALSE
        parts = [is_one_of(f"e.{column}", values)] if column else []
        found = join_or([*parts, *map(self._rows, self.rows_with(condition))])
        # Not as a join that PostgreSQL begins with: it takes key and value for independent, and their rows for few.
        return Sql(f"({found.text}) IS TRUE", found.parameters) if condition in self.frequent else found

    @condition.register
    def _(self, condition: HasPrefix) -> Sql:
        prefix = condition.prefix
        if NUL in prefix:
            return FALSE
        column = COLUMNS.get(condition.key)
        parts = [_starts(f"e.{column}", prefix)] if column else []
        for source in self.sources(condition.key):
            if source.item is None:
                parts.append(self._rows(join_and([self._of(source), _starts("s.value", prefix)])))
            elif ITEM_VALUE.startswith(prefix):
                parts.append(self._rows(self._of(source)))
        return join_or(parts)

    def rows_with(self, condition: Equals | Exists) -> list[Sql]:
        """Return what rows `s` of the rest-index fulfil that have the key, or one of the values."""
        if isinstance(condition, Exists):
            return [self._of(source) for source in self.sources(condition.key)]
        values = _storable(condition)
        parts = []
        for source in self.sources(condition.key):
            if source.item is None and values:
                parts.append(join_and([self._of(source), is_one_of("s.value", values)]))
            elif source.item is not None and ITEM_VALUE in values:
                parts.append(self._of(source))
        return parts

    def _text(self, text: TextFilter) -> Sql:
        if NUL in text.term:
            return FALSE
        parts = [self._contains(f"e.{COLUMNS[field]}", text.term) for field in text.fields if field in COLUMNS]
        sources = [source for field in text.fields for source in self.sources(field)]
        plain = tuple(dict.fromkeys(id_ for source in sources if source.item is None for id_ in source.key_ids))
        if plain:
            parts.append(self._rows(join_and([is_one_of("s.key_id", plain), self._contains("s.value", text.term)])))
        if text.term in ITEM_VALUE:
            parts += [self._rows(self._of(source)) for source in sources if source.item is not None]
        return join_or(parts)

    def _contains(self, expression: str, term: str) -> Sql:
        function = "strpos" if self.is_postgresql else "instr"
        return Sql(f"{function}({expression}, %s) > 0", (term,))

    def _of(self, source: Source) -> Sql:
        of_key = is_one_of("s.key_id", source.key_ids)
        if source.item is None:
            return of_key
        return Sql(f"{of_key.text} AND s.value = %s AND s.is_item", (*of_key.parameters, source.item))

    def _rows(self, condition: Sql) -> Sql:
        """Return that a row of the entity in the rest-index fulfils the condition."""
        if self.is_postgresql:
            text = f"{EXISTS} (SELECT 1 FROM catalog_search s WHERE s.entity_id = e.id AND {condition.text})"  # noqa: S608
        else:
            text = f"e.id IN (SELECT s.entity_id FROM catalog_search s WHERE {condition.text})"  # noqa: S608
        return Sql(text, condition.parameters)

    def values(self, key: str) -> Sql | None:
        """Return a query of entity_id, value, original and is_item for a key in the rest-index; None if it has none."""
        parts = []
        for source in self.sources(key):
            columns = "s.value, s.original, s.is_item" if source.item is None else ITEM_COLUMNS
            of = self._of(source)
            rows = f"SELECT s.entity_id, {columns} FROM catalog_search s"  # noqa: S608
            parts.append(Sql(f"{rows} WHERE {of.text} AND s.value IS NOT NULL", of.parameters))
        if not parts:
            return None
        return Sql(" UNION ALL ".join(part.text for part in parts), _all_parameters(parts))


def join_and(parts: Iterable[Sql]) -> Sql:
    """Return that all hold."""
    found = [part for part in parts if part != TRUE]
    if FALSE in found:
        return FALSE
    return _join(found, "AND") if found else TRUE


def join_or(parts: Iterable[Sql]) -> Sql:
    """Return that one holds."""
    found = [part for part in parts if part != FALSE]
    if TRUE in found:
        return TRUE
    return _join(found, "OR") if found else FALSE


def _join(parts: list[Sql], word: str) -> Sql:
    """Join in halves: SQLite bounds the depth of an expression, and a plain chain is as deep as it is long."""
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    left, right = _join(parts[:middle], word), _join(parts[middle:], word)
    return Sql(f"({left.text} {word} {right.text})", left.parameters + right.parameters)


def _all_parameters(parts: Iterable[Sql]) -> tuple[Any, ...]:
    return tuple(parameter for part in parts for parameter in part.parameters)


def is_one_of(expression: str, values: tuple[Any, ...]) -> Sql:
    """Return that an expression has one of the values, of which there is at least one."""
    if len(values) == 1:
        return Sql(f"{expression} = %s", values)
    return Sql(f"{expression} IN ({', '.join(['%s'] * len(values))})", values)


def _storable(condition: Equals) -> tuple[str, ...]:
    """Return the values of a condition that a database can hold."""
    return tuple(value for value in condition.values if NUL not in value)


def has_one_of(expression: str, condition: Equals) -> Sql:
    """Return that an expression has one of the values of a condition."""
    values = _storable(condition)
    return is_one_of(expression, values) if values else FALSE


def _starts(expression: str, prefix: str) -> Sql:
    return Sql(f"substr({expression}, 1, {len(prefix)}) = %s", (prefix,))
