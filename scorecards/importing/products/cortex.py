"""Reads scorecards of Cortex: CQL expressions, a ladder of levels, weights, a filter. Pure."""

from collections.abc import Mapping
from typing import Any

from scorecards.importing.cql import translate
from scorecards.importing.cql_conditions import Untranslatable
from scorecards.importing.drafts import Draft, Item, Said, plain, short, slug
from scorecards.importing.making import Options, ruled
from scorecards.importing.products.filters import applying, by_cortex
from scorecards.importing.products.shared import MAX_LEVEL, Document, is_list_of, pushed, rank, scaled
from scorecards.importing.repository_files import renamed


def is_cortex(content: Any) -> bool:
    """Say whether a document holds scorecards of Cortex."""
    return bool(_cards(content))


def _cards(content: Any) -> list[Document]:
    """Return the scorecards of a file, or of an answer of its API."""
    if isinstance(content, Mapping):
        content = content.get("scorecards") or content.get("scorecard") or content
    found = content if isinstance(content, list) else [content]
    return [one for one in found if isinstance(one, Mapping) and is_list_of(one.get("rules"), "expression")]


def cortex(content: Any, draft: Draft, options: Options) -> None:
    """Read scorecards of Cortex: CQL expressions, a ladder of levels, weights, a filter."""
    for card in _cards(content):
        _read(card, draft, options)


def _read(content: Document, draft: Draft, options: Options) -> None:
    ladder = content.get("ladder") or {}
    levels = [level.get("name") for level in sorted(ladder.get("levels") or [], key=lambda one: one.get("rank", 0))]
    weights = [rule.get("weight") for rule in content["rules"]]
    of_all = by_cortex(content.get("filter"), draft.notes, "the scorecard")
    for rule in content["rules"]:
        title = str(rule.get("title") or rule.get("identifier") or rule["expression"])
        level = rank(levels, rule.get("level"))
        item = Item(str(rule.get("description") or title), None, (str(content.get("name", "")),), title, "", level)
        words: dict[str, Any] = {"title": short(plain(title)), "weight": scaled(weights, rule.get("weight"))}
        words |= applying(
            [*of_all, *by_cortex(rule.get("filter"), draft.notes, f"the rule “{short(title, 60)}”")], "rule"
        )
        words |= {"enforce_from": str(rule["effectiveFrom"])[:10]} if rule.get("effectiveFrom") else {}
        if rule.get("failureMessage"):
            words |= {"how_to_fix": [plain(str(rule["failureMessage"]))]}
        draft.said.append(_cortex_rule(item, str(rule["expression"]), draft, options, words))
    if content.get("draft") or content.get("isDraft"):
        draft.notes.append(f"The scorecard {plain(str(content.get('name') or content.get('tag')))} is a draft there.")
    if levels[MAX_LEVEL:]:
        draft.notes.append(f"Its ladder has {len(levels)} levels; those above the fourth stand at L4.")


def _cortex_rule(item: Item, expression: str, draft: Draft, options: Options, words: Document) -> Said:
    try:
        translated = translate(expression)
    except Untranslatable as reason:
        key = f"cortex.{slug(item.name)}"
        return pushed(item, key, draft, options, f"Its expression says more than a rule of ours: {reason}.", words)
    tree = translated.tree
    for key, entry in translated.files.items():
        tree = renamed(tree, key, draft.read_file(entry))
    for key, kind in translated.facts.items():
        if key not in options.known and key not in translated.files:
            draft.declare(key, kind, "", f"What Cortex reads for: {short(plain(item.name), 150)}")
    return ruled(item, tree, draft, options, f"Translated from `{plain(expression)}`.", words)
