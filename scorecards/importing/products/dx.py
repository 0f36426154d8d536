"""Reads scorecards of DX: each check is a query in SQL over DX' own tables, which answers by its status. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from scorecards.importing.cql_words import leaf
from scorecards.importing.drafts import Draft, Item, Said, plain, short, slug
from scorecards.importing.making import Options, ruled
from scorecards.importing.products.filters import applying
from scorecards.importing.products.shared import Document, pushed, rank, scaled

COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
TABLE = re.compile(r"\b(?:from|join)\s+([a-z_][\w.]*)", re.IGNORECASE)
NAMED = re.compile(r"\b(?:with|,)\s*([a-z_]\w*)\s+as\s*\(", re.IGNORECASE)
THERE = re.compile(
    r"select\s+case\s+when\s+count\(\*\)\s*>\s*0\s+then\s+'pass'\s+else\s+'fail'\s+end(?:\s+as\s+status)?\s+from\s+(?P<from>.*?)"
    r"\s+where\s+(?:\w+\.)?identifier\s*=\s*\$entity_identifier(?P<rest>.*?)\s*;?",
    re.IGNORECASE | re.DOTALL,
)
PROPERTY = re.compile(r"\s+and\s+(?:\w+\.)?identifier\s*=\s*'(?P<name>[^']+)'", re.IGNORECASE)
OWNERS = {"dx_catalog_entities", "dx_catalog_entity_owners"}
PROPERTIES = {"dx_catalog_entities", "dx_catalog_entity_properties", "dx_catalog_properties"}
EFFORTS = ((0.5, "hours"), (5.0, "days"))
"""Days of work up to which a step takes hours, or days."""
LINK = re.compile(r"https?://\S+")


def is_dx(content: Any) -> bool:
    """Say whether a document holds scorecards of DX."""
    return bool(_cards(content))


def _cards(content: Any) -> list[Document]:
    """Return the scorecards: of a file, of an answer of its API, or one by itself."""
    if isinstance(content, Mapping):
        content = content.get("scorecards") or content.get("scorecard") or content
    found = content if isinstance(content, list) else [content]
    return [card for card in found if isinstance(card, Mapping) and _checks(card)]


def _checks(card: Document) -> list[Document]:
    """Return the checks of a card: each has a query, and Terraform lists them by keys."""
    checks = card.get("checks")
    listed = list(checks.values()) if isinstance(checks, Mapping) else checks
    if not isinstance(listed, list):
        return []
    return [one for one in listed if isinstance(one, Mapping) and one.get("sql") and one.get("name")]


def dx(content: Any, draft: Draft, options: Options) -> None:
    """Read scorecards of DX: a query that asks whether something is there is said; any other answers for itself."""
    for card in _cards(content):
        name = str(card.get("name") or "the scorecard")
        levels, checks = _levels(card), _checks(card)
        points: list[Any] = [one.get("points") for one in checks]
        applies = _applies(card, name, draft)
        for one in checks:
            level = rank(levels, one.get("scorecard_level_key") or _named(one.get("level")))
            title = str(one["name"])
            item = Item(str(one.get("description") or title), None, (name,), title, "", level)
            words: dict[str, Any] = {"title": short(plain(title)), "weight": scaled(points, one.get("points"))}
            words |= applies | _told(one, item, draft)
            draft.said.append(_check(item, one, draft, options, words))


def _levels(card: Document) -> list[Any]:
    """Return the keys and names of the levels, the lowest first; a name stands for its level as its key does."""
    given = card.get("levels") or ()
    named = given.items() if isinstance(given, Mapping) else ((_named(one), one) for one in given)
    ranked = [(one.get("rank") or 0, key) for key, one in named if isinstance(one, Mapping)]
    return [key for _, key in sorted(ranked, key=lambda one: one[0] if isinstance(one[0], int) else 0)]


def _named(level: Any) -> Any:
    return (level.get("key") or level.get("name")) if isinstance(level, Mapping) else level


def _applies(card: Document, name: str, draft: Draft) -> dict[str, Any]:
    kinds = card.get("entity_filter_type_identifiers") or ()
    if card.get("entity_filter_sql"):
        draft.notes.append(
            f"The filter of {name} is a query in SQL, which is not carried over: add it to `applies_to`."
        )
    if not isinstance(kinds, list) or not kinds:
        return {}
    return applying([{"field": "type", "operator": "in", "value": [str(one).lower() for one in kinds]}], "scorecard")


def _told(one: Document, item: Item, draft: Draft) -> dict[str, Any]:
    """Return what a check says beside its query, and note what is not carried over."""
    words: dict[str, Any] = {}
    days = one.get("estimated_dev_days")
    if isinstance(days, int | float):
        words["effort"] = next((word for most, word in EFFORTS if days <= most), "weeks")
    if LINK.fullmatch(str(one.get("external_url") or "")):
        words["guide"] = str(one["external_url"])
    if one.get("filter_sql"):
        told = f" (“{plain(str(one['filter_message']))}”)" if one.get("filter_message") else ""
        draft.notes.append(f"The filter of {item.name}{told} is a query in SQL: say it in `applies_to`.")
    if one.get("published") is False:
        draft.notes.append(f"The check {item.name} is not published there.")
    return words


def _check(item: Item, one: Document, draft: Draft, options: Options, words: Document) -> Said:
    query = " ".join(COMMENT.sub(" ", str(one["sql"])).split())
    tables = _tables(query)
    found = THERE.fullmatch(query)
    if found and set(tables) == OWNERS and not found["rest"].strip():
        tree = leaf("entity.relations.ownedBy", "exists", True)
        return ruled(item, tree, draft, options, "Its query asks whether the entity has an owner.", words)
    named = PROPERTY.fullmatch(found["rest"]) if found else None
    if named and set(tables) == PROPERTIES:
        key = f"dx.property.{slug(named['name']) or 'value'}"
        draft.declare(
            key, "string", "", f"The property {plain(named['name'])} of the entity in DX; empty where it has none"
        )
        why = f"Its query asks whether the property {plain(named['name'])} is set, which is supplied as the fact {key}."
        return ruled(item, leaf(key, "isEmpty", False), draft, options, why, words)
    why = f"Its query in SQL computes its status of {_listed(tables)}."
    if re.search(r"'warn'", query, re.IGNORECASE):
        why += " It may warn; a check here passes or fails."
    return pushed(item, f"dx.{slug(item.name) or 'check'}", draft, options, why, words)


def _tables(query: str) -> list[str]:
    """Return the tables that a query reads, without those that it makes itself."""
    made = {name.lower() for name in NAMED.findall(query)}
    return [name for name in dict.fromkeys(one.lower() for one in TABLE.findall(query)) if name not in made]


def _listed(tables: Sequence[str]) -> str:
    return "DX' tables " + ", ".join(tables[:6]) if tables else "nothing that it reads"
