"""Numbers that are kept with the catalog: what all entities of a kind have of the values that are asked for most. Pure.

Where nothing was counted yet (in a database of an earlier release, until its first write), the same statements count.
"""

from catalog.querying.conditions import ALWAYS, Equals
from catalog.querying.selection import Selection
from catalog.querying.translation import KIND, NUL, Sql, is_one_of, join_and, says_only_the_kind

NOTHING = "NOT EXISTS (SELECT 1 FROM catalog_value_count)"
"""That nothing was counted yet."""


def is_counted(selection: Selection) -> bool:
    """Say whether the selection is all entities, or all of some kinds: of those the numbers tell."""
    condition = selection.condition
    return selection.text is None and (condition == ALWAYS or says_only_the_kind(condition))


def kept_total_sql(selection: Selection, total: Sql) -> Sql:
    """Return how many entities such a selection has; `total` is the query that counts them."""
    of_kinds = _of(KIND, selection)
    text = f"SELECT COALESCE((SELECT sum(c.entities) FROM catalog_value_count c WHERE {of_kinds.text}), ({total.text}))"  # noqa: S608
    return Sql(text, of_kinds.parameters + total.parameters)


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
    if isinstance(condition, Equals):
        parts.append(is_one_of("c.kind", tuple(value for value in condition.values if NUL not in value) or ("",)))
    return join_and(parts)
