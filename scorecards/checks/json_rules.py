"""Loads the checks of Tech Insights' json-rules fact checker, as its configuration has them, as checks of ours. Pure.

What Tech Insights does not know (axis, level, weight, owner) gets defaults that do the least: a minor check of L4. A
fact that nothing declares is declared by its use, so that the check loads and is unknown until something supplies it.
"""

import re
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from datetime import timedelta
from typing import Any

from plugins.contract import FactSpec, FactType
from portal_backend.core.faults import Fault

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
SHAPES: Mapping[str, tuple[type, str]] = {
    "name": (str, "must be a text"),
    "description": (str, "must be a text"),
    "factIds": (list, "must be a list of the ids of fact retrievers"),
    "metadata": (Mapping, "must be an object"),
    "successMetadata": (Mapping, "must be an object"),
    "failureMetadata": (Mapping, "must be an object"),
    "links": (list, "must be a list of {title, url}"),
}
NODES = ("all", "any", "not", "condition", "fact")
"""What a condition can be; json-rules-engine looks at one of them and leaves the rest out of account."""
NEGATION = "not:"
OF_MEMBERS = ("everyFact:", "someFact:")
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
        self.faults += [
            (key, words)
            for key, (kind, words) in SHAPES.items()
            if raw.get(key) is not None and not isinstance(raw[key], kind)
        ]
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
        found = [f"`{word}`" for word in NODES if word in node]
        if len(found) > 1:
            told = f"holds {' and '.join(found)} side by side, and only one of them would be asked"
            self._fault(path, f"{told}; write them as members of one `all` or `any`")
            return None
        for group in ("all", "any"):
            if group in node:
                return {group: self._members(node[group], f"{path}.{group}", depth)}
        if "not" in node:
            return {"not": self._node(node["not"], f"{path}.not", depth + 1)}
        if "condition" in node:
            self._fault(path, "a named condition stands elsewhere; write it out here")
            return None
        return self._leaf(node, path)

    def _members(self, members: Any, path: str, depth: int) -> list[Any] | None:
        if not isinstance(members, list | tuple):
            self._fault(path, "must be a list of conditions")
            return None
        return [self._node(member, f"{path}[{index}]", depth + 1) for index, member in enumerate(members)]

    def _leaf(self, node: Mapping[str, Any], path: str) -> Any:
        key = self._key(node, path)
        operator, value = node.get("operator"), node.get("value")
        if key is None:
            return None
        if not isinstance(operator, str):
            self._fault(f"{path}.operator", "is missing" if operator is None else "must be the name of an operator")
            return None
        if operator.startswith(NEGATION):
            return {"not": self._leaf({**node, "operator": operator.removeprefix(NEGATION)}, path)}
        if isinstance(value, Mapping):
            other = self._key(value, f"{path}.value")
            self._declare(key, operator, 0)
            self._declare(other or key, operator, 0)
            return {"fact": key, "operator": operator, "value": {"fact": other}}
        self._declare(key, operator, value)
        return {"fact": key, "operator": operator, "value": value}

    def _key(self, node: Mapping[str, Any], path: str) -> str | None:
        """Return the key of ours for a fact, with a JSONPath into it as further parts of the key.

        Of a fact that `params` ask of one retriever by name, that name is the first part: another retriever may call
        something else the same.
        """
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
        params = node.get("params")
        retriever = params.get("factRetrieverId") if isinstance(params, Mapping) else None
        own = f"{retriever}.{whole}" if isinstance(retriever, str) and retriever else whole
        key = self.facts.get(own) or self.facts.get(whole) or own
        self.used[key] = None
        return key

    def _declare(self, key: str, operator: str, value: Any) -> None:
        if key in self.specs:
            return
        sample = value[0] if isinstance(value, list) and value else value
        of_members = FactType.SET if operator.startswith(OF_MEMBERS) else None
        kind = of_members or OPERATOR_TYPES.get(operator) or _kind_of(sample)
        self.specs[key] = FactSpec(key, kind, "", f"What the Tech Insights check {self.check_id} asks for", MAX_AGE)

    def _filter(self, given: Any) -> dict[str, Any] | None:
        """Translate `filter`: all keys of one object, any of the objects."""
        if given is None or given in ([], {}):
            return None
        options = given if isinstance(given, list) else [given]
        if not all(isinstance(option, Mapping) for option in options):
            self._fault("filter", "must be an object, or a list of objects")
            return None
        if not all(options):
            return None  # an object without keys fits every entity
        wanted = [{"all": [_matches(path, value) for path, value in option.items()]} for option in options]
        words = " or ".join(", ".join(f"{path}={_text(value)}" for path, value in option.items()) for option in options)
        return {"when": {"any": wanted}, "otherwise": f"Its filter asks for {words}."}


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
    links = links_of(raw)
    steps = [f"{link.get('title') or 'Read'}: {link['url']}" for link in links]
    return steps or [f"Bring it to hold: {about}"]


def _guide(raw: Mapping[str, Any]) -> str:
    links = links_of(raw)
    return str(links[0]["url"]) if links else GUIDE


def links_of(raw: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the links of a Tech Insights check that lead somewhere: each has a `url`, most a `title`."""
    links = raw.get("links")
    return [one for one in links if isinstance(one, Mapping) and one.get("url")] if isinstance(links, list) else []
