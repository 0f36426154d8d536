"""Reads scorecards of Atlassian Compass: criteria over owners, links, fields, metrics and custom fields. Pure.

As its GraphQL API takes and gives them (`CreateCompassScorecardInput`, `CompassScorecard`), and as its users keep them
in YAML, under `spec.criteria`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from scorecards.importing.cql_words import leaf
from scorecards.importing.drafts import Draft, Item, Said, key_part, plain, short, slug, snake
from scorecards.importing.making import Options, ruled
from scorecards.importing.products.filters import applying, together
from scorecards.importing.products.shared import MAX_DEPTH, Document, NotSaid, condition, number, pushed, scaled

LISTS = ("criteria", "criterias")
AROUND = (
    *("spec", "input", "variables", "data", "compass", "scorecard", "scorecards", "createScorecard", "updateScorecard"),
    *("scorecardDetails", "nodes", "edges", "node"),
)
"""What stands around a scorecard: in a file, in a request and in an answer of the API."""
TYPENAME = re.compile(r"Compass(Has\w+?|Dynamic)ScorecardCriteria")
CRITERION = re.compile(r"has[A-Z]\w*|dynamic")
THERE = {
    "hasOwner": leaf("entity.spec.owner", "exists", True),
    "hasDescription": leaf("entity.metadata.description", "exists", True),
}
SOURCE = leaf("entity.metadata.annotations.backstage.io/source-location", "exists", True)
FIELDS = {"lifecycle": leaf("entity.spec.lifecycle", "exists", True)}
COMPARED = {
    "EQUALS": "==",
    "NOT_EQUALS": "!=",
    "GREATER_THAN": ">",
    "GREATER_THAN_OR_EQUAL_TO": ">=",
    "LESS_THAN": "<",
    "LESS_THAN_OR_EQUAL_TO": "<=",
    "IN": "in",
    "NOT_IN": "notIn",
}
IS_SET = "IS_SET"
BY_TEXT = {IS_SET: "isNotEmpty", "EQUALS": "==", "REGEX": "regex", "MATCHES_REGEX": "regex"}
FILTERED = ("componentTypeIds", "componentTierValues", "componentLabelNames")
TIERS = {"1": "T0", "2": "T1", "3": "T2", "4": "T3"}
"""Tiers there are counted from 1, the most critical."""
FILTERS = ("component", "repository", "applicationModel")


def is_compass(content: Any) -> bool:
    """Say whether a document holds a scorecard of Compass."""
    return bool(_cards(content))


def _cards(content: Any, depth: int = 0) -> list[Document]:
    """Return the scorecards of a document: itself, or those within what stands around them."""
    if depth > MAX_DEPTH:
        return []
    if isinstance(content, list):
        return [card for one in content for card in _cards(one, depth + 1)]
    if not isinstance(content, Mapping):
        return []
    if _criteria(content):
        return [content]
    return [card for word in AROUND for card in _cards(content.get(word), depth + 1)]


def _criteria(card: Document) -> list[tuple[str, Document]]:
    """Return the criteria by what they ask for, "" where that is not known; none where the document is another's."""
    listed: list[Any] = next((card[word] for word in LISTS if isinstance(card.get(word), list)), [])
    found = [_criterion(one) if isinstance(one, Mapping) else None for one in listed]
    if not any(found):
        return []
    unknown = [one if isinstance(one, Mapping) else {"name": str(one)} for one in listed]
    return [told or ("", other) for told, other in zip(found, unknown, strict=True)]


def _criterion(given: Document) -> tuple[str, Document] | None:
    typename = TYPENAME.fullmatch(str(given.get("__typename")))
    if typename:
        word = typename[1][:1].lower() + typename[1][1:]
        return re.sub(r"^(hasCustom\w+)Field$", r"\1Value", word), given
    words = [str(key) for key in given if CRITERION.fullmatch(str(key))]
    if len(words) != 1:
        return None
    inner = given[words[0]]
    beside = {key: value for key, value in given.items() if key != words[0]}
    return words[0], {**beside, **inner} if isinstance(inner, Mapping) else beside


def compass(content: Any, draft: Draft, options: Options) -> None:
    """Read scorecards: what a criterion compares is said, what it computes or looks up is supplied as a fact."""
    for card in _cards(content):
        _read(card, draft, options)


def _read(card: Document, draft: Draft, options: Options) -> None:
    name = str(card.get("name") or "the scorecard")
    criteria = _criteria(card)
    weights: list[Any] = [_plain_number(one.get("weight")) for _, one in criteria]
    words = applying(_filtered(card, name, draft), "scorecard")
    _note(card, name, draft)
    optional = str(card.get("importance") or "REQUIRED") != "REQUIRED"
    for kind, one in criteria:
        title = plain(str(one.get("name") or "")) or _title(kind, one)
        level = _level(one, title, draft)
        text = str(one.get("description") or "") or _spoken(title, one)
        item = Item(text, None, (name,), title, level=level, optional=optional)
        weight = scaled(weights, _plain_number(one.get("weight")))
        draft.said.append(_said(item, kind, one, draft, options, {"title": short(title), "weight": weight, **words}))


def _said(item: Item, kind: str, one: Document, draft: Draft, options: Options, words: Document) -> Said:
    try:
        return ruled(item, _scored(_tree(kind, one, draft), one, item, draft), draft, options, _AS_IT_IS, words)
    except NotSaid as reason:
        return pushed(item, f"compass.{slug(item.name) or 'criterion'}", draft, options, f"{reason}.", words)


_AS_IT_IS = "Its criterion is said as it stands."


def _tree(kind: str, one: Document, draft: Draft) -> dict[str, Any]:
    if kind in THERE:
        return THERE[kind]
    if kind not in _READERS:
        raise NotSaid(f"It asks for {kind}" if kind else "What it asks for is not known here")
    return _READERS[kind](one, draft)


def _field(one: Document, draft: Draft) -> dict[str, Any]:
    field = _named(one, "field")
    return FIELDS.get(field) or condition(f"compass.{field}", "isNotEmpty", None, f"the field {field}", draft)


def _metric(one: Document, draft: Draft) -> dict[str, Any]:
    if one.get("graduatedSeriesComparators"):
        raise NotSaid("It scores its metric in steps")
    return _compared(one, "metric", "comparator", draft)


def _package(one: Document, _draft: Draft) -> dict[str, Any]:
    package = plain(str(one.get("packageName") or "a package"))
    raise NotSaid(f"It asks for a version of {package} ({one.get('packageManager') or 'any manager'})")


def _dynamic(_one: Document, _draft: Draft) -> dict[str, Any]:
    raise NotSaid("It decides by expressions, one after the other")


def _link(one: Document, draft: Draft) -> dict[str, Any]:
    kind = str(one.get("linkType") or "OTHER_LINK")
    if kind == "REPOSITORY" and not one.get("textComparator"):
        return SOURCE
    return _text(f"compass.link.{slug(kind) or 'other'}", one, draft)


def _text(key: str, one: Document, draft: Draft) -> dict[str, Any]:
    comparator = str(one.get("textComparator") or IS_SET)
    if comparator not in BY_TEXT:
        raise NotSaid(f"Its comparator {comparator} has none of ours beside it")
    value = one.get("textComparatorValue")
    if comparator != IS_SET and not isinstance(value, str):
        raise NotSaid(f"Its comparator {comparator} has no text beside it")
    return condition(key, BY_TEXT[comparator], value, key.replace(".", " "), draft)


def _compared(one: Document, of: str, word: str, draft: Draft) -> dict[str, Any]:
    """Compare a metric or a custom field with what stands beside it."""
    name, value = _named(one, of), one.get(f"{word}Value")
    comparator = str(one.get(word) or "")
    if comparator not in COMPARED:
        raise NotSaid(f"Its comparator {comparator or 'that is missing'} has none of ours beside it")
    if of == "metric" or word == "numberComparator":
        value = number(value)
    elif value in (None, []):
        raise NotSaid("It compares with nothing")
    return condition(f"compass.{name}", COMPARED[comparator], value, f"{_SPOKEN[of]} {name}", draft)


def _collected(one: Document, draft: Draft) -> dict[str, Any]:
    """Compare a field of several values with some."""
    name, values = _named(one, "customField"), one.get("collectionComparatorValue")
    if not isinstance(values, list) or not values:
        raise NotSaid("It compares with nothing")
    key, what = f"compass.{name}", f"the custom field {name}"
    comparator = str(one.get("collectionComparator") or "")
    if comparator == "ALL_OF":
        return together("all", [condition(key, "contains", str(value), what, draft) for value in values])
    if comparator not in {"ANY_OF", "NONE_OF"}:
        raise NotSaid(f"Its comparator {comparator or 'that is missing'} has none of ours beside it")
    found = condition(key, "hasAny", [str(value) for value in values], what, draft)
    return found if comparator == "ANY_OF" else {"not": found}


_READERS: Mapping[str, Callable[[Document, Draft], dict[str, Any]]] = {
    "hasLink": _link,
    "hasField": _field,
    "hasMetricValue": _metric,
    "hasCustomBooleanValue": lambda one, draft: _compared(one, "customField", "booleanComparator", draft),
    "hasCustomNumberValue": lambda one, draft: _compared(one, "customField", "numberComparator", draft),
    "hasCustomSingleSelectValue": lambda one, draft: _compared(one, "customField", "membershipComparator", draft),
    "hasCustomMultiSelectValue": _collected,
    "hasCustomTextValue": lambda one, draft: _text(f"compass.{_named(one, 'customField')}", one, draft),
    "hasPackageDependency": _package,
    "dynamic": _dynamic,
}
_SPOKEN = {"metric": "the metric", "customField": "the custom field", "field": "the field"}


def _named(one: Document, of: str) -> str:
    """Name a metric or a field as a part of a key: by its name, or by the end of its identifier."""
    definition = one.get(f"{of}Definition")
    inner = definition if isinstance(definition, Mapping) else {}
    told = one.get(f"{of}Name") or inner.get("name") or one.get("name") if of != "field" else inner.get("name")
    identifier = str(one.get(f"{of}DefinitionId") or inner.get("id") or "")
    found = snake(str(told or re.split(r"[/:]", identifier)[-1] or of))
    return key_part(found)


def _scored(tree: dict[str, Any], one: Document, item: Item, draft: Draft) -> dict[str, Any]:
    """Turn a criterion round where meeting it fails; raises NotSaid for one that is left out of the score."""
    rules = one.get("scoringStrategyRules")
    if not isinstance(rules, Mapping):
        return tree
    on_true, on_false = str(rules.get("onTrue") or "PASS").upper(), str(rules.get("onFalse") or "FAIL").upper()
    if "PASS" in str(rules.get("onError") or "").upper():
        draft.notes.append(f"The criterion {item.name} passes there without data; here it is unknown then.")
    if "PASS" in on_true and "FAIL" in on_false:
        return tree
    if "FAIL" in on_true and "PASS" in on_false:
        return {"not": tree}
    raise NotSaid(f"It scores by rules of its own (met: {on_true.lower()}, not met: {on_false.lower()})")


def _level(one: Document, title: str, draft: Draft) -> int | None:
    """Return the level of a criterion in a model of maturity, where its name tells it; else the reader is told."""
    group = one.get("maturityGroup")
    if not isinstance(group, Mapping):
        return None
    inner = group.get("maturityLevel")
    told = next((str(part.get("name")) for part in (inner, group) if isinstance(part, Mapping) and "name" in part), "")
    found = re.search(r"[1-4]", told)
    if not found:
        draft.notes.append(f"The level of the criterion {title} stands elsewhere: give it one.")
    return int(found[0]) if found else None


def _filtered(card: Document, name: str, draft: Draft) -> list[Document]:
    """Return what the scorecard asks of a component; what of it has no such form is noted."""
    parts: list[Document] = []
    types = _texts(card.get("componentTypeIds"))
    if types:
        kinds = [_has("type", one.rsplit("/", 1)[-1].lower().replace("_", "-")) for one in types]
        parts.append(together("any", kinds))
    tiers = _texts(card.get("componentTierValues"))
    known = [{"field": "criticality", "operator": "equal", "value": TIERS[one]} for one in tiers if one in TIERS]
    if known and len(known) == len(tiers):
        parts.append(together("any", known))
    labels = _texts(card.get("componentLabelNames"))
    if labels:
        parts.append(together("any", [_has("tags", one) for one in labels]))
    lost = [str(key) for key in card if str(key).startswith(FILTERS) and card[key] and key not in FILTERED]
    for key in [*lost, *(["componentTierValues"] if len(known) < len(tiers) else [])]:
        draft.notes.append(f"The scorecard {plain(name)} says `{key}` too: add it to `applies_to`.")
    return parts


def _has(field: str, value: str) -> Document:
    return {"field": field, "operator": "hasValue", "value": value}


def _texts(value: Any) -> list[str]:
    return [str(one) for one in value if one] if isinstance(value, list) else []


def _note(card: Document, name: str, draft: Draft) -> None:
    if str(card.get("state") or "PUBLISHED").upper() != "PUBLISHED":
        draft.notes.append(f"The scorecard {plain(name)} is not published there.")
    status = card.get("statusConfig")
    passing = status.get("passing") if isinstance(status, Mapping) else None
    bound = passing.get("lowerBound") if isinstance(passing, Mapping) else None
    if bound is not None:
        draft.notes.append(f"{plain(name)} passes there from {bound} % on: `levels_by_points` says such a share here.")


def _title(kind: str, one: Document) -> str:
    """Name a criterion that has no name, as Compass does: Has repository."""
    about = str(one.get("linkType") or one.get("metricName") or one.get("packageName") or "").replace("_", " ").lower()
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind).lower()
    return plain(f"{words.replace('link', '').strip()} {about}" if about else words).strip().capitalize()


def _spoken(title: str, one: Document) -> str:
    """Say what a criterion asks for that nobody has described: its name, and the number that it is compared with."""
    for word in ("comparator", "numberComparator"):
        if one.get(word) and one.get(f"{word}Value") is not None:
            return f"{title} {str(one[word]).lower().replace('_', ' ')} {one[f'{word}Value']}"
    return title


def _plain_number(value: Any) -> float | None:
    """Weights stand as numbers or as their texts."""
    try:
        return number(value)
    except NotSaid:
        return None
