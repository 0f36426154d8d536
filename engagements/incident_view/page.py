"""The page itself: sections that each stand alone, made of what was gathered. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from engagements.incident_view import people
from engagements.incident_view.episodes import Episode
from engagements.incident_view.evidence import Material, Neighbour
from engagements.incident_view.freshness import (
    FRESH,
    STALE,
    UNKNOWN,
    Freshness,
    Sources,
    Why,
    of_facts,
    told_fact,
)
from engagements.incident_view.queries import SUPPORT_CHANGES, Seen
from engagements.incident_view.settings import IncidentSettings
from engagements.incident_view.similar import told_similar
from engagements.services import links_of
from scorecards.evidence.values import span
from scorecards.evidence.view import EvidenceState

NO_ALERTS = Why(
    "No configured source reports alerts or incidents",
    "Add a source with the plugin prometheus, alertmanager or pagerduty to `sources:` in portal.yaml.",
)
NO_CHANGES = Why(
    "No configured source reports deploys", "Add a source with the plugin argocd to `sources:` in portal.yaml."
)
NO_SLO = Why("No configured source supplies service level objectives", "Add a source with the plugin openslo.")
SLO_FACTS = (
    "slo.availability.target",
    "slo.availability.actual_28d",
    "slo.availability.budget_left",
    "slo.latency.target",
    "slo.latency.actual_28d",
    "slo.latency.threshold_seconds",
    "slo.window_days",
)
SLO_EVENTS = ("slo.breached", "slo.recovered", "budget.exhausted")
FIRING_NAMES = "alerts.firing.names"
SUPPORT_CHANGES_SHOWN = 3


def build(material: Material, settings: IncidentSettings, now: datetime) -> dict[str, Any]:
    """Return the whole page, ready to be sent."""
    sources = Sources(material.health, now, settings)
    running = [one for one in material.episodes if one.ended is None]
    trouble = sources.freshness(_reporting(sources, material), NO_ALERTS)
    since = min((one.began.occurred_at for one in running), default=None)
    sections = {
        "alerts": alerts(material, running, trouble, settings, now),
        "slo": slo(material),
        "changes": changes(material, sources, settings, since, now),
        "dependencies": dependencies(material, trouble, settings, now),
        "on_call": people.on_call(material),
        "runbooks": people.runbooks(material, running, sources, settings.runbook_old_after),
        "similar": similar(material, settings),
        "owner": people.owner(material, sources),
    }
    return {
        "ref": material.service.ref,
        "generated_at": now,
        "headline": headline(sections, now),
        "sections_unknown": [name for name, section in sections.items() if section["state"] == UNKNOWN],
        "sections_stale": [name for name, section in sections.items() if section["state"] == STALE],
        "service": _service(material),
        **sections,
    }


def _service(material: Material) -> dict[str, Any]:
    service = material.service
    lately = [event for event in material.events if event.kind in SUPPORT_CHANGES]
    return {
        "title": service.title or service.name,
        "description": service.description,
        "criticality": service.criticality,
        "lifecycle": service.lifecycle,
        "system": service.system,
        "tier": material.standing.tier,
        "engagement_model": material.standing.engagement_model,
        "phase": material.standing.phase,
        "level": material.standing.level,
        "percent": material.standing.percent,
        "next_step": material.standing.next_step,
        "observed_at": service.observed_at,
        "last_events": [_told_event(event) for event in lately[:SUPPORT_CHANGES_SHOWN]],
        "links": links_of(service.ref),
    }


def _reporting(sources: Sources, material: Material) -> list[str]:
    seen = {one.began.source for one in material.episodes if one.began.source in material.health}
    return sorted({*sources.reporting("alerts."), *sources.reporting("incidents."), *seen})


def alerts(
    material: Material, running: Sequence[Episode], freshness: Freshness, settings: IncidentSettings, now: datetime
) -> dict[str, Any]:
    """Return what fires and what is open; what a live source says now is laid beside what the history says."""
    live = material.view.get(FIRING_NAMES) if FIRING_NAMES in material.view.supply.specs else None
    names = set(live.value or ()) if live and live.state is EvidenceState.FRESH else None  # type: ignore[arg-type]
    told = [_told_episode(one, now, names) for one in running]
    known = {one.name for one in running if one.kind == "alert"}
    told += [_seen_live(name, live.source) for name in sorted((names or set()) - known)] if live else []
    ended = [one for one in material.episodes if one.ended is not None][: settings.ended_shown]
    return {
        **freshness.told(),
        "open": told,
        "ended_last": [_told_episode(one, now, None) for one in ended],
        "muted": _value(material, "alerts.muted.count"),
    }


def _told_episode(one: Episode, now: datetime, live: set[str] | None) -> dict[str, Any]:
    confirmed = one.name in live if live is not None and one.kind == "alert" else None
    return {
        "kind": one.kind,
        "name": one.name,
        "since": one.began.occurred_at,
        "until": one.ended.occurred_at if one.ended else None,
        "age_seconds": (now - one.began.occurred_at).total_seconds(),
        "source": one.began.source,
        "summary": one.began.summary,
        "severity": one.severity,
        "link": one.began.link,
        "simulated": one.began.simulated,
        "confirmed": confirmed,
    }


def _seen_live(name: str, source: str | None) -> dict[str, Any]:
    summary = f"Alert {name} fires now; since when is not known."
    empty = {"since": None, "until": None, "age_seconds": None, "severity": None, "link": "", "simulated": False}
    return {"kind": "alert", "name": name, **empty, "source": source, "summary": summary, "confirmed": True}


def _value(material: Material, key: str) -> Any:
    if key not in material.view.supply.specs:
        return None
    evidence = material.view.get(key)
    return evidence.value if evidence.state is EvidenceState.FRESH else None


def slo(material: Material) -> dict[str, Any]:
    """Return the objectives, what is left of the error budget, and the last time that either was lost or won."""
    burn = sorted(key for key in material.view.supply.specs if key.startswith("slo.") and "burn" in key)
    keys = [key for key in (*SLO_FACTS, *burn) if key in material.view.supply.specs]
    evidences = [material.view.get(key) for key in keys]
    last = [event for event in material.events if event.kind in SLO_EVENTS][:3]
    values = {one.key: one.value for one in evidences if one.value is not None}
    return {
        **of_facts(evidences, NO_SLO).told(),
        "budget_used_ratio": _budget_used(values),
        "met": _met(values),
        "facts": [told_fact(one) for one in evidences],
        "last_events": [_told_event(event) for event in last],
    }


def _budget_used(values: Mapping[str, Any]) -> float | None:
    """Return the share of the error budget that is used: above 1 it is overspent (SRE workbook, chapter 2)."""
    left = values.get("slo.availability.budget_left")
    if left is not None:
        return float(1 - left)
    target, actual = values.get("slo.availability.target"), values.get("slo.availability.actual_28d")
    if target is None or actual is None or target >= 1:
        return None
    return float((1 - actual) / (1 - target))


def _met(values: Mapping[str, Any]) -> dict[str, bool | None]:
    met: dict[str, bool | None] = {}
    for name in ("availability", "latency"):
        target, actual = values.get(f"slo.{name}.target"), values.get(f"slo.{name}.actual_28d")
        met[name] = None if target is None or actual is None else actual >= target
    return met


def changes(
    material: Material, sources: Sources, settings: IncidentSettings, since: datetime | None, now: datetime
) -> dict[str, Any]:
    """Return the last changes here and upstream, and which came shortly before the trouble."""
    own = material.changes()
    upstream = sorted(
        (event for one in material.neighbours for event in one.changes),
        key=lambda event: (event.occurred_at, event.sequence),
        reverse=True,
    )
    seen = {event.source for event in (*own, *upstream) if event.source in material.health}
    return {
        **sources.freshness(sources.reporting("deploys.", seen), NO_CHANGES).told(),
        "here": [_told_change(event, settings, since, now) for event in own[: settings.changes_shown]],
        "upstream": [_told_change(event, settings, since, now) for event in upstream[: settings.changes_shown]],
    }


def _told_change(event: Seen, settings: IncidentSettings, since: datetime | None, now: datetime) -> dict[str, Any]:
    before = (since - event.occurred_at).total_seconds() if since else None
    moment = since or now
    return {
        **_told_event(event),
        "age_seconds": (now - event.occurred_at).total_seconds(),
        "seconds_before_first_alert": before,
        "suspect": event.occurred_at <= moment and moment - event.occurred_at <= settings.suspect_before,
        "revision": event.text("revision", "version", "flag") or None,
    }


def _told_event(event: Seen) -> dict[str, Any]:
    names = ("entity_ref", "kind", "occurred_at", "actor", "source", "simulated", "summary", "link")
    return {name: getattr(event, name) for name in names}


def dependencies(
    material: Material, alerts_known: Freshness, settings: IncidentSettings, now: datetime
) -> dict[str, Any]:
    """Return how each dependency is doing, troubled ones first, and who depends on the service."""
    told = [_told_neighbour(one, alerts_known, settings, now) for one in material.neighbours]
    order = {"alerting": 0, "changed": 1, "unknown": 2, "quiet": 3}
    told.sort(key=lambda one: order[one["condition"]])
    freshness = alerts_known if told else Freshness(FRESH, material.service.observed_at, ("catalog",))
    dependents = material.service.dependents
    return {
        **freshness.told(),
        "items": told,
        "left_out": material.neighbours_left_out,
        "dependents": {"count": len(dependents), "refs": list(dependents[: settings.dependents_shown])},
    }


def _told_neighbour(
    one: Neighbour, alerts_known: Freshness, settings: IncidentSettings, now: datetime
) -> dict[str, Any]:
    running = [episode for episode in one.episodes if episode.ended is None]
    last = one.changes[0] if one.changes else None
    condition, sentence, why = _condition(one, running, last, alerts_known, settings, now)
    service = one.service
    facts = ("slo.availability.budget_left", "deploys.health", "alerts.firing.paging", "catalog.contact")
    evidences = [one.view.get(key) for key in facts if key in one.view.supply.specs]
    return {
        "ref": one.ref,
        "is_service": service is not None,
        "title": one.title,
        "criticality": service.criticality if service else None,
        "owner": one.owner,
        "tier": one.standing.tier if service else None,
        "level": one.standing.level,
        "condition": condition,
        "sentence": sentence,
        "cause": {"sentence": why.sentence, "action": why.action} if why else None,
        "open": [_told_episode(episode, now, None) for episode in running],
        "last_change": _told_change(last, settings, None, now) if last else None,
        "facts": [told_fact(fact) for fact in evidences if fact.state is not EvidenceState.MISSING],
        "simulated": any(episode.began.simulated for episode in running),
        "incident_view": links_of(one.ref)["incident_view"] if service else None,
    }


def _condition(
    one: Neighbour,
    running: Sequence[Episode],
    last: Seen | None,
    alerts_known: Freshness,
    settings: IncidentSettings,
    now: datetime,
) -> tuple[str, str, Why | None]:
    """Return how a dependency is doing; it is quiet only when the sources that would say otherwise are up."""
    if running:
        names = ", ".join(episode.name for episode in running[:3])
        return "alerting", f"{len(running)} open: {names}.", None
    if one.service is None:
        why = _no_service(one)
        return "unknown", f"{why.sentence}.", why
    if last and now - last.occurred_at <= settings.suspect_before:
        return "changed", f"Nothing is open; it was changed {span(now - last.occurred_at)} ago.", alerts_known.why
    if alerts_known.state != FRESH:
        return "unknown", "Nothing is known to be open, but not all of its alerts are known.", alerts_known.why
    return "quiet", "Nothing is open and nothing was changed lately.", None


def _no_service(one: Neighbour) -> Why:
    """Return why nothing can be known of a dependency, and whom to ask instead."""
    if one.standing.kind is None:
        return Why(f"{one.ref} is not in the catalog", "Register it, or correct what names it.")
    ask = f"Ask its owner, {one.owner}." if one.owner else "Give it an owner in the catalog, to know whom to ask."
    return Why(f"{one.ref} is no service, and alerts and changes are known of services only", ask)


def similar(material: Material, settings: IncidentSettings) -> dict[str, Any]:
    """Return what fired like this before."""
    content = told_similar(material.past, material.service.ref, settings)
    if not material.patterns:
        why = Why("Nothing fires, or what fires has no name to compare", "Give alerts and incidents an alert or cause.")
        return {**Freshness(UNKNOWN, why=why).told(), "patterns": [], **content}
    simulated = any(one.began.simulated for one in material.past.episodes)
    newest = max((one.began.occurred_at for one in material.past.episodes), default=None)
    freshness = Freshness(FRESH, newest, ("history",), simulated)
    return {**freshness.told(), "patterns": list(material.patterns), **content}


def headline(sections: Mapping[str, Mapping[str, Any]], now: datetime) -> str:
    """Return one sentence for somebody who has ten seconds."""
    firing = sections["alerts"]["open"]
    parts = [_firing(firing, now) if firing else _quiet(sections["alerts"]["state"])]
    suspect = [change for change in _all_changes(sections["changes"]) if change["suspect"]]
    if suspect:
        first = suspect[0]
        parts.append(f"{first['summary']} {span_of(first['age_seconds'])} ago")
    troubled = [one["ref"] for one in sections["dependencies"]["items"] if one["condition"] == "alerting"]
    if troubled:
        parts.append(f"{', '.join(troubled[:3])} upstream {'has' if len(troubled) == 1 else 'have'} open alerts")
    return "; ".join(parts) + "."


def _all_changes(section: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    return [*section["here"], *section["upstream"]]


def _firing(firing: Sequence[Mapping[str, Any]], now: datetime) -> str:
    ages = [one["age_seconds"] for one in firing if one["age_seconds"] is not None]
    names = ", ".join(one["name"] for one in firing[:3])
    since = f" for {span_of(max(ages))}" if ages else ""
    return f"{len(firing)} open{since}: {names}"


def _quiet(state: str) -> str:
    if state == FRESH:
        return "Nothing fires"
    return "Nothing is known to fire, but the sources that would tell are not all up"


def span_of(seconds: float) -> str:
    """Return a duration as people say it."""
    return span(timedelta(seconds=max(0, round(seconds))))
