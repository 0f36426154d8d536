"""Numbers that are kept with the catalog: what all entities of a kind have of the values that are asked for most. Pure.

Where nothing was counted yet (in a database of an earlier release, until its first write), the same statements count.
"""

from collections.abc import Sequence

from catalog.ingestion.flatten import COUNTED_COLUMNS
from catalog.querying.conditions import ALWAYS, KIND, Condition, Equals, conjuncts, says_only_the_kind
from catalog.querying.selection import Selection
from catalog.querying.translation import Sql, Translator, has_one_of, join_and

NOTHING = "NOT EXISTS (SELECT 1 FROM catalog_value_count)"
"""That nothing was counted yet."""


def is_counted(selection: Selection) -> bool:
    """Say whether the selection is all entities, or all of some kinds: of those the numbers tell."""
    return selection.text is None and names_kinds_alone(selection.condition)


def names_kinds_alone(condition: Condition) -> bool:
    """Say whether the condition holds for all entities, or all of some kinds."""
    return condition == ALWAYS or says_only_the_kind(condition)


def kept_total_sql(translator: Translator, selection: Selection, total: Sql) -> Sql:
    """Return how many entities a selection has; `total` is the query that counts them, and stays where none is kept."""
    if is_counted(selection):
        kept = _of(KIND, selection)
    elif selection.text is None and (said := _said_of_a_column(translator, selection)):
        kept = join_and([Sql("c.path = %s", (said[-1].key,)), *(has_one_of("c.kind", one) for one in said[:-1])])
        kept = join_and([kept, has_one_of("c.value", said[-1])])
    else:
        return total
    text = f"SELECT COALESCE((SELECT sum(c.entities) FROM catalog_value_count c WHERE {kept.text}), ({total.text}))"  # noqa: S608
    return Sql(text, kept.parameters + total.parameters)


def _said_of_a_column(translator: Translator, selection: Selection) -> Sequence[Equals]:
    """Return the kind, if it is said, and the values of one counted column; nothing where more is said, or less.

    An entity has one value of a column, so numbers of several values add up, unless the rest-index has some too.
    """
    parts = conjuncts(selection.condition)
    said = sorted((part for part in parts if isinstance(part, Equals)), key=lambda part: part.key != KIND)
    keys = [part.key for part in said]
    if len(said) != len(parts) or not said or keys[:-1] not in ([], [KIND]) or keys[-1] == KIND:
        return ()
    return said if keys[-1] in COUNTED_COLUMNS and not translator.sources(keys[-1]) else ()


def kept_facet_sql(path: str, selection: Selection, columns: str, rows: Sql) -> Sql:
    """Return the values of a counted path in such a selection, as these columns; `rows` is the query that counts."""
    of_kinds = _of(path, selection)
    text = (
        f"SELECT {columns} FROM catalog_value_count c WHERE {of_kinds.text} GROUP BY 1, 2 "  # noqa: S608 (our own names)
        f"UNION ALL SELECT r.* FROM ({rows.text}) r WHERE {NOTHING}"
    )
    return Sql(text, of_kinds.parameters + rows.parameters)


def _of(path: str, selection: Selection) -> Sql:
    parts = [Sql("c.path = %s", (path,))]
    condition = selection.condition
    return join_and([*parts, has_one_of("c.kind", condition)] if isinstance(condition, Equals) else parts)
