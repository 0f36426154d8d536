"""Reads rules of Datadog's scorecards: names, levels, scopes. Datadog keeps their outcomes, not what they ask. Pure."""

from collections.abc import Mapping
from typing import Any

from scorecards.importing.drafts import Draft, Item, plain, slug
from scorecards.importing.making import Options
from scorecards.importing.products.shared import MAX_LEVEL, Document, pushed

WHY = "Datadog keeps the outcome of a rule and not what it asks."


def is_datadog(content: Any) -> bool:
    """Say whether a document holds rules of Datadog's scorecards: a list, or an answer of its API."""
    return bool(_rules(content))


def _rules(content: Any) -> list[Document]:
    if isinstance(content, Mapping):
        data = content.get("data")
        content = data if isinstance(data, list) else [data or content]
    listed = content if isinstance(content, list) else []
    found = [one.get("attributes", one) for one in listed if isinstance(one, Mapping)]
    return [one for one in found if isinstance(one, Mapping) and one.get("name") and one.get("scorecard_name")]


def datadog(content: Any, draft: Draft, options: Options) -> None:
    """Read rules: each passes when Datadog's outcome, which is pushed as a fact, says so."""
    for rule in _rules(content):
        name = plain(str(rule["name"]))
        given = str(rule.get("level"))
        level = min(int(given), MAX_LEVEL) if given.isdecimal() and int(given) > 0 else None
        text = str(rule.get("description") or name)
        item = Item(text, None, (str(rule["scorecard_name"]),), name, level=level)
        draft.said.append(pushed(item, f"datadog.{slug(name) or 'rule'}", draft, options, WHY))
        if rule.get("enabled") is False:
            draft.notes.append(f"The rule {name} is switched off there.")
        if rule.get("scope_query"):
            asked = f"The rule {name} is asked of what `{plain(str(rule['scope_query']))}` finds"
            draft.notes.append(f"{asked}: add it to `applies_to`.")
