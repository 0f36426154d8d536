"""What is due or overdue: computed when it is asked for. Signals move nothing; people do."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from catalog.services import Service, services
from engagements import circumstances, own_facts
from engagements.lifecycle.models import Engagement, OnCallSplit, ServiceRevision
from engagements.lifecycle.settings import LifecycleSettings
from engagements.lifecycle.states import EngagementState, State
from engagements.lifecycle.terms import revisions
from engagements.lifecycle.terms.oncall import ALERTS_SEEN
from engagements.lifecycle.writing import state_of
from engagements.models import HistoryEvent, Support
from engagements.tiers import Tier
from plugins.health import health
from portal_backend.core.clock import parse_time
from portal_backend.core.db import chunks
from portal_backend.core.pagination import Page, bad_cursor, decode_cursor, encode_cursor
from scorecards.evidence.view import EvidenceState, View
from scorecards.facts import readings
from scorecards.judging import Judging
from scorecards.models import FactChange


class SignalKind(StrEnum):
    """What a signal is about."""

    AGREEMENT_UNSIGNED = "agreement_unsigned"
    PAUSED_TOO_LONG = "paused_too_long"
    CONFORMANCE_LOST = "conformance_lost"
    REVIEW_DUE = "review_due"
    BACKUP_ENDED = "backup_ended"
    PAGER_REVIEW = "pager_review"
    HAND_BACK_DUE = "hand_back_due"
    ALERTS_UNROUTED = "alerts_unrouted"
    ABANDONED = "abandoned"


@dataclass(frozen=True)
class Found:
    """Something that asks for people."""

    kind: SignalKind
    entity_ref: str
    engagement: str | None
    since: datetime | None
    due: datetime | None
    """When it has to be settled; None where nobody knows since when it lasts."""
    overdue: bool
    sentence: str
    remedy: str

    @property
    def place(self) -> tuple[str, str, str]:
        """Return where it stands in the list."""
        return (self.entity_ref, self.kind.value, self.engagement or "")


def list_signals(
    session: Session,
    judging: Judging,
    settings: LifecycleSettings,
    now: datetime,
    kinds: Collection[str] = (),
    only_overdue: bool | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Found]:
    """Return a page of signals by service; raises InvalidInput when the cursor is not of this list."""
    after = _after(cursor)
    found = [
        each
        for each in compute(session, judging, settings, now)
        if (not kinds or each.kind in kinds)
        and (only_overdue is None or each.overdue is only_overdue)
        and each.place > after
    ]
    if len(found) <= limit:
        return Page(found)
    return Page(found[:limit], encode_cursor(list(found[limit - 1].place)))


def overdue(session: Session, judging: Judging, settings: LifecycleSettings, now: datetime) -> set[str]:
    """Return the services of which a signal is overdue."""
    return {each.entity_ref for each in compute(session, judging, settings, now) if each.overdue}


def compute(session: Session, judging: Judging, settings: LifecycleSettings, now: datetime) -> list[Found]:
    """Return every signal, by service, in a constant number of queries."""
    rows = session.scalars(select(Engagement).where(Engagement.closed_at.is_(None)))
    engaged = {state.entity_ref: state for state in map(state_of, rows)}
    found: list[Found] = []
    for state in engaged.values():
        found += _of_terms(state, settings, now)
    found += _conformance(session, judging, engaged, settings, now)
    supported = {
        row.entity_ref: row.evidence
        for row in session.scalars(select(Support).where(Support.tier == Tier.FULL_SRE.value))
    }
    catalog = services(session, judging.service_types, sorted(supported)) if supported else []
    found += _reviews(session, supported, catalog, engaged, settings, now)
    found += _abandoned(session, catalog, engaged, settings, now)
    found += _unrouted(session, engaged, settings, now)
    return sorted(found, key=lambda each: each.place)


def _of_terms(state: EngagementState, settings: LifecycleSettings, now: datetime) -> Iterator[Found]:
    """Yield what follows from the terms of one engagement alone."""

    def signal(kind: SignalKind, since: datetime | None, due: datetime, sentence: str, remedy: str) -> Found:
        return Found(kind, state.entity_ref, state.id, since, due, now > due, sentence, remedy)

    if state.state is State.ENGAGEMENT and len(state.section("agreement").get("signatures", ())) < 2:
        yield signal(
            SignalKind.AGREEMENT_UNSIGNED,
            state.state_since,
            state.state_since + settings.agreement_due,
            "The agreement is not signed by both sides.",
            "Let both leads sign it, or withdraw.",
        )
    paused_until = state.moment("pause", "until")
    if state.paused and paused_until:
        since = state.moment("pause", "at")
        remedy = f"Resume it with `to: {state.state}`, or end it."
        yield signal(SignalKind.PAUSED_TOO_LONG, since, paused_until, "The engagement is paused.", remedy)
    yield from _of_takeover(state, signal, now)


def _of_takeover(state: EngagementState, signal: Any, now: datetime) -> Iterator[Found]:
    backup = state.moment("backup", "until")
    if state.state is State.ACTIVE and backup and backup <= now:
        sentence = f"The developers' back-up ended on {backup:%Y-%m-%d}."
        yield signal(SignalKind.BACKUP_ENDED, backup, backup, sentence, "Agree on a new back-up, or confirm the end.")
    review_on = state.moment("pager", "review_on")
    if state.state is State.ACTIVE and state.section("pager").get("carrier") == "dev" and review_on:
        since = state.moment("pager", "returned_at")
        remedy = "Review it: SRE resumes the pager, or the service is handed back."
        yield signal(SignalKind.PAGER_REVIEW, since, review_on, "The developers carry the pager.", remedy)
    until = state.moment("notice", "until")
    if state.state is State.DISENGAGING and until:
        since, sentence = state.moment("notice", "at"), f"The notice runs until {until:%Y-%m-%d}."
        yield signal(SignalKind.HAND_BACK_DUE, since, until, sentence, "Fulfil the duties and complete the hand-back.")


def _conformance(
    session: Session,
    judging: Judging,
    engaged: Mapping[str, EngagementState],
    settings: LifecycleSettings,
    now: datetime,
) -> Iterator[Found]:
    """Yield services on a framework whose conformance tests fail, or whose version is not supported any more."""
    watched = (State.CONFORMANT, State.PLATFORM_ACTIVE)
    refs = {ref for ref, state in engaged.items() if state.state in watched}
    refs |= set(session.scalars(select(Support.entity_ref).where(Support.tier == Tier.PLATFORM.value)))
    measured = _measured(session, judging, refs, now)
    lost_at = _lost_at(session, refs)
    for ref in sorted(refs):
        state = engaged.get(ref)
        reported = state.section("conformance") if state else {}
        says = {**reported.get("facts", {}), **measured.get(ref, {})}
        for key, words in _CONFORMANCE_WORDS.items():
            if says.get(key) is not False:
                continue
            told = reported.get("lost_at")
            since = lost_at.get((ref, key)) or (parse_time(told) if told else None)
            due = since and since + settings.conformance_due
            late = due is not None and now > due
            remedy = "Restore it, or move the engagement back to adopting."
            yield Found(SignalKind.CONFORMANCE_LOST, ref, state.id if state else None, since, due, late, words, remedy)
            break


_CONFORMANCE_WORDS = {
    circumstances.CONFORMANCE_FACT: "The framework's conformance tests fail.",
    circumstances.SUPPORTED_VERSION_FACT: "The framework's version is not supported any more.",
}


def _measured(session: Session, judging: Judging, refs: Collection[str], now: datetime) -> dict[str, dict[str, bool]]:
    supply = judging.supply(health(session, now))
    found: dict[str, dict[str, bool]] = {}
    for few in chunks(sorted(refs)):
        for ref, observed in readings(session, few).items():
            view = View(observed, supply, now)
            seen = {key: view.get(key) for key in _CONFORMANCE_WORDS if key in judging.specs}
            fresh = {key: each for key, each in seen.items() if each.state is EvidenceState.FRESH}
            found[ref] = {key: bool(each.value) for key, each in fresh.items() if each.source != own_facts.SOURCE}
    return found


def _lost_at(session: Session, refs: Collection[str]) -> dict[tuple[str, str], datetime]:
    """Return when each conformance fact changed last."""
    found: dict[tuple[str, str], datetime] = {}
    columns = (FactChange.entity_ref, FactChange.key, func.max(FactChange.observed_at))
    for few in chunks(sorted(refs)):
        query = select(*columns).where(FactChange.entity_ref.in_(few), FactChange.key.in_(list(_CONFORMANCE_WORDS)))
        for ref, key, moment in session.execute(query.group_by(FactChange.entity_ref, FactChange.key)):
            found[ref, key] = moment
    return found


def _reviews(
    session: Session,
    supported: Mapping[str, Mapping[str, Any]],
    catalog: Sequence[Service],
    engaged: Mapping[str, EngagementState],
    settings: LifecycleSettings,
    now: datetime,
) -> Iterator[Found]:
    """Yield services that SRE runs in another major revision than was reviewed."""
    running = revisions.current(
        session, {service.ref: service.annotations.get(revisions.REVISION_ANNOTATION) for service in catalog}
    )
    set_at = {
        row.entity_ref: row.set_at
        for few in chunks(sorted(running))
        for row in session.scalars(select(ServiceRevision).where(ServiceRevision.entity_ref.in_(few)))
        if row.revision == running[row.entity_ref]
    }
    for ref, revision in sorted(running.items()):
        reviewed = supported[ref].get("prr_revision")
        if revision is None or revision == reviewed:
            continue
        since, state = set_at.get(ref), engaged.get(ref)
        due = since and since + settings.revision_review_due
        late = due is not None and now > due
        sentence = f"Major revision {revision} runs; {reviewed or 'none that is named'} was reviewed."
        if since is None:
            sentence += " Since when is not on record: PUT …/revision records it."
        remedy = "Review it again: move the engagement from active to analysis."
        yield Found(SignalKind.REVIEW_DUE, ref, state.id if state else None, since, due, late, sentence, remedy)


def _abandoned(
    session: Session,
    catalog: Sequence[Service],
    engaged: Mapping[str, EngagementState],
    settings: LifecycleSettings,
    now: datetime,
) -> Iterator[Found]:
    """Yield services that SRE runs though they are abandoned: these return to their developers."""
    refs = sorted(service.ref for service in catalog if service.lifecycle == "abandoned")
    since: dict[str, datetime] = {}
    for few in chunks(refs):
        changed = select(HistoryEvent.entity_ref, func.max(HistoryEvent.occurred_at)).where(
            HistoryEvent.entity_ref.in_(few), HistoryEvent.kind == "service.lifecycle_changed"
        )
        since.update((ref, at) for ref, at in session.execute(changed.group_by(HistoryEvent.entity_ref)))
    for ref in refs:
        began, state = since.get(ref), engaged.get(ref)
        due = began and began + settings.abandoned_due
        late = due is not None and now > due
        remedy = "Hand it back: move the engagement to disengaging with the outcome importance_fell."
        sentence = "The service is abandoned: its developers have it again, with SRE's best effort."
        yield Found(SignalKind.ABANDONED, ref, state.id if state else None, began, due, late, sentence, remedy)


def _unrouted(
    session: Session, engaged: Mapping[str, EngagementState], settings: LifecycleSettings, now: datetime
) -> Iterator[Found]:
    """Yield services with a split of on-call duties that leaves alerts open."""
    routes = {row.entity_ref: row.routes for row in session.scalars(select(OnCallSplit))}
    for few in chunks(sorted(routes)):
        open_alerts: dict[str, dict[str, datetime]] = {}
        query = (
            select(HistoryEvent.entity_ref, HistoryEvent.details, HistoryEvent.occurred_at)
            .where(
                HistoryEvent.entity_ref.in_(few),
                HistoryEvent.kind == "alert.fired",
                HistoryEvent.occurred_at >= now - ALERTS_SEEN,
            )
            .order_by(HistoryEvent.occurred_at)
        )
        for ref, details, moment in session.execute(query):
            alert = details.get("alert")
            if alert and alert not in routes[ref]:
                open_alerts.setdefault(ref, {}).setdefault(str(alert), moment)
        for ref, alerts in sorted(open_alerts.items()):
            since, state = min(alerts.values()), engaged.get(ref)
            due = since + settings.alerts_unrouted_due
            sentence = f"Nobody's alerts: {', '.join(sorted(alerts))}."
            remedy = "Give each one scope with PUT …/oncall-split."
            yield Found(
                SignalKind.ALERTS_UNROUTED, ref, state.id if state else None, since, due, now > due, sentence, remedy
            )


def _after(cursor: str | None) -> tuple[str, str, str]:
    if cursor is None:
        return ("", "", "")
    match decode_cursor(cursor):
        case [str(ref), str(kind), str(engagement)]:
            return (ref, kind, engagement)
    raise bad_cursor()
