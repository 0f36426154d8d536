"""Loads the checks of Tech Insights' json-rules fact checker, as its configuration has them, as checks of ours. Pure.

What Tech Insights does not know (axis, level, weight, owner) gets defaults that do the least: a minor check of L4. A
fact that nothing declares is declared by its use, so that the check loads and is unknown until something supplies it.
"""

import re
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from datetime import timedelta
from typing import Any

from plugins.contract import FactSpec, FactType
from portal_backend.core.errors import Fault

GUIDE = "docs/checks.md#tech-insights"
PLACE: Mapping[str, Any] = {
    "axis": "architecture",
    "level": 4,
    "weight": 1,
    "criticality": "minor",
    "version": 1,
    "owner": "sre",
    "effort": "days",
    "sources": ["Tech Insights configuration"],
}
"""What a check gets that its configuration cannot say; `place` replaces any of it."""
MAX_AGE = timedelta(hours=72)
PATH_STEP = re.compile(r"\.([A-Za-z_][\w-]*)|\[['\"]([\w-]+)['\"]\]")
KNOWN = frozenset(
    {
        *("id", "type", "name", "description", "factIds", "rule", "filter"),
        *("metadata", "successMetadata", "failureMetadata", "links"),
    }
)
OPERATOR_TYPES: Mapping[str, FactType] = {
    **dict.fromkeys(("contains", "doesNotContain"), FactType.SET),
    **dict.fromkeys(
        ("lessThan", "lessThanInclusive", "greaterThan", "greaterThanInclusive"),
        FactType.NUMBER,
    ),
}
MAX_DEPTH = 16


def checks_from_json_rules(
    configured: Any,
    specs: MutableMapping[str, FactSpec],
    facts: Mapping[str, str] | None = None,
    place: Mapping[str, Any] | None = None,
) -> tuple[list[dict[str, Any]], list[Fault]]:
    """Return the definitions that Tech Insights' checks make, and what could not be said, by check.

    `configured` is the list of checks, the mapping of them by id, or the configuration around it (`techInsights:
    factChecker: checks:`). `facts` gives the keys of ours for their fact names; a name that stays undeclared is added
    to `specs`, typed by how it is used. `place` gives axis, level and the like.
    """
    faults: list[Fault] = []
    translated = []
    for check_id, raw in _listed(configured, faults):
        translation = _Translation(check_id, specs, facts or {})
        definition = translation.definition(raw, {**PLACE, **(place or {})})
        faults += [Fault(f"{check_id}: {path}", message) for path, message in translation.faults]
        if definition and not translation.faults:
            translated.append(definition)
    return translated, faults


def _listed(configured: Any, faults: list[Fault]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for word in ("techInsights", "factChecker", "checks"):
        if isinstance(configured, Mapping) and word in configured:
            configured = configured[word]
    if isinstance(configured, Mapping):
        configured = [
            {"id": key, **value} if isinstance(value, Mapping) else value for key, value in configured.items()
        ]
    if not isinstance(configured, Sequence) or isinstance(configured, str):
        faults.append(Fault("checks", "must be a list of checks, or a mapping of them by id"))
        return
    for index, raw in enumerate(configured):
        if isinstance(raw, Mapping) and isinstance(raw.get("id"), str):
            yield raw["id"], raw
        else:
            faults.append(Fault(f"checks[{index}]", "must be a check with an `id`"))


class _Translation:
    """One check under way."""

    def __init__(self, check_id: str, specs: MutableMapping[str, FactSpec], facts: Mapping[str, str]) -> None:
        self.check_id = check_id
        self.specs = specs
        self.facts = facts
        self.used: dict[str, None] = {}
        self.faults: list[tuple[str, str]] = []

    def definition(self, raw: Mapping[str, Any], place: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the definition of ours, the original beside it under `tech_insights`."""
        self.faults += [(str(key), "is no field of a Tech Insights check") for key in raw.keys() - KNOWN]
        kind = raw.get("type", "json-rules-engine")
        if kind != "json-rules-engine":
            self.faults.append(("type", f"{kind!r} is another fact checker's; json-rules-engine is understood"))
        rule = raw.get("rule")
        conditions = rule.get("conditions") if isinstance(rule, Mapping) else None
        tree = self._node(conditions, "rule.conditions", 1)
        name = str(raw.get("name") or self.check_id)
        about = str(raw.get("description") or name)
        seen = ", ".join(f"{key} is {{{key}}}" for key in self.used)
        definition = {
            **place,
            "id": self.check_id,
            "title": name[:120],
            "question": about,
            "why": about,
            "how_to_fix": _steps(raw, about),
            "guide": _guide(raw),
            "rule": tree,
            "passes": f"The condition holds: {seen}.",
            "fails": f"The condition does not hold: {seen}.",
            "tech_insights": {key: raw[key] for key in raw if key != "id"},
        }
        applies_to = self._filter(raw.get("filter"))
        return {**definition, "applies_to": applies_to} if applies_to else definition

    def _fault(self, path: str, message: str) -> None:
        self.faults.append((path, message))

    def _node(self, node: Any, path: str, depth: int) -> Any:
        if not isinstance(node, Mapping) or depth > MAX_DEPTH:
            self._fault(path, "must be a condition: {fact, operator, value}, all, any or not")
            return None
        for group in ("all", "any"):
            members = node.get(group)
            if isinstance(members, Sequence) and not isinstance(members, str):
                return {
                    group: [
                        self._node(member, f"{path}.{group}[{index}]", depth + 1)
                        for index, member in enumerate(members)
                    ]
                }
        if "not" in node:
            return {"not": self._node(node["not"], f"{path}.not", depth + 1)}
        if "condition" in node:
            self._fault(path, "a named condition stands elsewhere; write it out here")
            return None
        return self._leaf(node, path)

    def _leaf(self, node: Mapping[str, Any], path: str) -> Any:
        key = self._key(node, path)
        operator, value = node.get("operator"), node.get("value")
        if key is None:
            return None
        if not isinstance(operator, str):
            self._fault(f"{path}.operator", "is missing")
            return None
        if isinstance(value, Mapping):
            other = self._key(value, f"{path}.value")
            self._declare(key, operator, 0)
            self._declare(other or key, operator, 0)
            return {"fact": key, "operator": operator, "value": {"fact": other}}
        self._declare(key, operator, value)
        return {"fact": key, "operator": operator, "value": value}

    def _key(self, node: Mapping[str, Any], path: str) -> str | None:
        """Return the key of ours for a fact, with a JSONPath into it as further parts of the key."""
        name = node.get("fact")
        if not isinstance(name, str) or not name:
            self._fault(f"{path}.fact", "is missing")
            return None
        steps = str(node.get("path") or "$").removeprefix("$")
        parts = [first or second for first, second in PATH_STEP.findall(steps)]
        if PATH_STEP.sub("", steps):
            self._fault(
                f"{path}.path", f"{node['path']!r} is more than names joined by dots; supply its value as a fact"
            )
            return None
        whole = ".".join([name, *parts])
        key = self.facts.get(whole, whole)
        self.used[key] = None
        return key

    def _declare(self, key: str, operator: str, value: Any) -> None:
        if key in self.specs:
            return
        sample = value[0] if isinstance(value, list) and value else value
        kind = OPERATOR_TYPES.get(operator) or _kind_of(sample)
        self.specs[key] = FactSpec(key, kind, "", f"What the Tech Insights check {self.check_id} asks for", MAX_AGE)

    def _filter(self, given: Any) -> dict[str, Any] | None:
        """Translate `filter`: all keys of one object, any of the objects."""
        if given is None or given in ([], {}):
            return None
        options = given if isinstance(given, list) else [given]
        if not all(isinstance(option, Mapping) for option in options):
            self._fault("filter", "must be an object, or a list of objects")
            return None
        wanted = [{"all": [_matches(path, value) for path, value in option.items()]} for option in options if option]
        words = " or ".join(", ".join(f"{path}={_text(value)}" for path, value in option.items()) for option in options)
        return {"when": {"any": wanted}, "otherwise": f"Its filter asks for {words}."} if wanted else None


def _matches(path: str, value: Any) -> dict[str, Any]:
    values = value if isinstance(value, list) else [value]
    return {"any": [{"field": path, "operator": "hasValue", "value": _text(one)} for one in values]}


def _text(value: Any) -> str:
    if isinstance(value, list):
        return " or ".join(_text(one) for one in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _kind_of(value: Any) -> FactType:
    if isinstance(value, bool):
        return FactType.BOOLEAN
    return FactType.NUMBER if isinstance(value, int | float) else FactType.STRING


def _steps(raw: Mapping[str, Any], about: str) -> list[str]:
    links = [link for link in raw.get("links") or () if isinstance(link, Mapping) and "url" in link]
    steps = [f"{link.get('title') or 'Read'}: {link['url']}" for link in links]
    return steps or [f"Bring it to hold: {about}"]


def _guide(raw: Mapping[str, Any]) -> str:
    links = [link["url"] for link in raw.get("links") or () if isinstance(link, Mapping) and link.get("url")]
    return str(links[0]) if links else GUIDE
