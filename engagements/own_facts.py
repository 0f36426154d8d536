"""What the portal's own records say of services: modules, conformance, launches, exercises, policies, incidents.

They are facts like those of other sources, under the source `portal`; what another source measures counts before them.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engagements import policy_breaches
from engagements.corrections import without_corrected
from engagements.event_kinds import CORRECTION
from engagements.lifecycle.models import Engagement
from engagements.models import HistoryEvent
from engagements.reviews import incident_review
from engagements.reviews.launching.models import Launch
from engagements.reviews.words import LaunchStage
from engagements.tiers import UNIFORM_CAPABILITIES
from plugins.contract import Fact, FactSpec, FactType, FactValue
from portal_backend.core.db import chunks
from scorecards.exceptions.models import ModuleAdoption
from scorecards.exceptions.modules.adoption import BuiltOn, adoptions_of, provided
from scorecards.exceptions.modules.registry import is_supported

SOURCE = "portal"
MAX_AGE = timedelta(hours=72)
"""As of every fact that no connector declares; the records are read again every hour."""
COMPONENTS = "fw.components.registered"
REPEATED_CAUSES, INCIDENT_WINDOW = "incidents.repeated_causes_90d", timedelta(days=90)
TRAFFIC_MODULE = "traffic_load_control"


def _spec(key: str, kind: FactType, description: str, unit: str = "") -> FactSpec:
    return FactSpec(key, kind, unit, description, MAX_AGE)


FACTS = (
    _spec("fw.module.traffic", FactType.BOOLEAN, "It uses the framework's traffic and load control module"),
    _spec("fw.conformance.pass", FactType.BOOLEAN, "The framework's conformance tests pass"),
    _spec("fw.version.supported", FactType.BOOLEAN, "Its version of the framework is supported"),
    *(
        _spec(f"fw.capability.{name}", FactType.BOOLEAN, f"It uses the platform's {name}")
        for name in UNIFORM_CAPABILITIES
    ),
    _spec(COMPONENTS, FactType.BOOLEAN, "Every module that it was to be built on is one of the registry that it uses"),
    _spec("ebp.violations_90d", FactType.INTEGER, "Releases in 90 days while its signed policy forbade them", "count"),
    _spec("exercises.last_at", FactType.DATETIME, "When an emergency was last exercised"),
    _spec("ebp.approved_by", FactType.SET, "Roles that signed the error budget policy"),
    _spec("launches.open.checklist_pct", FactType.NUMBER, "Percent of the launch checklist that is done"),
    _spec("launches.last.stages", FactType.SET, "Stages that the last launch went through"),
    _spec(REPEATED_CAUSES, FactType.INTEGER, "Causes that two or more incidents of 90 days had", "count"),
)
"""Every fact that the portal's own records can supply."""

Said = dict[str, dict[str, FactValue]]


def observe(session: Session, now: datetime) -> list[Fact]:
    """Return what the records say of every service that they mention, in a constant number of queries."""
    found: Said = {}
    kept = {ref: {"ebp.violations_90d": count} for ref, count in policy_breaches.breaches(session, now).items()}
    parts = (
        *(_of_modules(session, now), _of_components(session), _of_engagements(session), _of_launches(session)),
        *(_of_incidents(session, now), kept),
    )
    for part in parts:
        for ref, says in part.items():
            found.setdefault(ref, {}).update(says)
    return [Fact(ref, key, value, now) for ref, says in sorted(found.items()) for key, value in sorted(says.items())]


def framework_of(session: Session, refs: Collection[str], now: datetime) -> dict[str, dict[str, bool]]:
    """Return what the registry of modules says of services that are built on any, by fact."""
    return {ref: dict(_of_framework(modules, now)) for ref, modules in adoptions_of(session, refs).items() if modules}


def _of_framework(modules: Collection[BuiltOn], now: datetime) -> Iterator[tuple[str, bool]]:
    built_on = list(modules)
    yield COMPONENTS, True
    yield "fw.version.supported", all(is_supported(release, now) for _, _, release in built_on)
    traffic = [release for _, module, release in built_on if module.kind == TRAFFIC_MODULE]
    yield "fw.module.traffic", any(is_supported(release, now) for release in traffic)
    given = provided(built_on, now)
    for name in UNIFORM_CAPABILITIES:
        yield f"fw.capability.{name}", name in given


def _of_modules(session: Session, now: datetime) -> Said:
    found: Said = {}
    for few in chunks(sorted(session.scalars(select(ModuleAdoption.entity_ref).distinct()))):
        found.update({ref: dict(says) for ref, says in framework_of(session, few, now).items()})
    return found


def _of_components(session: Session) -> Said:
    """Whether every module chosen in an engagement is one of the registry that the service uses."""
    used: dict[str, set[str]] = {}
    for ref, module in session.execute(select(ModuleAdoption.entity_ref, ModuleAdoption.module)):
        used.setdefault(ref, set()).add(module)
    query = select(Engagement.entity_ref, Engagement.document).order_by(Engagement.requested_at, Engagement.id)
    chosen = {
        ref: {module["name"] for module in document["modules"]}
        for ref, document in session.execute(query)
        if document.get("modules")
    }
    return {ref: {COMPONENTS: names <= used.get(ref, set())} for ref, names in chosen.items()}


def _of_engagements(session: Session) -> Said:
    """Conformance as it was reported last, the last exercise, and who signed a policy; of closed engagements too."""
    found: Said = {}
    query = select(Engagement.entity_ref, Engagement.document).order_by(Engagement.requested_at, Engagement.id)
    for ref, document in session.execute(query):
        says = found.setdefault(ref, {})
        says.update(_reported(document))
        held = [each["held_at"] for each in document.get("trainings") or () if each["kind"] == "ops_exercise"]
        if held:
            says["exercises.last_at"] = max(*held, str(says.get("exercises.last_at", "")))
    return {ref: says for ref, says in found.items() if says}


def _reported(document: Mapping[str, Any]) -> Iterator[tuple[str, FactValue]]:
    reported = (document.get("conformance") or {}).get("facts") or {}
    declared = {spec.key for spec in FACTS}
    yield from ((key, value) for key, value in reported.items() if key in declared)
    agreement = document.get("agreement") or {}
    if agreement.get("error_budget_policy"):
        yield "ebp.approved_by", sorted(agreement.get("signatures") or ())


def _of_launches(session: Session) -> Said:
    """Of the launch of each service that was planned last: how much of its checklist is done, and its stages."""
    found: Said = {}
    query = select(Launch).where(Launch.stage != LaunchStage.ABORTED.value).order_by(Launch.created_at, Launch.id)
    for launch in session.scalars(query):
        items = launch.checklist["items"]
        answered = sum(item["key"] in launch.answers for item in items)
        says = found.setdefault(launch.entity_ref, {})
        says["launches.open.checklist_pct"] = round(100.0 * answered / len(items), 1) if items else 100.0
        if launch.stages:
            says["launches.last.stages"] = sorted({stage["stage"] for stage in launch.stages})
    return found


def _of_incidents(session: Session, now: datetime) -> Said:
    """How many causes came back, of services whose incidents tell theirs; without what a correction took back."""
    event = HistoryEvent
    told = (event.kind, event.occurred_at, event.source_event_id, event.summary, event.link, event.details)
    query = select(event.entity_ref, event.sequence, *told).where(
        event.kind.in_(("incident.opened", "postmortem.published", CORRECTION)),
        event.occurred_at > now - INCIDENT_WINDOW,
        event.occurred_at <= now,
    )
    events: dict[str, list[dict[str, Any]]] = {}
    for row in without_corrected(session.execute(query.order_by(event.occurred_at, event.sequence))):
        events.setdefault(row.entity_ref, []).append(incident_review.told(row))
    found = {ref: incident_review.repeated(of_one) for ref, of_one in events.items()}
    return {ref: {REPEATED_CAUSES: count} for ref, count in found.items() if count is not None}
