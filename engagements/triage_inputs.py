"""Gathers what triage looks at, in a constant number of queries for any number of services."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Float, Text, and_, cast, func, or_, select
from sqlalchemy.orm import Session

from catalog.services import PREFIX, Service, directory, services
from engagements import support
from engagements.lifecycle.engagements import open_among
from engagements.models import HistoryEvent
from engagements.reviews import improvements
from engagements.support import SupportState
from engagements.tiers import Tier
from engagements.triage.settings import BUDGET_WINDOW, NINETY_DAYS, TWO_QUARTERS, TriageSettings
from engagements.triage.signals import (
    CATALOG,
    HISTORY,
    AxisReadiness,
    Evidence,
    Known,
    Readiness,
    Record,
    Signal,
    Unknown,
)
from plugins.health import health
from scorecards.checks.definitions import Axis, CheckCatalogue, Criticality, Status, Subject
from scorecards.evidence.derivations import derivations
from scorecards.evidence.view import EvidenceState, View
from scorecards.facts import readings
from scorecards.judging import Judging
from scorecards.models import FactChange, Scorecard

FRAMEWORK, BUSINESS_VALUE = f"{PREFIX}framework", f"{PREFIX}business-value"
SRE_TEAM = f"{PREFIX}sre-team"

ONBOARDING_FACTS = (
    "users.active_30d",
    "traffic.rps_now",
    "traffic.rps_at_launch",
    "traffic.rps_180d_ago",
    "dependents.count",
    "slo.availability.target",
    "slo.availability.budget_left",
    "incidents.sev12_90d",
    "alerts.paging.per_shift_30d",
    "incidents.repeated_causes_90d",
    "deps.count",
    "runtime.zones",
    "traffic.peak_rps_30d",
)
OVERDUE = "improvements.overdue_30d"
"""Told by the improvements that are on record here, where no source supplies it."""
HAND_BACK_FACTS = (
    *("slo.availability.actual_28d", "slo.availability.actual_180d", "traffic.peak_rps_180d"),
    *("catalog.criticality", OVERDUE, "sre.operations_share_90d"),
)
NUMBERS_RECORDED = (
    "dependents.count",
    "slo.availability.actual_28d",
    "slo.availability.budget_left",
    "traffic.peak_rps_30d",
)
WORDS_RECORDED = ("catalog.criticality",)
FOR_EVERY_SERVICE = ("dependents.count",)
"""Facts whose history is read of every service; that of the others only of services that SRE runs."""

EVENT_KINDS_SEEN = ("plan.agreed", "engagement.escalated", "pager.returned", "pager.resumed")
GATE_LEVEL = 3
"""The level that a service must reach before SRE takes it over."""

VALUE_TEXT = cast(FactChange.value, Text)
"""A recorded value as JSON text: the one form in which both databases compare and return bare numbers and words."""

Keyed = dict[tuple[str, str], Any]


def gather(
    session: Session,
    judging: Judging,
    settings: TriageSettings,
    now: datetime,
    only: Collection[str] | None = None,
) -> list[Evidence]:
    """Return the evidence on every service of the configured types, or on those of `only` (500 at most at a time)."""
    found = services(session, judging.service_types, only)
    refs = [service.ref for service in found]
    supports = support.current(session, refs)
    run_by_sre = [ref for ref in refs if supports[ref].tier is Tier.FULL_SRE]
    signals = _signals(session, judging, refs, run_by_sre, now)
    records = _records(session, _wanted(run_by_sre, only), settings, now)
    readiness = _readiness(session, judging.catalogue, only)
    events = _last_events(session, only)
    criticality = directory(session, ()).criticalities
    under_way = open_among(session, refs)
    return [
        _evidence(
            service,
            supports[service.ref],
            tuple(criticality.get(ref) for ref in service.dependents),
            signals[service.ref],
            records.get(service.ref, {}),
            readiness.get(service.ref),
            events.get(service.ref, {}),
            under_way.get(service.ref),
        )
        for service in found
    ]


def _evidence(
    service: Service,
    state: SupportState,
    dependents: tuple[str | None, ...],
    signals: Mapping[str, Signal],
    records: Mapping[str, Record],
    readiness: Readiness | None,
    events: Mapping[str, datetime],
    under_way: Mapping[str, str] | None,
) -> Evidence:
    return Evidence(
        ref=service.ref,
        name=service.name,
        title=service.title or service.name,
        owner=service.owner,
        criticality=service.criticality,
        lifecycle=service.lifecycle,
        framework=service.annotations.get(FRAMEWORK),
        sre_team=service.annotations.get(SRE_TEAM),
        stated_at=service.observed_at,
        business_value=_business_value(service),
        dependents=dependents,
        tier=state.tier,
        engagement_model=state.engagement_model,
        phase=state.phase,
        under_way=f"{under_way['engagement_model']}, in {under_way['phase']}" if under_way else None,
        engagement_id=under_way["id"] if under_way else None,
        supported_since=state.since,
        usage_forecast_rps=state.usage_forecast_rps,
        signals=signals,
        records=records,
        readiness=readiness,
        last_events=events,
    )


def _business_value(service: Service) -> Signal:
    text = service.annotations.get(BUSINESS_VALUE)
    if text is None:
        return Evidence.business_value
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 10:
        return Unknown(f"The annotation {BUSINESS_VALUE} is {text!r}, which is no number from 0 to 10.")
    return Known(value, CATALOG, service.observed_at)


def _signals(
    session: Session, judging: Judging, refs: Sequence[str], run_by_sre: Collection[str], now: datetime
) -> dict[str, dict[str, Signal]]:
    supply, observed = judging.supply(health(session, now)), readings(session, refs)
    known_facts = {key for key in (*ONBOARDING_FACTS, *HAND_BACK_FACTS) if key in judging.specs}
    more = frozenset(run_by_sre)
    signals: dict[str, dict[str, Signal]] = {}
    for ref in refs:
        view = View(observed[ref], supply, now, derivations(Subject(ref, ref), {}))
        keys = ONBOARDING_FACTS if ref not in more else (*ONBOARDING_FACTS, *HAND_BACK_FACTS)
        signals[ref] = {key: _signal(view, key) for key in keys if key in known_facts}
    for ref, overdue in improvements.overdue(session, run_by_sre, now).items():
        if not isinstance(signals[ref].get(OVERDUE), Known):
            signals[ref][OVERDUE] = Known(overdue, HISTORY, now)
    return signals


def _signal(view: View, key: str) -> Signal:
    evidence = view.get(key)
    if evidence.state is EvidenceState.FRESH:
        return Known(evidence.value, evidence.source or "", evidence.observed_at, evidence.simulated)
    if evidence.cause is None:
        return Unknown(f"{key} is {evidence.state}.")
    return Unknown(f"{evidence.cause.sentence}. {evidence.cause.action}".rstrip())


def _readiness(session: Session, catalogue: CheckCatalogue, only: Collection[str] | None) -> dict[str, Readiness]:
    blockers = {
        check.id
        for check in catalogue.checks.values()
        if check.criticality is Criticality.BLOCKER and check.level <= GATE_LEVEL
    }
    columns = [getattr(Scorecard, f"{axis}_{part}") for axis in Axis for part in ("level", "percent", "coverage")]
    query = select(Scorecard.entity_ref, Scorecard.level, Scorecard.evaluated_at, Scorecard.statuses, *columns)
    if only is not None:
        query = query.where(Scorecard.entity_ref.in_(sorted(only)))
    found = {}
    for ref, level, evaluated_at, statuses, *parts in session.execute(query):
        axes = {axis.value: AxisReadiness(*parts[3 * i : 3 * i + 3]) for i, axis in enumerate(Axis)}
        by_status: dict[str, list[str]] = defaultdict(list)
        for check_id, (status, *_) in statuses.items():
            if check_id in blockers:
                by_status[status].append(check_id)
        failing, unknown = sorted(by_status[Status.FAIL]), sorted(by_status[Status.UNKNOWN])
        found[ref] = Readiness(level, axes, tuple(failing), tuple(unknown), evaluated_at)
    return found


def _last_events(session: Session, only: Collection[str] | None) -> dict[str, dict[str, datetime]]:
    query = (
        select(HistoryEvent.entity_ref, HistoryEvent.kind, func.max(HistoryEvent.occurred_at))
        .where(HistoryEvent.kind.in_(EVENT_KINDS_SEEN))
        .group_by(HistoryEvent.entity_ref, HistoryEvent.kind)
    )
    if only is not None:
        query = query.where(HistoryEvent.entity_ref.in_(sorted(only)))
    found: dict[str, dict[str, datetime]] = defaultdict(dict)
    for ref, kind, occurred_at in session.execute(query):
        found[ref][kind] = occurred_at
    return found


def _records(
    session: Session, wanted: ColumnElement[bool], settings: TriageSettings, now: datetime
) -> dict[str, dict[str, Record]]:
    """Return what the history of facts says, by service and fact. Several sources of a fact count as one record."""
    begin = now - TWO_QUARTERS
    moments = [now - NINETY_DAYS]
    moments += [now - index * BUDGET_WINDOW for index in range(1, settings.budget_windows)]
    held = {moment: _held_at(session, wanted, moment) for moment in (begin, *moments)}
    records: dict[str, dict[str, Record]] = defaultdict(dict)
    for keys, number in ((NUMBERS_RECORDED, True), (WORDS_RECORDED, False)):
        for ref, key, source, begins_at, lowest, highest in _ranges(session, wanted, keys, number, begin):
            values = [value for value in (lowest, highest, held[begin].get((ref, key))) if value is not None]
            earlier = {at: held[at][ref, key] for at in moments if (ref, key) in held[at]}
            records[ref][key] = Record(source, begins_at, min(values), max(values), earlier)
    return records


def _wanted(run_by_sre: Collection[str], only: Collection[str] | None) -> ColumnElement[bool]:
    """Return which changes count: some facts of every service, the others of the services that SRE runs.

    There are few of those, but more than a database takes in one list of parameters if nearly all services are; then
    the list is left out, and more is read than is needed.
    """
    recorded: ColumnElement[bool] = FactChange.key.in_([*NUMBERS_RECORDED, *WORDS_RECORDED])
    if len(run_by_sre) <= 500:
        few = and_(recorded, FactChange.entity_ref.in_(sorted(run_by_sre)))
        recorded = or_(FactChange.key.in_(FOR_EVERY_SERVICE), few)
    return recorded if only is None else and_(recorded, FactChange.entity_ref.in_(sorted(only)))


def _held_at(session: Session, wanted: ColumnElement[bool], moment: datetime) -> Keyed:
    """Return the value that held at a moment, by service and fact."""
    newest = (
        select(FactChange.entity_ref, FactChange.key, func.max(FactChange.observed_at).label("at"))
        .where(wanted, FactChange.observed_at <= moment)
        .group_by(FactChange.entity_ref, FactChange.key)
        .subquery()
    )
    same = and_(
        FactChange.entity_ref == newest.c.entity_ref,
        FactChange.key == newest.c.key,
        FactChange.observed_at == newest.c.at,
    )
    query = select(FactChange.entity_ref, FactChange.key, VALUE_TEXT).join(newest, same).order_by(FactChange.source)
    return {(ref, key): orjson.loads(text) for ref, key, text in session.execute(query)}


def _ranges(
    session: Session, wanted: ColumnElement[bool], keys: Sequence[str], number: bool, begin: datetime
) -> list[tuple[str, str, str, datetime, Any, Any]]:
    """Return where each fact's record begins, and its lowest and highest value since a moment."""
    value: ColumnElement[Any] = cast(VALUE_TEXT, Float) if number else VALUE_TEXT
    recent = FactChange.observed_at >= begin
    query = (
        select(
            FactChange.entity_ref,
            FactChange.key,
            func.max(FactChange.source),
            func.min(FactChange.observed_at),
            func.min(value).filter(recent),
            func.max(value).filter(recent),
        )
        .where(wanted, FactChange.key.in_(keys))
        .group_by(FactChange.entity_ref, FactChange.key)
    )
    rows = [tuple(row) for row in session.execute(query)]
    if number:
        return rows
    return [(*row[:4], *(edge and orjson.loads(edge) for edge in row[4:])) for row in rows]
