"""Reads checks of OpsLevel by their kinds, each asked of those of its filter. Pure."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from scorecards.importing.cql_words import leaf
from scorecards.importing.drafts import Draft, Item, Outcome, Said, plain, short, slug, snake
from scorecards.importing.making import Options, known_axis, ruled
from scorecards.importing.products.filters import applying, of_entity, together
from scorecards.importing.products.opslevel_files import of_files, searched
from scorecards.importing.products.predicates import counted, predicate
from scorecards.importing.products.shared import Document, NotSaid, number, pushed, rank
from scorecards.importing.statements import bare

LEVELS = ("bronze", "silver", "gold", "platinum")
MARKS = frozenset({"category", "level", "filter", "category_id", "level_id", "filter_id"})
LABELS = "entity.metadata.labels."
FIELDS = {
    "name": "entity.metadata.name",
    "description": "entity.metadata.description",
    "note": "entity.metadata.description",
    "owner_id": "entity.spec.owner",
    "owner_ids": "entity.spec.owner",
    "system": "entity.spec.system",
    "system_id": "entity.spec.system",
    "domain_id": "entity.spec.domain",
    "lifecycle_index": "entity.spec.lifecycle",
    "component_type_id": "entity.spec.type",
    "language": f"{LABELS}language",
    "framework": f"{LABELS}framework",
    "product": f"{LABELS}product",
}
"""Properties of a service there, as the catalog's entity has them."""
ALERTS = {
    "pagerduty": ("pagerduty.com/service-id", "pagerduty.com/integration-key"),
    "opsgenie": ("opsgenie.com/component-selector", "opsgenie.com/team"),
    "datadog": ("datadoghq.com/site", "datadoghq.com/graph-token"),
    "new_relic": ("newrelic.com/dashboard-guid",),
}
SHORT = {
    "repo_file": "repository_file",
    "repo_grep": "repository_grep",
    "repo_search": "repository_search",
    "repo_integrated": "repository_integrated",
    "has_service_config": "service_configuration",
    "custom": "custom_event",
    "generic": "custom_event",
    "payload": "custom_event",
}
"""Kinds as its command line writes them, by what Terraform calls them."""
ELSEWHERE = frozenset({"manual", "tool_usage"})
OPEN_NAME = "${"
MAX_STATEMENT = 200
DAY = re.compile(r"\d{4}-\d\d-\d\d")
DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}


def is_opslevel(content: Any) -> bool:
    """Say whether a document holds checks of OpsLevel."""
    return bool(_opslevel_checks(content))


def _opslevel_checks(content: Any) -> list[tuple[str, Document]]:
    """Return the checks by their kinds, their properties named as Terraform names them."""
    if isinstance(content, Mapping):
        content = content.get("checks") or (content.get("rubric") or {}).get("checks") or [content]
    found: list[tuple[str, Document]] = []
    for one in content if isinstance(content, list) else ():
        spec = one.get("spec") or one.get("Check") or one if isinstance(one, Mapping) else None
        kind = (one.get("kind") or one.get("Kind") or one.get("type")) if isinstance(one, Mapping) else None
        if not isinstance(spec, Mapping) or not isinstance(kind, str) or not spec.get("name"):
            continue
        named = {snake(str(key)): value for key, value in spec.items()}
        known = snake(kind).removeprefix("check_")
        if MARKS & named.keys() or known in {*KINDS, *SHORT, *ELSEWHERE}:
            found.append((SHORT.get(known, known), named))
    return found


def opslevel(content: Any, draft: Draft, options: Options) -> None:
    """Read checks of OpsLevel by their kinds; those that compute something are answered by their own result."""
    told = content.get("levels") if isinstance(content, Mapping) else None
    levels = [str(one).lower() for one in told] if isinstance(told, list) and told else list(LEVELS)
    for kind, spec in _opslevel_checks(content):
        name = str(spec.get("level", "")).lower()
        level = rank(levels, name, rank(LEVELS, name))
        title = str(spec["name"])
        item = Item(title, None, (), title, bare(str(spec.get("notes") or "")), level)
        if OPEN_NAME in title:
            draft.said.append(Said(item, Outcome.NOT_SAID, "Its name is a variable that has no value in this file."))
            continue
        axis = known_axis(spec.get("category"))
        words: dict[str, Any] = {"axis": axis} if axis else {}
        words |= _applies(spec, item, draft)
        enforced = DAY.match(str(spec.get("enable_on")))
        if enforced:
            words |= {"enforce_from": enforced[0]}
        if spec.get("enabled") is False and not enforced:
            draft.notes.append(f"The check {item.name} is switched off there.")
        draft.said.append(_check(item, kind, spec, draft, options, words))


def _applies(spec: Document, item: Item, draft: Draft) -> dict[str, Any]:
    """Return whom a check is asked of, where its filter is at hand; else the filter is named."""
    narrowed = spec.get("filter") or spec.get("filter_id")
    if not narrowed:
        return {}
    if not isinstance(narrowed, Mapping):
        name = f" {narrowed}" if isinstance(narrowed, str) else ""
        told = f"The check {item.name} is asked of those of its filter{name}, which stands elsewhere"
        draft.notes.append(f"{told}: add it to `applies_to`.")
        return {}
    try:
        parts = [_asked_of(one) for one in narrowed.get("predicate") or narrowed.get("predicates") or ()]
    except NotSaid as reason:
        name = narrowed.get("name") or "without a name"
        draft.notes.append(f"The filter {name} of {item.name} is not carried over ({reason}): add it to `applies_to`.")
        return {}
    word = "any" if str(narrowed.get("connective")).lower() == "or" else "all"
    return applying([together(word, parts)] if parts else [], "check")


def _asked_of(given: Any) -> dict[str, Any]:
    """Return one predicate of a filter as a condition on the service."""
    named = {snake(str(key)): value for key, value in given.items()} if isinstance(given, Mapping) else {}
    key, kind, value = str(named.get("key") or ""), str(named.get("type") or ""), str(named.get("value"))
    if key == "tier_index":
        return _by_tier(kind, value)
    if key == "tags":
        name = str(named.get("key_data") or "")
        if not name:
            raise NotSaid("it names no tag")
        return of_entity(predicate(f"{LABELS}{name}", named))
    if key not in FIELDS or (key == "lifecycle_index" and value.isdigit()):
        raise NotSaid(f"`{key}` is nothing that the catalog's entity tells in the same words")
    return of_entity(predicate(FIELDS[key], named))


def _by_tier(kind: str, value: str) -> dict[str, Any]:
    """Tiers there are counted from the most critical on, as T0 to T3 are here."""
    number = value.removeprefix("tier_")
    tier = f"T{number}"
    if tier not in {"T0", "T1", "T2", "T3"}:
        raise NotSaid(f"the tier {value} is none of T0 to T3")
    at_least = {"field": "criticality", "operator": "atLeastAsCriticalAs", "value": tier}
    equal = {"field": "criticality", "operator": "equal", "value": tier}
    found: dict[str, dict[str, Any]] = {
        "equals": equal,
        "does_not_equal": {"not": equal},
        "less_than_or_equal_to": at_least,
        "greater_than_or_equal_to": {"any": [equal, {"not": at_least}]},
    }
    if kind not in found:
        raise NotSaid(f"its predicate {kind} is not asked of a tier here")
    return found[kind]


def _check(item: Item, kind: str, spec: Document, draft: Draft, options: Options, words: dict[str, Any]) -> Said:
    if kind == "manual":
        return _manual(item, spec, draft, options, words)
    try:
        tree = KINDS[kind](spec, draft) if kind in KINDS else None
    except NotSaid as reason:
        return pushed(item, f"opslevel.{slug(item.name)}", draft, options, f"{reason}.", words)
    if isinstance(tree, str):
        return Said(item, Outcome.EXISTING, "The catalogue asks it.", tree)
    if tree is None:
        why = f"A check of the kind {kind} computes its answer there."
        return pushed(item, f"opslevel.{slug(item.name)}", draft, options, why, words)
    return ruled(item, tree, draft, options, f"A check of the kind {kind} is said as a rule.", words)


def _manual(item: Item, spec: Document, draft: Draft, options: Options, words: dict[str, Any]) -> Said:
    """Return an attestation for as long as the answer counts there; a short note says what is confirmed."""
    told = item.detail if 0 < len(item.detail) <= MAX_STATEMENT else item.text
    statement = plain(told).rstrip(".") + "."
    made = ruled(item, {}, draft, options, "It is answered by people there, too.", words)
    definition = {key: value for key, value in made.definition.items() if key not in {"rule", "passes", "fails"}}
    definition |= {"attest": {"for": _renewed(spec.get("update_frequency")) or options.attested_for}}
    definition["attest"]["confirms"] = statement
    return Said(item, Outcome.ATTESTED, made.why, made.check, definition)


def _renewed(given: Any) -> str | None:
    given = given[0] if isinstance(given, list) and given else given
    frequency = {snake(str(key)): value for key, value in given.items()} if isinstance(given, Mapping) else {}
    scale = str(frequency.get("time_scale") or frequency.get("frequency_time_scale") or "").lower()
    number = frequency.get("value") or frequency.get("frequency_value")
    return f"{DAYS[scale] * number}d" if scale in DAYS and isinstance(number, int) and number > 0 else None


def _sub(spec: Document, name: str) -> Document | None:
    """Return a predicate of a check, which Terraform may write as a block."""
    found = spec.get(name)
    found = found[0] if isinstance(found, list) and found else found
    return {snake(str(key)): value for key, value in found.items()} if isinstance(found, Mapping) else None


def _tag(spec: Document, _draft: Draft) -> dict[str, Any]:
    return predicate(f"{LABELS}{spec.get('tag_key')}", _sub(spec, "tag_predicate") or {"type": "exists"})


def _property(spec: Document, draft: Draft) -> dict[str, Any]:
    name = snake(str(spec.get("property") or spec.get("service_property") or ""))
    asked = _sub(spec, "predicate") or {"type": "exists"}
    if name == "tier_index" and asked.get("type") == "exists":
        draft.declare("catalog.criticality", "string", "", "Criticality, T0 to T3")
        return leaf("catalog.criticality", "isEmpty", False)
    if name == "tier_index":
        raise NotSaid("It asks for a tier: the catalogue asks for a criticality (arch.criticality)")
    if name == "custom_property":
        name = snake(str(spec.get("property_definition") or "property"))
        key = f"service.{name}"
        draft.declare(key, "string", "", f"The property {name} of the service")
        return predicate(key, asked)
    if name not in FIELDS:
        raise NotSaid(f"It asks for the property {name or 'of no name'}")
    return predicate(FIELDS[name], asked)


def _owner(spec: Document, _draft: Draft) -> Any:
    asked: list[Any] = []
    if spec.get("require_contact_method"):
        contact = {"any": [leaf("spec.profile.email", "exists", True), leaf("metadata.links", "exists", True)]}
        asked.append({"related": "owner", "which": "any", "have": contact})
    if spec.get("tag_key"):
        tag = predicate(f"metadata.labels.{spec['tag_key']}", _sub(spec, "tag_predicate") or {"type": "equals"})
        asked.append({"related": "owner", "which": "any", "have": tag})
    return together("all", asked) if asked else "arch.owner"


def _file(spec: Document, draft: Draft) -> dict[str, Any]:
    return of_files(spec, _sub(spec, "file_contents_predicate"), draft)


def _grep(spec: Document, draft: Draft) -> dict[str, Any]:
    return of_files({**spec, "use_absolute_root": True}, _sub(spec, "file_contents_predicate"), draft)


def _search(spec: Document, draft: Draft) -> dict[str, Any]:
    return searched(spec, _sub(spec, "file_contents_predicate"), draft)


def _package(spec: Document, draft: Draft) -> dict[str, Any]:
    manager, name = snake(str(spec.get("package_manager"))), str(spec.get("package_name"))
    constraint, in_words = str(spec.get("package_constraint")), bool(spec.get("package_name_is_regex"))
    if constraint in {"exists", "does_not_exist"}:
        draft.declare(f"packages.{manager}", "set", "", f"The packages of {manager} that it is built of")
        found = leaf(f"packages.{manager}", "someFact:matchesRegex" if in_words else "contains", name)
        return found if constraint == "exists" else {"not": found}
    asked = _sub(spec, "version_constraint_predicate")
    if in_words or asked is None or spec.get("missing_package_result") not in (None, "not_applicable"):
        raise NotSaid("It looks for versions of packages by a pattern, or passes without the package")
    key = f"packages.{manager}.{slug(name)}"
    draft.declare(key, "string", "", f"The version of {name} that it is built of")
    return predicate(key, asked)


def _relationship(spec: Document, _draft: Draft) -> dict[str, Any]:
    asked = _sub(spec, "relationship_count_predicate")
    if not asked or "depend" not in slug(str(spec.get("relationship_definition_id"))):
        raise NotSaid("It counts relations of a kind of its own")
    return counted("entity.relations.dependsOn", asked)


def _documented(spec: Document, _draft: Draft) -> dict[str, Any]:
    if str(spec.get("document_type")).lower() != "api":
        return leaf("entity.metadata.annotations.backstage.io/techdocs-ref", "exists", True)
    return {"related": "providesApi", "which": "any", "have": leaf("spec.definition", "exists", True)}


def _alerts(spec: Document, _draft: Draft) -> dict[str, Any]:
    if _sub(spec, "alert_name_predicate") or (kind := snake(str(spec.get("alert_type")))) not in ALERTS:
        raise NotSaid("It asks for an alert source by its name")
    return together("any", [leaf(f"entity.metadata.annotations.{key}", "exists", True) for key in ALERTS[kind]])


def _deployed(spec: Document, draft: Draft) -> dict[str, Any]:
    draft.declare("deploys.last_at", "datetime", "", "When it was deployed last")
    return leaf("deploys.last_at", "youngerThan", f"{int(number(spec.get('days') or 30))}d")


def _protected(_spec: Document, draft: Draft) -> dict[str, Any]:
    draft.declare("repo.branch.protected", "boolean", "", "The branch that is released from is protected")
    return leaf("repo.branch.protected", "equal", True)


def _issues(spec: Document, draft: Draft) -> dict[str, Any]:
    key = f"code_issues.{slug(str(spec.get('name')))}"
    types = spec.get("issue_type") or ()
    what = ", ".join(map(str, types)) or spec.get("issue_name") or "any kind"
    draft.declare(key, "integer", "count", short(f"Open issues of its code: {plain(str(what))}", 200))
    return leaf(key, "lessThanInclusive", int(number(spec.get("max_allowed") or 0)))


def _repository(_spec: Document, _draft: Draft) -> dict[str, Any]:
    return leaf("entity.metadata.annotations.backstage.io/source-location", "exists", True)


def _depends(_spec: Document, _draft: Draft) -> dict[str, Any]:
    return leaf("entity.relations.dependsOn", "exists", True)


KINDS: dict[str, Callable[[Document, Draft], Any]] = {
    "alert_source_usage": _alerts,
    "code_issue": _issues,
    "git_branch_protection": _protected,
    "has_documentation": _documented,
    "has_owner": _owner,
    "has_recent_deploy": _deployed,
    "has_repository": _repository,
    "package_version": _package,
    "relationship": _relationship,
    "repository_file": _file,
    "repository_grep": _grep,
    "repository_integrated": _repository,
    "repository_search": _search,
    "service_dependency": _depends,
    "service_ownership": _owner,
    "service_property": _property,
    "tag_defined": _tag,
}
"""Kinds of checks: the id of the default check that asks the same, or the rule; they raise NotSaid."""
