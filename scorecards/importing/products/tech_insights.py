"""Takes checks of Tech Insights as they are: our files have a section for them. Pure."""

from collections.abc import Mapping
from typing import Any

from scorecards.importing.drafts import Draft, Item, Outcome, Said
from scorecards.importing.making import Options


def is_tech_insights(content: Any) -> bool:
    """Say whether a document holds checks of Tech Insights' json-rules fact checker."""
    if isinstance(content, Mapping):
        return "techInsights" in content or "factChecker" in content or any(map(_is_json_rule, content.values()))
    return isinstance(content, list) and bool(content) and all(map(_is_json_rule, content))


def _is_json_rule(check: Any) -> bool:
    return isinstance(check, Mapping) and isinstance(check.get("rule"), Mapping) and "conditions" in check["rule"]


def tech_insights(content: Any, draft: Draft, _options: Options) -> None:
    """Take checks of Tech Insights as they are: our files have a section for them."""
    content = _plain(content)
    draft.sections.setdefault("tech_insights", []).append({"checks": content})
    checks = content
    for word in ("techInsights", "factChecker", "checks"):
        if isinstance(checks, Mapping) and word in checks:
            checks = checks[word]
    named = checks.items() if isinstance(checks, Mapping) else ((one.get("id"), one) for one in checks)
    for name, check in named:
        text = str(check.get("name") or name) if isinstance(check, Mapping) else str(name)
        draft.said.append(Said(Item(text), Outcome.AUTOMATIC, "It is taken as it stands.", str(name)))


def _plain(content: Any) -> Any:
    """Return a check that is written as an entity, with `metadata` and `spec`, as one of the configuration."""
    about, spec = (content.get("metadata"), content.get("spec")) if isinstance(content, Mapping) else (None, None)
    if not isinstance(about, Mapping) or not _is_json_rule(spec):
        return content
    name = str(about.get("name") or "check")
    return {name: {"name": about.get("title") or name, **dict(spec or {})}}
