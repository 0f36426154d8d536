"""The verdicts on services, and the observations that they rest on: all that this package asks of the judging core.

Verdicts come from the stored scorecards, in a number of queries that grows with neither services nor checks. A service
whose stored verdicts no longer hold (evidence went stale, or the checks are others) is judged afresh for the answer.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugins.health import health
from portal_backend.core.clock import format_time
from portal_backend.core.quick_reading import Reader
from scorecards import scorecard
from scorecards.assessment.portions import Loaded
from scorecards.bulk import among
from scorecards.changes import Statuses
from scorecards.checks.definitions import Check, Status, Subject
from scorecards.evaluation import CheckResult, judge
from scorecards.evidence.causes import ENTITY, Supply
from scorecards.evidence.derivations import MIN_SLO_TARGET, derivations
from scorecards.evidence.observations import Observations
from scorecards.evidence.view import Evidence, EvidenceState, View
from scorecards.exceptions.in_force import NOTHING_IN_FORCE
from scorecards.facts import readings
from scorecards.judging import Judging
from scorecards.loading import load
from scorecards.models import Scorecard
from scorecards.quick_loading import load_one

PAGE = 500
STATUSES = {status.value: status for status in Status}


@dataclass(frozen=True)
class FactSeen:
    """A fact's observation that counts, in its JSON form."""

    value: Any
    state: str
    """`fresh` or `stale`; only fresh ones are judged by."""
    source: str | None
    observed_at: str | None


@dataclass(frozen=True)
class Verdict:
    """A verdict on one check, and what it rests on."""

    check: Check
    status: Status
    facts: Mapping[str, FactSeen]
    """By key; facts of which there is no usable observation are left out."""
    sentence: str | None = None
    """The verdict as a person reads it; None where many services are asked about at once."""


def verdicts_on(
    session: Session, reader: Reader, judging: Judging, ref: str, checks: Sequence[Check], now: datetime
) -> list[Verdict]:
    """Return the verdicts on one service, each with its sentence, as of now; none for what is no service."""
    one = load_one(session, reader, judging, ref, now)
    if one is None:
        return []
    subject, view = one.loaded.subjects[ref]
    in_force = one.loaded.in_force.get(ref, NOTHING_IN_FORCE)
    return [_told(judge(check, subject, view, now, in_force)) for check in checks]


def _told(result: CheckResult) -> Verdict:
    facts = {used.evidence.key: seen for used in result.facts if (seen := _seen(used.evidence))}
    return Verdict(result.check, result.status, facts, result.sentence)


def verdicts_on_many(
    session: Session, judging: Judging, refs: Collection[str], checks: Sequence[Check], now: datetime
) -> dict[str, list[Verdict]]:
    """Return the verdicts on services by reference, of these checks and in their order; what is no service is absent.

    References are at most PAGE at a time.
    """
    here = among(session, Scorecard.entity_ref, sorted(refs))
    rows = {row.entity_ref: row for row in session.execute(_stored().where(here))}
    outdated = {ref for ref, row in rows.items() if not _holds(row, judging, now)}
    statuses = {ref: row.statuses for ref, row in rows.items() if ref not in outdated}
    around = _needing_more(statuses, checks)
    views: dict[str, View] = {}
    if outdated | around:
        loaded = load(session, judging, outdated | around, now)
        statuses |= _judged_afresh(loaded, outdated, judging, now)
        views = {ref: view for ref, (_, view) in loaded.subjects.items()}
    supply = judging.supply(health(session, now))
    views |= _plain_views(session, supply, statuses.keys() - views.keys(), now)
    looking = _Looking(supply, now)
    return {ref: list(looking.verdicts(of_ref, checks, views[ref])) for ref, of_ref in statuses.items()}


def judged_after(session: Session, ref: str) -> list[str]:
    """Return the next PAGE services by reference that come after this one."""
    query = select(Scorecard.entity_ref).where(Scorecard.entity_ref > ref).order_by(Scorecard.entity_ref)
    return list(session.scalars(query.limit(PAGE)))


def observations(
    session: Session, reader: Reader, judging: Judging, ref: str, keys: Set[str], now: datetime
) -> dict[str, FactSeen]:
    """Return the observations that count of one entity's facts, the derived ones among them, by key.

    Of what is no service, only what sources report is known.
    """
    one = load_one(session, reader, judging, ref, now, around=True)
    if one:
        view = one.loaded.subjects[ref][1]
    else:
        view = View(readings(session, [ref])[ref], judging.supply(health(session, now)), now)
        keys = keys & judging.specs.keys()
    return {key: seen for key in keys if (seen := _seen(view.get(key)))}


def _stored() -> Any:
    return select(Scorecard.entity_ref, Scorecard.statuses, Scorecard.valid_until, Scorecard.catalogue_version)


def _holds(row: Any, judging: Judging, now: datetime) -> bool:
    """Say whether stored verdicts are what a fresh judgement would say; the sources bear on its sentences only."""
    in_time = row.valid_until is None or now <= row.valid_until
    return bool(in_time and row.catalogue_version == judging.catalogue.version)


def _judged_afresh(loaded: Loaded, refs: Set[str], judging: Judging, now: datetime) -> dict[str, Statuses]:
    """Judge services whose stored verdicts no longer hold."""
    fresh: dict[str, Statuses] = {}
    for ref in refs & loaded.subjects.keys():
        in_force = loaded.in_force.get(ref, NOTHING_IN_FORCE)
        graded = scorecard.grade_service(*loaded.subjects[ref], judging.catalogue, now, in_force)
        fresh[ref] = {result.check.id: [result.status.value] for result in graded.results}
    return fresh


def _needing_more(statuses: Mapping[str, Statuses], checks: Sequence[Check]) -> set[str]:
    """Return the services with a verdict that rests on other entities' facts, or on fields of their own entity."""
    resting = [check.id for check in checks if is_from_afar(check)]
    return {
        ref
        for ref, of_ref in statuses.items()
        if any(check in of_ref and of_ref[check][0] != Status.NOT_APPLICABLE for check in resting)
    }


def is_from_afar(check: Check) -> bool:
    """Say whether a check looks at what is kept with other entities, or in the catalog."""
    return any(key == MIN_SLO_TARGET.key or key.startswith(ENTITY) for key in check.facts)


def _plain_views(session: Session, supply: Supply, refs: Collection[str], now: datetime) -> dict[str, View]:
    """Return the evidence on services, but for what rests on their neighbours."""
    if not refs:
        return {}
    found = readings(session, refs)
    own = derivations(Subject("", ""), {})
    own.pop(MIN_SLO_TARGET.key)
    return {ref: View(found[ref], supply, now, own) for ref in refs}


class _Looking:
    """Looks at the observations behind verdicts: at the stored documents themselves, since of many services."""

    def __init__(self, supply: Supply, now: datetime) -> None:
        self.supply = supply
        self.now = now
        self._allowed: dict[tuple[str, str, timedelta | None], timedelta] = {}

    def verdicts(self, statuses: Statuses, checks: Sequence[Check], view: View) -> Iterator[Verdict]:
        for check in checks:
            if check.id in statuses:
                facts = {key: seen for key in check.facts if (seen := self._look(view, key, check.max_age.get(key)))}
                yield Verdict(check, STATUSES[statuses[check.id][0]], facts)

    def _look(self, view: View, key: str, max_age: timedelta | None) -> FactSeen | None:
        """Return what `View.get` finds: of a derived fact by asking it, of others from the documents."""
        if key in view.derive or not isinstance(view.readings, Observations):
            return _seen(view.get(key, max_age))
        found: tuple[bool, int, FactSeen] | None = None
        for source, document in view.readings.documents:
            entry = document.get(key)
            if entry is None or "value" not in entry:
                continue
            stale = datetime.fromisoformat(entry["observed_at"]) + self._max_age(source, key, max_age) < self.now
            rank = self.supply.ranks.get(source, len(self.supply.ranks))
            if found is None or (stale, rank) < found[:2]:
                state = EvidenceState.STALE if stale else EvidenceState.FRESH
                found = stale, rank, FactSeen(entry["value"], state.value, source, entry["observed_at"])
        return found[2] if found else None

    def _max_age(self, source: str, key: str, narrowed: timedelta | None) -> timedelta:
        allowed = self._allowed.get((source, key, narrowed))
        if allowed is None:
            allowed = self.supply.max_age(source, key)
            allowed = self._allowed[source, key, narrowed] = min(allowed, narrowed) if narrowed else allowed
        return allowed


def _seen(evidence: Evidence) -> FactSeen | None:
    value: Any = evidence.value
    if value is None:
        return None
    if isinstance(value, datetime):
        value = format_time(value)
    elif isinstance(value, tuple):
        value = list(value)
    observed_at = format_time(evidence.observed_at) if evidence.observed_at else None
    return FactSeen(value, evidence.state.value, evidence.source, observed_at)
