"""Reads whom another product asks its checks of: the filters of its scorecards, tracks and rules. Pure.

A filter narrows: what of it cannot be said here would be asked of too many, so each such part is named for the reader.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from scorecards.importing.cql import translate
from scorecards.importing.cql_conditions import Untranslatable
from scorecards.importing.products.shared import MAX_DEPTH, Document, NotSaid

ENTITY = "entity."
BACKSTAGE_ROOTS = ("metadata.", "spec.", "relations.")
PLAIN_FIELDS = {"kind": "kind", "metadata.namespace": "namespace", "metadata.name": "name"}
"""What every service has, whether or not its file says it."""
TAGS = "metadata.tags."
CORTEX_PARTS = frozenset({"category", "types", "groups", "query"})


def together(word: str, parts: Sequence[Document]) -> dict[str, Any]:
    """Join conditions by `all` or `any`; one stands for itself."""
    return dict(parts[0]) if len(parts) == 1 else {word: list(parts)}


def applying(parts: Sequence[Document], what: str) -> dict[str, Any]:
    """Return `applies_to` where all the conditions hold, as a field of a check; nothing where there are none.

    `what` names whose filter it is: `scorecard`, `track`.
    """
    if not parts:
        return {}
    source = "check that was imported" if what == "check" else f"{what} that the check was imported from"
    otherwise = f"The {source} leaves it out by its filter."
    return {"applies_to": {"when": together("all", parts), "otherwise": otherwise}}


def of_entity(tree: Document) -> dict[str, Any]:
    """Write a rule over an entity as a condition on the service; raises NotSaid for one over facts."""
    for word in ("all", "any"):
        if word in tree:
            return {word: [of_entity(one) for one in tree[word]]}
    if "not" in tree:
        return {"not": of_entity(tree["not"])}
    if "related" in tree:
        raise NotSaid("a check applies by what the service itself is, not by what is around it")
    if not tree["fact"].startswith(ENTITY):
        raise NotSaid(f"a check applies by what the catalog says, not by the fact {tree['fact']}")
    return {"field": tree["fact"].removeprefix(ENTITY), "operator": tree["operator"], "value": tree["value"]}


def by_backstage(given: Document, notes: list[str], whose: str) -> list[Document]:
    """Return the conditions of `filter` and `exclude`, written as Backstage's entity filters; the rest is noted."""
    parts: list[Document] = []
    for word in ("filter", "exclude"):
        if given.get(word) in (None, {}, []):
            continue
        try:
            matched = _sets(given[word])
        except NotSaid as reason:
            notes.append(f"The `{word}` of {whose} is not carried over ({reason}): add it to `applies_to`.")
            continue
        parts.append(matched if word == "filter" else {"not": matched})
    if given.get("filterQuery"):
        try:
            parts.append(_predicate(given["filterQuery"], 1))
        except NotSaid as reason:
            notes.append(f"The `filterQuery` of {whose} is not carried over ({reason}): add it to `applies_to`.")
    return parts


def _predicate(query: Any, depth: int) -> Document:
    """Return a predicate of Backstage's catalog: fields by their values, `$all`, `$any`, `$not`."""
    if not isinstance(query, Mapping) or not query or depth > MAX_DEPTH:
        raise NotSaid("it is no object of fields and their values")
    return together("all", [_predicate_part(str(key), value, depth) for key, value in query.items()])


def _predicate_part(key: str, value: Any, depth: int) -> Document:
    if key in {"$all", "$any"} and isinstance(value, list) and value:
        return together(key.removeprefix("$"), [_predicate(one, depth + 1) for one in value])
    if key == "$not":
        return {"not": _predicate(value, depth + 1)}
    if not isinstance(value, Mapping):
        return _key(key, value)
    word, wanted = next(iter(value.items())) if len(value) == 1 else ("", None)
    if word in {"$in", "$contains"} and not isinstance(wanted, Mapping):
        return _key(key, wanted)
    if word == "$exists" and isinstance(wanted, bool):
        return {"field": _field(key), "operator": "exists", "value": wanted}
    if word == "$hasPrefix" and isinstance(wanted, str):
        return {"field": _field(key), "operator": "startsWith", "value": wanted}
    raise NotSaid(f"`{key}` is compared by {word or 'several words'}")


def _sets(given: Any) -> Document:
    """Any of the objects, all keys of one, any value of a key."""
    options = given if isinstance(given, list) else [given]
    if not all(isinstance(option, Mapping) and option for option in options):
        raise NotSaid("it is neither an object nor a list of objects")
    return together("any", [together("all", [_key(str(key), option[key]) for key in option]) for option in options])


def _key(path: str, value: Any) -> Document:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(one, str | int | float) for one in values):
        raise NotSaid(f"`{path}` is compared with something that is no plain value")
    texts = [str(one).lower() if isinstance(one, bool) else str(one) for one in values]
    if path.startswith(TAGS) and texts == ["true"]:  # Backstage keeps every tag as a key of its own, too
        path, texts = TAGS.rstrip("."), [path.removeprefix(TAGS)]
    field = _field(path)
    return together("any", [{"field": field, "operator": "hasValue", "value": text} for text in texts])


def _field(path: str) -> str:
    field = PLAIN_FIELDS.get(path.lower()) or (path if path.startswith(BACKSTAGE_ROOTS) else None)
    if field is None:
        raise NotSaid(f"`{path}` is no field of the entity that checks here look at")
    return field


def by_cortex(given: Any, notes: list[str], whose: str) -> list[Document]:
    """Return the conditions of a filter of Cortex; what of it cannot be said is noted."""
    if given in (None, {}):
        return []
    if not isinstance(given, Mapping):
        notes.append(f"The filter of {whose} is not understood: add it to `applies_to`.")
        return []
    parts = _named(given, "types", notes, whose) + _named(given, "groups", notes, whose)
    if given.get("query"):
        parts += _queried(str(given["query"]), notes, whose)
    if str(given.get("kind")).upper() == "GENERIC":  # a filter by types, groups and category, as it is read here
        given = {key: value for key, value in given.items() if key != "kind"}
    category = str(given.get("category") or "SERVICE")
    if category.upper() != "SERVICE":
        notes.append(f"The filter of {whose} asks it of the category {category}; checks here are asked of services.")
    other = sorted(str(key) for key in given if key not in CORTEX_PARTS and given[key])
    if other:
        names = ", ".join(f"`{key}`" for key in other)
        notes.append(f"The filter of {whose} says {names} too, which is not carried over: add it to `applies_to`.")
    return parts


def _named(given: Document, key: str, notes: list[str], whose: str) -> list[Document]:
    """Types, or groups, that are included or excluded."""
    lists = given.get(key) or {}
    if not isinstance(lists, Mapping):
        notes.append(f"The `{key}` in the filter of {whose} are not understood: add them to `applies_to`.")
        return []
    parts: list[Document] = []
    for word in ("include", "exclude"):
        listed = lists.get(word) or []
        names = [str(one) for one in listed] if isinstance(listed, list) else [str(listed)]
        if names and key == "types":
            operator = "in" if word == "include" else "notIn"
            parts.append({"field": "type", "operator": operator, "value": [name.lower() for name in names]})
        elif names:
            tagged = {"field": "tags", "operator": "overlaps", "value": names}
            parts.append(tagged if word == "include" else {"not": tagged})
    return parts


def _queried(query: str, notes: list[str], whose: str) -> list[Document]:
    try:
        return [of_entity(translate(query).tree)]
    except (Untranslatable, NotSaid) as reason:
        notes.append(f"The filter `{query}` of {whose} is not carried over ({reason}): add it to `applies_to`.")
        return []
