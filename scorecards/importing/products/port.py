"""Reads scorecards of Port: properties compared, levels of which the first is where everything begins. Pure."""

from collections.abc import Mapping
from typing import Any

from scorecards.importing.drafts import Draft, Item, Said, key_part, slug, snake
from scorecards.importing.making import Options, ruled
from scorecards.importing.products.filters import applying, of_entity
from scorecards.importing.products.port_paths import by_path
from scorecards.importing.products.shared import (
    MAX_DEPTH,
    MAX_LEVEL,
    Document,
    NotSaid,
    condition,
    is_list_of,
    pushed,
    rank,
)

PORT_FIELDS = {"$identifier": "entity.metadata.name", "$title": "entity.metadata.title", "$team": "entity.spec.owner"}

EMPTY = ("isEmpty", "isNotEmpty")
COMBINED = {"and": "all", "or": "any"}
RELATIONS = {"team": "entity.spec.owner", "system": "entity.spec.system", "domain": "entity.spec.domain"}
"""Relations to one entity that the catalog's entity names in a field."""


def is_port(content: Any) -> bool:
    """Say whether a document holds scorecards of Port."""
    return bool(_port_scorecards(content))


def _port_scorecards(content: Any) -> list[tuple[str, Document]]:
    """Find the scorecards, each with the blueprint that it is of."""
    if isinstance(content, Mapping):
        content = content.get("scorecards") or [content]
    found = []
    for one in content if isinstance(content, list) else ():
        blueprint = str(one.get("blueprint", "")) if isinstance(one, Mapping) else ""
        inner = one.get("data") if isinstance(one, Mapping) else None
        for card in inner if isinstance(inner, list) else [one]:
            if isinstance(card, Mapping) and is_list_of(card.get("rules"), "query"):
                found.append((str(card.get("blueprint") or blueprint), card))
    return found


def port(content: Any, draft: Draft, options: Options) -> None:
    """Read scorecards of Port: properties compared, levels of which the first is where everything begins."""
    for blueprint, card in _port_scorecards(content):
        levels = [one.get("title") if isinstance(one, Mapping) else one for one in card.get("levels") or ()]
        levels = levels[1:] if levels else ["Bronze", "Silver", "Gold"]
        if levels[MAX_LEVEL:]:
            told = f"{card.get('title') or 'The scorecard'} has {len(levels)} levels above its first"
            draft.notes.append(f"{told}; those above the fourth stand at L4.")
        prefix = snake(blueprint) if blueprint else "port"
        if blueprint:
            draft.notes.append(f"Port asks it of entities of the blueprint {blueprint}: narrow `applies_to` to these.")
        applies = applying(_filter(card, prefix, draft), "scorecard")
        for rule in card["rules"]:
            title = str(rule.get("title") or rule.get("identifier"))
            item = Item(
                str(rule.get("description") or title),
                None,
                (str(card.get("title", "")),),
                title,
                "",
                rank(levels, rule.get("level")),
            )
            draft.said.append(_port_rule(item, rule, prefix, draft, options, applies))


def _filter(card: Document, prefix: str, draft: Draft) -> list[Document]:
    """Return what the scorecard's filter asks of the catalog's entity; what it asks of other properties is noted."""
    if not card.get("filter"):
        return []
    try:
        return [of_entity(_port_query(card["filter"], prefix, Draft(draft.name, ""), 1))]
    except NotSaid as reason:
        name = card.get("title") or card.get("identifier") or "the scorecard"
        draft.notes.append(f"The filter of {name} is not carried over ({reason}): add it to `applies_to`.")
        return []


def _port_rule(item: Item, rule: Document, prefix: str, draft: Draft, options: Options, applies: Document) -> Said:
    try:
        tree = _port_query(rule["query"], prefix, draft, 1)
    except NotSaid as reason:
        key = f"port.{slug(str(rule.get('identifier') or item.name))}"
        return pushed(item, key, draft, options, f"{reason}.", applies)
    return ruled(item, tree, draft, options, "Its rule is said as it stands.", applies)


def _port_query(query: Any, prefix: str, draft: Draft, depth: int) -> dict[str, Any]:
    if not isinstance(query, Mapping) or depth > MAX_DEPTH:
        raise NotSaid("Its query is none that is understood")
    if "combinator" in query:
        word = COMBINED.get(str(query["combinator"]).lower())
        if word is None:
            raise NotSaid(f"Its combinator {query['combinator']} joins in a way of its own")
        listed = [one for name in ("conditions", "rules") for one in query.get(name) or ()]
        members = [_port_query(one, prefix, draft, depth + 1) for one in listed]
        if not members:
            raise NotSaid("Its query has no condition")
        return members[0] if len(members) == 1 else {word: members}
    name = query.get("property")
    if isinstance(name, Mapping):
        return by_path(query)
    if name is None and isinstance(query.get("relation"), str) and ("value" in query or query.get("operator") in EMPTY):
        related = query["relation"]
        key = RELATIONS.get(related) or f"{prefix}.{key_part(related)}"
        return condition(key, query.get("operator"), query.get("value"), f"the relation {related}", draft)
    if name is None:
        raise NotSaid("It looks at no property")
    key = PORT_FIELDS.get(name) or f"{prefix}.{key_part(str(name))}"
    return condition(key, query.get("operator"), query.get("value"), f"the property {name}", draft)
