"""Who can help: who carries the pager, who is on call, whom to reach, and which runbooks there are. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from catalog.services import PREFIX
from engagements.incident_view.episodes import Episode
from engagements.incident_view.evidence import Material
from engagements.incident_view.freshness import FRESH, UNKNOWN, Freshness, Sources, Why, of_facts, told_fact
from engagements.incident_view.queries import Seen
from engagements.tiers import Tier
from scorecards.evidence.causes import CATALOG_SOURCE
from scorecards.evidence.view import EvidenceState

NO_ROTA = Why(
    "No configured source supplies who is on call", "Add a source for on-call schedules, such as the plugin pagerduty."
)
ON_CALL_NOW = "oncall.now"
"""The fact, a set of names, of a source that says who is on call at this moment."""
NAMES = (list, tuple, set, frozenset)
RUNBOOK_WORDS = ("runbook", "playbook")
CHAT_WORDS = ("chat", "slack", "teams", "irc", "matrix", "contact")


def pager(material: Material) -> dict[str, Any]:
    """Return who carries the pager by the service's support, and why."""
    tier, ref = Tier(material.standing.tier), material.service.ref
    owner = material.service.owner
    returned = material.last("pager.returned", "pager.resumed")
    team = material.service.annotations.get(f"{PREFIX}sre-team")
    if tier is Tier.FULL_SRE and returned and returned.kind == "pager.returned":
        reason = f"SRE supports {ref} fully, but gave the pager back for a while: {returned.summary}"
        return _carrier("development", owner, reason, returned)
    if tier is Tier.FULL_SRE:
        return _carrier(
            "sre", team, f"SRE supports {ref} fully; its developers keep a share of the rotation.", returned
        )
    split = material.last("oncall.split_changed")
    if tier is Tier.PLATFORM:
        reason = "SRE carries the alerts of the platform, the developers those of the service's function."
        return {**_carrier("split", owner, reason, split), "routes": _routes(split)}
    return _carrier("development", owner, f"{ref} has the support tier {tier}: its developers carry it.", None)


def _carrier(who: str, team: str | None, sentence: str, event: Seen | None) -> dict[str, Any]:
    since = event.occurred_at if event else None
    return {"carried_by": who, "team": team, "sentence": sentence, "since": since, "routes": {}}


def _routes(split: Seen | None) -> Mapping[str, str]:
    """Return which scope each alert belongs to, by the last split that was agreed."""
    agreed = split.details.get("split_set") if split else None
    routes = agreed.get("routes") if isinstance(agreed, Mapping) else None
    return routes if isinstance(routes, Mapping) else {}


def on_call(material: Material) -> dict[str, Any]:
    """Return what is known of the rotation now; the catalog's declared coverage alone does not make it known."""
    view = material.view
    keys = sorted(key for key in view.supply.specs if key.startswith("oncall."))
    evidences = [view.get(key) for key in keys]
    measured = [one for one in evidences if one.source != CATALOG_SOURCE or one.cause]
    known = [one for one in evidences if one.state is not EvidenceState.MISSING]
    freshness = of_facts([one for one in measured if one.source != CATALOG_SOURCE], NO_ROTA)
    return {
        **freshness.told(),
        "names": _names(material),
        "facts": [told_fact(one) for one in known],
        "pager": pager(material),
    }


def _names(material: Material) -> list[str]:
    """Return who is on call now, where a source says so and what it says is fresh."""
    if ON_CALL_NOW not in material.view.supply.specs:
        return []
    seen = material.view.get(ON_CALL_NOW)
    return sorted(map(str, seen.value)) if seen.state is EvidenceState.FRESH and isinstance(seen.value, NAMES) else []


def owner(material: Material, sources: Sources) -> dict[str, Any]:
    """Return who owns the service and how to reach them."""
    service = material.service
    body = material.bodies.get(service.owner or "", {})
    profile = body.get("spec", {}).get("profile") or {}
    contact = profile.get("email") or service.annotations.get(f"{PREFIX}contact")
    links = [*_links(material.bodies.get(service.ref, {})), *_links(body)]
    freshness = sources.freshness([CATALOG_SOURCE] if CATALOG_SOURCE in sources.health else [], Why("", ""))
    if not contact:
        action = f"Give the owner spec.profile.email, or the service the annotation {PREFIX}contact."
        freshness = Freshness(UNKNOWN, service.observed_at, why=Why(f"No contact of {service.owner} is known", action))
    elif freshness.state == UNKNOWN:
        freshness = Freshness(FRESH, service.observed_at, (CATALOG_SOURCE,))
    return {
        **freshness.told(),
        "ref": service.owner,
        "title": profile.get("displayName") or body.get("metadata", {}).get("title"),
        "in_directory": bool(body),
        "contact": contact,
        "links": [one for one in links if _says(one, CHAT_WORDS)] or links,
    }


def runbooks(material: Material, running: Sequence[Episode], sources: Sources, old_after: timedelta) -> dict[str, Any]:
    """Return the runbooks of what fires and of the service, those of the alerts first."""
    found = list(_distinct([*_of_alerts(running), *_of_catalog(material)]))
    reviewed = material.view.get("docs.runbook.reviewed_at")
    without = sorted({one.name for one in running if one.kind == "alert" and not _runbook_of(one.began)})
    observed_at = material.service.observed_at
    freshness = Freshness(FRESH, observed_at, (CATALOG_SOURCE,))
    advice = ""
    if not found:
        action = "Link one in the entity's metadata.links (type runbook), or give the alert rule `runbook_url`."
        freshness = Freshness(UNKNOWN, observed_at, why=Why("No runbook is linked", action))
    elif not isinstance(reviewed.value, datetime):
        advice = f"Nobody says when the runbooks were reviewed: {PREFIX}runbook-reviewed-at is not set."
    elif sources.now - reviewed.value > old_after:
        advice = f"The runbooks were reviewed more than {old_after.days} days ago; do not trust each step."
    return {
        **freshness.told(),
        "items": found,
        "alerts_without": without,
        "reviewed_at": reviewed.value,
        "advice": advice or None,
    }


def _of_alerts(running: Sequence[Episode]) -> Iterator[dict[str, Any]]:
    for one in running:
        url = _runbook_of(one.began)
        if url:
            yield {"title": f"Runbook of {one.name}", "url": url, "of": one.name}


def _runbook_of(event: Seen) -> str:
    annotations = event.details.get("annotations")
    noted = annotations if isinstance(annotations, Mapping) else {}
    url = event.text("runbook_url", "runbook") or str(noted.get("runbook_url") or noted.get("runbook") or "")
    return url if _is_url(url) else ""


def _of_catalog(material: Material) -> Iterator[dict[str, Any]]:
    for one in _links(material.bodies.get(material.service.ref, {})):
        if _says(one, RUNBOOK_WORDS):
            yield {"title": one["title"], "url": one["url"], "of": None}
    for key, value in material.service.annotations.items():
        if any(key.lower().endswith(word + end) for word in RUNBOOK_WORDS for end in ("", "-url", "_url")):
            yield {"title": key, "url": value, "of": None} if _is_url(value) else {}


def _links(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    links = body.get("metadata", {}).get("links") or []
    return [
        {"title": link.get("title") or link["url"], "url": link["url"], "type": link.get("type") or link.get("icon")}
        for link in links
        if isinstance(link, Mapping) and _is_url(str(link.get("url") or ""))
    ]


def _says(link: Mapping[str, Any], words: Iterable[str]) -> bool:
    text = f"{link['title']} {link['type'] or ''}".lower()
    return any(word in text for word in words)


def _is_url(text: str) -> bool:
    return text.startswith(("https://", "http://"))


def _distinct(items: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    for item in items:
        if item and item["url"] not in seen:
            seen.add(item["url"])
            yield item
