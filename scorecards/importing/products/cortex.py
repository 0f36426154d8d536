"""Reads scorecards of Cortex: CQL expressions, a ladder of levels, weights, a filter. Pure."""

from collections.abc import Mapping
from typing import Any

from scorecards.importing.cql import Untranslatable, translate
from scorecards.importing.drafts import Draft, Item, Said, plain, short, slug
from scorecards.importing.making import Options, ruled
from scorecards.importing.products.shared import MAX_LEVEL, Document, is_list_of, pushed, rank, scaled


def is_cortex(content: Any) -> bool:
    """Say whether a document is a scorecard of Cortex."""
    return isinstance(content, Mapping) and is_list_of(content.get("rules"), "expression")


def cortex(content: Document, draft: Draft, options: Options) -> None:
    """Read a scorecard of Cortex: CQL expressions, a ladder of levels, weights, a filter."""
    ladder = content.get("ladder") or {}
    levels = [level.get("name") for level in sorted(ladder.get("levels") or [], key=lambda one: one.get("rank", 0))]
    weights = [rule.get("weight") for rule in content["rules"]]
    applies = _cortex_filter(content.get("filter"), draft)
    for rule in content["rules"]:
        title = str(rule.get("title") or rule.get("identifier") or rule["expression"])
        level = rank(levels, rule.get("level"))
        item = Item(str(rule.get("description") or title), None, (str(content.get("name", "")),), title, "", level)
        words: dict[str, Any] = {"title": short(plain(title)), "weight": scaled(weights, rule.get("weight"))}
        words |= {"applies_to": applies} if applies else {}
        words |= {"enforce_from": str(rule["effectiveFrom"])[:10]} if rule.get("effectiveFrom") else {}
        if rule.get("failureMessage"):
            words |= {"how_to_fix": [plain(str(rule["failureMessage"]))]}
        draft.said.append(_cortex_rule(item, str(rule["expression"]), draft, options, words))
    if levels[MAX_LEVEL:]:
        draft.notes.append(f"Its ladder has {len(levels)} levels; those above the fourth stand at L4.")


def _cortex_rule(item: Item, expression: str, draft: Draft, options: Options, words: Document) -> Said:
    try:
        translated = translate(expression)
    except Untranslatable as reason:
        key = f"cortex.{slug(item.name)}"
        return pushed(item, key, draft, options, f"Its expression says more than a rule of ours: {reason}.", words)
    for key, kind in translated.facts.items():
        if key not in options.known:
            draft.declare(key, kind, "", f"What Cortex reads for: {short(plain(item.name), 150)}")
    return ruled(item, translated.tree, draft, options, f"Translated from `{plain(expression)}`.", words)


def _cortex_filter(given: Any, draft: Draft) -> dict[str, Any] | None:
    """Return what the checks apply to; what of a filter cannot be said is noted."""
    if not isinstance(given, Mapping):
        return None
    types = given.get("types") or {}
    parts: list[Document] = []
    for word, operator in (("include", "in"), ("exclude", "notIn")):
        names = [str(one).lower() for one in types.get(word) or []]
        parts += [{"field": "type", "operator": operator, "value": names}] if names else []
    for word in ("include", "exclude"):
        names = [str(one) for one in (given.get("groups") or {}).get(word) or []] if _has_groups(given) else []
        tagged = {"field": "tags", "operator": "overlaps", "value": names}
        parts += [tagged if word == "include" else {"not": tagged}] if names else []
    if given.get("query"):
        parts += _queried(str(given["query"]), draft)
    if not parts:
        return None
    return {
        "when": parts[0] if len(parts) == 1 else {"all": parts},
        "otherwise": "The scorecard that the check was imported from leaves it out by its filter.",
    }


def _has_groups(given: Document) -> bool:
    return isinstance(given.get("groups"), Mapping)


def _queried(query: str, draft: Draft) -> list[Document]:
    try:
        tree = _of_entity(translate(query).tree)
    except Untranslatable as reason:
        draft.notes.append(f"Its filter `{query}` is not carried over ({reason}): add it to `applies_to`.")
        return []
    return [tree]


def _of_entity(tree: Document) -> Document:
    """Write a rule over an entity as a condition on the service; raises Untranslatable for one over facts."""
    for word in ("all", "any"):
        if word in tree:
            return {word: [_of_entity(one) for one in tree[word]]}
    if "not" in tree:
        return {"not": _of_entity(tree["not"])}
    if not tree["fact"].startswith("entity."):
        raise Untranslatable(f"a check applies by what the catalog says, not by the fact {tree['fact']}")
    return {"field": tree["fact"].removeprefix("entity."), "operator": tree["operator"], "value": tree["value"]}
