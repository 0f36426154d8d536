"""Our checks in the form that Tech Insights gives checks. Pure."""

from collections.abc import Mapping
from typing import Any

from plugins.contract import FactType
from scorecards.checks.definitions import ADDRESSES, AXIS_TITLES, Check, Status, level_name
from scorecards.checks.json_rules import links_of
from scorecards.evidence.causes import Spec
from scorecards.tech_insights.conditions import rooted

TYPE = "json-rules-engine"
Document = dict[str, Any]

FACT_TYPES: Mapping[str, str] = {
    FactType.BOOLEAN: "boolean",
    FactType.INTEGER: "integer",
    FactType.NUMBER: "float",
    FactType.STRING: "string",
    FactType.DATETIME: "datetime",
    FactType.SET: "set",
}
SCHEMA_VERSION = "1.0.0"
"""A declared fact never changes its meaning: another meaning is another key. So no schema has a second version."""

PASSING = frozenset({Status.PASS, Status.INHERITED})
"""The verdicts that the client is told as true; an unknown or a waived check is never one of them."""


def check_form(check: Check) -> Document:
    """Return a check as configured; one out of a Tech Insights configuration with what that says beside ours."""
    passed = _own(check, "successMetadata")
    return {
        **heading(check),
        "rule": {"conditions": rooted(check.rule.tree if check.rule else None)},
        "metadata": metadata(check),
        **({"successMetadata": passed} if passed else {}),
        "failureMetadata": {"solution": solution(check)} | _own(check, "failureMetadata"),
        **_links(check),
    }


def heading(check: Check) -> Document:
    """Return what a check and its results begin with. A fact is its own retriever: each is observed by itself."""
    return {
        "id": check.id,
        "type": TYPE,
        "name": check.title,
        "description": check.question,
        "factIds": list(check.facts),
    }


def result_heading(check: Check, status: Status) -> Document:
    """Return the check as a result shows it, but for its rule: `metadata.status` has the verdict in our words."""
    if status in PASSING:
        told = metadata(check) | _own(check, "successMetadata")
    else:
        told = metadata(check) | {"solution": solution(check)} | _own(check, "failureMetadata")
    return {**heading(check), "metadata": told | {"status": status.value}, **_links(check)}


def _own(check: Check, key: str) -> Document:
    """Return what the Tech Insights configuration that a check comes from says under a key; nothing of any other."""
    return dict((check.definition.get("tech_insights") or {}).get(key) or {})


def metadata(check: Check) -> Document:
    """Return what else is known of a check; `category` and `rank` are what maturity pages sort by."""
    told: Document = {
        "axis": check.axis.value,
        "category": AXIS_TITLES[check.axis],
        "level": level_name(check.level),
        "rank": check.level,
        "weight": check.weight,
        "criticality": check.criticality.value,
        "owner": check.owner,
        "version": check.version,
        "hint": check.why,
        "guide": check.guide,
        "guide_url": check.guide_url,
    }
    if check.enforce_from is not None:
        told["enforce_from"] = check.enforce_from.isoformat()  # until then it counts for nothing
    if check.enforce_until is not None:
        told["enforce_until"] = check.enforce_until.isoformat()  # from then on it counts for nothing
    return told | _own(check, "metadata")


def solution(check: Check) -> str:
    """Return how to fix it, a step a line."""
    return "\n".join(check.how_to_fix)


def _links(check: Check) -> Document:
    addresses = [text for text in (check.guide_url, *check.sources) if text.startswith(ADDRESSES)]
    titles = {} if check.guide_url == check.guide else {check.guide_url: f"Guide: {check.title}"}
    links: dict[str, Mapping[str, Any]] = {
        address: {"title": titles.get(address, address), "url": address} for address in addresses
    }
    links |= {str(link["url"]): link for link in links_of(check.definition.get("tech_insights") or {})}
    return {"links": list(links.values())} if links else {}


def type_of(spec: Spec) -> str:
    """Return Tech Insights' word for the type of a fact; a field of an entity may be anything."""
    return FACT_TYPES.get(spec.type, "object")


def schema_form(spec: Spec) -> Document:
    """Return the schema of a fact: its name stands beside the schema's own fields, as Tech Insights has it."""
    return {
        "id": spec.key,
        "version": SCHEMA_VERSION,
        "entityFilter": [{"kind": "component"}],
        spec.key: {
            "type": type_of(spec),
            "description": spec.description,
            "metadata": {"unit": spec.unit, "max_age_seconds": int(spec.max_age.total_seconds())},
        },
    }
