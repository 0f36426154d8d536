"""Keeps what triage finds of each service beside the facts, so that no request has to judge the fleet.

The roof calls `refresh` for the services that it judged, and `upkeep` now and then for those whose results grew old:
what a row rests on goes stale by itself, and a neighbour's criticality bears on it too.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session, defer

from engagements import history
from engagements.capacity.teams import team_ref
from engagements.lifecycle.models import Engagement
from engagements.models import Support
from engagements.tiers import Tier
from engagements.triage.candidates import SUPPORTED, Frameworks, OnboardRow, onboard_row
from engagements.triage.directions import Direction, direction_of
from engagements.triage.hand_back import HandBackRow, hand_back_row
from engagements.triage.hand_back_terms import State
from engagements.triage.settings import TriageSettings
from engagements.triage.signals import Evidence, Known
from engagements.triage_inputs import gather
from engagements.triage_lists import snapshots
from engagements.triage_models import TriageResult, TriageRun
from engagements.triage_schemas import HandBackRowSchema, OnboardRowSchema
from portal_backend.core.clock import format_time
from portal_backend.core.db import chunks, upsert
from portal_backend.core.errors import InvalidInput
from scorecards.judging import Judging
from scorecards.loading import service_refs

BATCH = 500
RAISING = ("R1", "R2")
"""Rules that raise a candidate; a high value alone is a place on the list, not an event."""


@dataclass(frozen=True)
class RefreshReport:
    """What a refresh did."""

    computed: int = 0
    changed: int = 0
    removed: int = 0
    raised: int = 0


def refresh(
    session: Session,
    judging: Judging,
    refs: Collection[str] | None,
    now: datetime,
    settings: TriageSettings | None = None,
) -> RefreshReport:
    """Triage services again, those of `refs` or all, and keep what is found; rows of what is no service any more go.

    Records an event where R1 or R2 begins to raise a candidate. Within the caller's transaction.
    """
    numbers = settings or TriageSettings()
    if refs is None:
        _note_run(session, numbers, now)
        refs = [*service_refs(session, judging), *session.scalars(select(TriageResult.entity_ref))]
    reports = [_refresh(session, judging, batch, now, numbers) for batch in chunks(sorted(set(refs)), BATCH)]
    return RefreshReport(*(sum(each) for each in zip(*(asdict(report).values() for report in reports), strict=True)))


def upkeep(
    session: Session, judging: Judging, now: datetime, settings: TriageSettings | None = None, limit: int = BATCH
) -> RefreshReport:
    """Triage again what is due: new services, rows grown old, all after the settings changed; `limit` at most.

    Call it until it computes nothing, each time in a transaction of its own.
    """
    numbers = settings or TriageSettings()
    return refresh(session, judging, due(session, judging, now, numbers)[:limit], now, numbers)


def due(session: Session, judging: Judging, now: datetime, settings: TriageSettings) -> list[str]:
    """Return the services to triage again, and what has a row but is no service any more; the oldest first."""
    _note_run(session, settings, now)
    known = dict(session.execute(select(TriageResult.entity_ref, TriageResult.refresh_by)).all())
    existing, moved = service_refs(session, judging), _moved(session)
    old = sorted((at, ref) for ref, at in known.items() if at <= now or ref not in existing or ref in moved)
    return [*sorted(existing - known.keys()), *(ref for _, ref in old)]


def _moved(session: Session) -> set[str]:
    """Return the services whose support, or an engagement with them, moved since they were triaged."""
    supported = select(TriageResult.entity_ref).join(Support, Support.entity_ref == TriageResult.entity_ref)
    engaged = select(TriageResult.entity_ref).join(Engagement, Engagement.entity_ref == TriageResult.entity_ref)
    since = or_(Engagement.state_since > TriageResult.computed_at, Engagement.closed_at > TriageResult.computed_at)
    queries = (supported.where(Support.tier != TriageResult.tier), engaged.where(since))
    return {ref for query in queries for ref in session.scalars(query)}


def _note_run(session: Session, settings: TriageSettings, now: datetime) -> None:
    """Remember by which settings the lists are made; when they changed, every row is due."""
    digest = settings_digest(settings)
    run = session.get(TriageRun, 1)
    if run is not None and run.settings_digest == digest:
        return
    session.execute(update(TriageResult).values(refresh_by=now))
    upsert(session, TriageRun, [{"id": 1, "computed_at": now, "settings_digest": digest}], ["id"])
    session.expire_all()


def settings_digest(settings: TriageSettings) -> str:
    """Return the digest of all numbers of triage."""
    plain = {name: value.total_seconds() if isinstance(value, timedelta) else value
             for name, value in asdict(settings).items()}  # fmt: skip
    return hashlib.sha256(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _refresh(
    session: Session, judging: Judging, refs: Sequence[str], now: datetime, settings: TriageSettings
) -> RefreshReport:
    evidences = gather(session, judging, settings, now, refs)
    stored = select(TriageResult).where(TriageResult.entity_ref.in_(refs)).options(defer(TriageResult.document))
    before = {row.entity_ref: row for row in session.scalars(stored)}
    frameworks = _frameworks(session, evidences, refs)
    rows = [row_of(evidence, frameworks, settings, now) for evidence in evidences]
    raised = candidate_events(rows, before, now)
    recorded = history.record(session, raised, now)
    gone = sorted(set(refs) - {row["entity_ref"] for row in rows})
    session.execute(delete(TriageResult).where(TriageResult.entity_ref.in_(gone)))
    for row in rows:
        row["inputs_digest"] = _digest(row)
    changed = [row for row in rows if _differs(row, before.get(row["entity_ref"]))]
    upsert(session, TriageResult, changed, ["entity_ref"])
    same = sorted({row["entity_ref"] for row in rows} - {row["entity_ref"] for row in changed})
    times = {"computed_at": now, "refresh_by": now + settings.refresh_after}
    session.execute(update(TriageResult).where(TriageResult.entity_ref.in_(same)).values(times))
    snapshots.take(session, changed, gone, now)
    session.expire_all()
    return RefreshReport(len(rows), len(changed), len(set(gone) & before.keys()), recorded)


def _digest(row: Mapping[str, Any]) -> str:
    """Return the digest of all that was found, whenever that was."""
    plain = {name: value for name, value in row.items() if name not in {"computed_at", "refresh_by", "document"}}
    return hashlib.sha256(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS) + row["document"]).hexdigest()


def _differs(row: Mapping[str, Any], known: TriageResult | None) -> bool:
    return known is None or known.inputs_digest != row["inputs_digest"]


def _frameworks(session: Session, evidences: Sequence[Evidence], refs: Collection[str]) -> Frameworks:
    """Return the frameworks that SRE supports anywhere: of these services as they are, of the others as last seen."""
    query = select(TriageResult.framework, TriageResult.tier).where(
        TriageResult.tier.in_([tier.value for tier in SUPPORTED]), TriageResult.framework.is_not(None),
        TriageResult.entity_ref.not_in(refs),
    )  # fmt: skip
    known = Frameworks.of(evidences)
    others = [(framework, Tier(tier)) for framework, tier in session.execute(query.distinct())]
    return Frameworks(
        frozenset({*known.supported, *(framework for framework, _ in others if framework)}),
        frozenset({*known.platform, *(each for each, tier in others if each and tier is Tier.PLATFORM)}),
    )


def row_of(evidence: Evidence, frameworks: Frameworks, settings: TriageSettings, now: datetime) -> dict[str, Any]:
    """Return what the table keeps of a service."""
    onboard = onboard_row(evidence, frameworks, settings, now)
    found: OnboardRow | HandBackRow = onboard
    place, verdict = 0.0, "stay"
    rules = [reason.rule for reason in onboard.reasons if reason.state is State.MET]
    direction = direction_of(evidence)
    if direction is Direction.HAND_BACK:
        found = hand_back_row(evidence, settings, now)
        rules = [rule.id for rule in found.rules if rule.state is State.MET]
        place, verdict = float(found.urgency), "hand_back" if rules else "keep"
    elif direction is Direction.ONBOARD:
        place, verdict = -onboard.value, onboard.verdict
    document = _document(found)
    return {
        "entity_ref": evidence.ref,
        "direction": direction.value if direction else "none",
        "place": place,
        "value": onboard.value,
        "confidence": onboard.confidence,
        "verdict": verdict,
        "rules_met": "".join(f"|{rule}" for rule in rules) + ("|" if rules else ""),
        "points": {term.signal: term.points for term in onboard.terms},
        **_stated(evidence, onboard),
        "raised": {},
        "computed_at": now,
        "refresh_by": now + settings.refresh_after,
        "inputs_digest": "",
        "document": document,
    }


def _stated(evidence: Evidence, onboard: OnboardRow) -> dict[str, Any]:
    pages = evidence.signal("alerts.paging.per_shift_30d")
    return {
        "title": evidence.title,
        "owner": evidence.owner,
        "criticality": evidence.criticality,
        "lifecycle": evidence.lifecycle,
        "tier": evidence.tier.value,
        "framework": evidence.framework,
        "team_ref": _team(evidence.sre_team),
        "pages_per_shift": float(pages.value) if isinstance(pages, Known) else None,
        "barriers": [barrier.barrier for barrier in onboard.barriers],
    }


def _team(stated: str | None) -> str | None:
    """Return the reference that an annotation states; what is none is left out."""
    try:
        return team_ref(stated) if stated else None
    except InvalidInput:
        return None


def _document(row: OnboardRow | HandBackRow) -> bytes:
    schema = OnboardRowSchema() if isinstance(row, OnboardRow) else HandBackRowSchema()
    return orjson.dumps(schema.dump(row))


def candidate_events(
    rows: Sequence[dict[str, Any]], before: Mapping[str, TriageResult], now: datetime
) -> list[history.NewEvent]:
    """Return an event for each rule that begins to raise a candidate, and note in the rows when it did.

    A rule that nobody can judge for a while neither ends nor begins anything.
    """
    events = []
    for row in rows:
        known = before.get(row["entity_ref"])
        reasons = {each["rule"]: each for each in orjson.loads(row["document"]).get("reasons", ())}
        for rule in RAISING if row["direction"] == "onboard" else ():
            since = known.raised.get(rule) if known else None
            state = reasons[rule]["state"]
            if state == State.MET and since is None:
                since = format_time(now)
                events.append(_event(row["entity_ref"], rule, reasons[rule]["sentence"], row["value"], now))
            if since is not None and state != State.NOT_MET:
                row["raised"] = {**row["raised"], rule: since}
    return events


def _event(ref: str, rule: str, sentence: str, value: float, now: datetime) -> history.NewEvent:
    return history.NewEvent(
        entity_ref=ref,
        kind="triage.candidate_raised",
        occurred_at=now,
        source=history.PORTAL,
        source_event_id=f"triage/{ref}/{rule}/{format_time(now.astimezone(UTC))}",
        summary=f"{rule} raises it as a candidate for more support: {sentence}",
        details={"rule": rule, "value": value},
    )
