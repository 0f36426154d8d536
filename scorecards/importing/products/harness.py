"""Reads checks and scorecards of Harness IDP: data points of its data sources, compared. Pure.

Its data points are named in its own service (`DataPoints` of its IDP); those that a fact of ours, the catalog's entity
or a file of the repository tells are asked there, any other is supplied as a fact.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scorecards.importing.cql_words import leaf
from scorecards.importing.drafts import Draft, Item, Said, key_part, plain, short, slug, snake
from scorecards.importing.making import Options, ruled
from scorecards.importing.products.filters import applying, together
from scorecards.importing.products.shared import Document, NotSaid, condition, is_list_of, pushed, scaled
from scorecards.importing.repository_files import NotRead, entry

ANNOTATIONS = "entity.metadata.annotations."
CODE_HOSTS = frozenset({"github", "gitlab", "bitbucket", "azure_repos", "harness_code"})
THERE: Mapping[str, dict[str, Any]] = {
    "spec_owner": leaf("entity.spec.owner", "exists", True),
    "tech_docs_annotation": leaf(f"{ANNOTATIONS}backstage.io/techdocs-ref", "exists", True),
    "pagerduty_annotation": {
        "any": [
            leaf(f"{ANNOTATIONS}pagerduty.com/service-id", "exists", True),
            leaf(f"{ANNOTATIONS}pagerduty.com/integration-key", "exists", True),
        ]
    },
    "is_branch_protected": leaf("repo.branch.protected", "equal", True),
    "is_on_call_set": leaf("oncall.schedule.id", "isEmpty", False),
    "is_escalation_policy_set": leaf("oncall.escalation.levels", "greaterThanInclusive", 1),
}
"""Data points that answer yes or no; the names of some end in `Exists`."""
NUMBERS = {"no_of_incidents_in_last_thirty_days": "incidents.count_30d", "replicas": "runtime.replicas"}
OF_OURS = {
    "repo.branch.protected": ("boolean", "The branch that is released from is protected"),
    "oncall.schedule.id": ("string", "Its on-call schedule"),
    "oncall.escalation.levels": ("integer", "Levels of its escalation policy"),
    "incidents.count_30d": ("integer", "Incidents in 30 days"),
    "runtime.replicas": ("integer", "Replicas that run"),
}
YES = {"true": True, "false": False}
FILTERED = {"kind": "kind", "type": "type", "owners": "owner", "lifecycle": "lifecycle", "tags": "tags"}
SCORECARD_PARTS = frozenset({"checks", "filter", "name", "identifier"})


def is_harness(content: Any) -> bool:
    """Say whether a document holds checks or scorecards of Harness IDP."""
    return any(_is_check(one) or _is_scorecard(one) for one in _documents(content))


def _documents(content: Any) -> Iterator[Document]:
    """Yield what may be a check or a scorecard: one, a list, or an answer of its API, keys as Terraform writes them."""
    for one in content if isinstance(content, list) else [content]:
        if not isinstance(one, Mapping):
            continue
        named = {snake(str(key)): value for key, value in one.items()}
        inner = [named.pop(key) for key in ("check_details", "scorecard") if isinstance(named.get(key), Mapping | list)]
        for part in inner:
            yield from _documents([{**part, "checks": named["checks"]}] if _lists_checks(part, named) else part)
        yield named


def _lists_checks(part: Any, beside: Document) -> bool:
    """The API lists a scorecard's checks beside it."""
    return isinstance(part, Mapping) and "checks" in beside and "checks" not in part


def _is_check(one: Document) -> bool:
    rules = one.get("rules")
    compared = isinstance(rules, list) and bool(rules) and all(_point(rule) for rule in rules)
    return "identifier" in one and (
        compared or (one.get("rule_strategy") == "ADVANCED" and bool(one.get("expression")))
    )


def _is_scorecard(one: Document) -> bool:
    return "weightage_strategy" in one and is_list_of(one.get("checks"), "identifier")


def _point(rule: Any) -> str:
    """Return the data point that a rule compares; nothing for what is no rule of Harness."""
    named = _named(rule)
    return str(named.get("data_point_identifier") or "") if named.get("data_source_identifier") else ""


def _named(given: Any) -> dict[str, Any]:
    return {snake(str(key)): value for key, value in given.items()} if isinstance(given, Mapping) else {}


def harness(content: Any, draft: Draft, options: Options) -> None:
    """Read checks, each asked as the scorecards of the document ask it; one whose rules stand elsewhere is pushed."""
    documents = list(_documents(content))
    cards = [one for one in documents if _is_scorecard(one)]
    told = {str(one["identifier"]): one for one in documents if _is_check(one)}
    asked = {str(_named(one)["identifier"]): (card, _named(one)) for card in reversed(cards) for one in card["checks"]}
    for identifier in dict.fromkeys([*told, *asked]):
        card, place = asked.get(identifier, ({}, {}))
        check = told.get(identifier, place)
        title = str(check.get("name") or identifier.replace("_", " "))
        item = Item(str(check.get("description") or title), None, (str(card["name"]),) if "name" in card else (), title)
        weights: Sequence[Any] = [_named(one).get("weightage") for one in card.get("checks") or ()]
        words: dict[str, Any] = {"title": short(plain(title)), "weight": scaled(weights, place.get("weightage"))}
        words |= applying(_filtered(card, draft), "scorecard")
        draft.said.append(_check(item, check, identifier in told, draft, options, words))
    for card in cards:
        if card.get("published") is False:
            draft.notes.append(f"The scorecard {plain(str(card.get('name')))} is not published there.")


def _filtered(card: Document, draft: Draft) -> list[Document]:
    """Return what a scorecard's filter asks of the entity; what of it has no such form is noted once."""
    given = card.get("filter")
    filters = _named(given[0] if isinstance(given, list) and given else given)
    parts: list[Document] = []
    for key, value in filters.items():
        values = [str(one) for one in (value if isinstance(value, list) else [value]) if one and str(one) != "all"]
        if values and key in FILTERED:
            known = [{"field": FILTERED[key], "operator": "hasValue", "value": one} for one in values]
            parts.append(together("any", known))
        elif values:
            note = (
                f"The filter of the scorecard {plain(str(card.get('name')))} says `{key}` too: add it to `applies_to`."
            )
            draft.notes += [] if note in draft.notes else [note]
    return parts


def _check(item: Item, check: Document, is_told: bool, draft: Draft, options: Options, words: Document) -> Said:
    key = f"harness.{slug(item.name) or 'check'}"
    if not is_told:
        return pushed(item, key, draft, options, "The scorecard names the check, whose rules stand elsewhere.", words)
    if check.get("rule_strategy") == "ADVANCED":
        return pushed(
            item, key, draft, options, f"Its expression computes: `{plain(str(check['expression']))}`.", words
        )
    if check.get("default_behaviour") == "PASS":
        draft.notes.append(f"The check {item.name} passes there without data; here it is unknown then.")
    try:
        trees = [_rule(_named(rule), draft) for rule in check["rules"]]
    except NotSaid as reason:
        return pushed(item, key, draft, options, f"{reason}.", words)
    tree = together("any" if check.get("rule_strategy") == "ANY_OF" else "all", trees)
    return ruled(item, tree, draft, options, "Its rules are said as they stand.", words)


def _rule(rule: Document, draft: Draft) -> dict[str, Any]:
    source, point = snake(str(rule["data_source_identifier"])), snake(str(rule["data_point_identifier"]))
    inputs = {snake(str(one.get("key"))): str(one.get("value")) for one in map(_named, rule.get("input_values") or ())}
    operator, value = rule.get("operator"), rule.get("value", rule.get("conditional_input_value"))
    there = _there(source, point, inputs, draft)
    if there:
        return _answered(there, operator, value)
    if point in NUMBERS:
        key = NUMBERS[point]
        _declare(key, draft)
    else:
        told = [slug(one) for one in inputs.values() if slug(one)]
        key = ".".join([source, point, *told])
    what = f"{source}, {point}" + (f" of {', '.join(inputs.values())}" if inputs else "")
    return condition(key, operator, _value(value), what, draft)


def _there(source: str, point: str, inputs: Mapping[str, str], draft: Draft) -> dict[str, Any] | None:
    """Return the condition that a data point says yes, where something here answers it."""
    paths = [value for key, value in inputs.items() if "file" in key]
    if point == "is_file_exists" and source in CODE_HOSTS and paths:
        try:
            return leaf(draft.read_file(entry(paths[0].lstrip("/"))), "equal", True)
        except NotRead as reason:
            raise NotSaid(f"It looks for files that no source is asked for ({reason})") from None
    found = THERE.get(point.removesuffix("_exists"))
    for key in OF_OURS if found else ():
        if found and found.get("fact") == key:
            _declare(key, draft)
    return found


def _declare(key: str, draft: Draft) -> None:
    kind, description = OF_OURS[key]
    draft.declare(key, kind, "", description)


def _answered(there: dict[str, Any], operator: Any, value: Any) -> dict[str, Any]:
    wanted = YES.get(str(value).strip().lower())
    if wanted is None or operator not in {"==", "=", "!="}:
        raise NotSaid(f"It compares yes or no by {operator} {key_part(str(value))}")
    return there if wanted is (operator != "!=") else {"not": there}


def _value(value: Any) -> Any:
    """Values stand as texts there: `true`, `85`."""
    text = str(value).strip()
    if text.lower() in YES:
        return YES[text.lower()]
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return value
