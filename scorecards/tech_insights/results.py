"""The verdicts on services, and the observations that they rest on: all that this package asks of the judging core.

Verdicts come from the stored scorecards, in a number of queries that grows with neither services nor checks. A service
whose stored verdicts no longer hold (evidence went stale, or the checks are others) is judged afresh for the answer.
"""

from collections.abc import Collection, Mapping, Sequence, Set
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from plugins.health import SourceState, health
from portal_backend.core.clock import format_time
from portal_backend.core.quick_reading import Reader
from scorecards import scorecard
from scorecards.assessment.portions import Loaded
from scorecards.assessment.verdicts import LETTERS
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
from scorecards.quick_loading import among, listed, load_one, observed_of, source_states
from scorecards.rules.related import RELATED
from scorecards.standing import STATUSES as ALL_STATUSES
from scorecards.tech_insights.answers import earliest
from scorecards.tech_insights.lasting import lasts_until

PAGE = 500
STATUS_OF = dict(zip(LETTERS, ALL_STATUSES, strict=True))
Statuses = Mapping[str, Status]
"""By check."""
FRESH, STALE = EvidenceState.FRESH.value, EvidenceState.STALE.value
CARDS = "SELECT entity_ref, valid_until, catalogue_version, document FROM scorecard WHERE entity_ref {among}"
CARD_COLUMNS = (Scorecard.entity_ref, Scorecard.valid_until, Scorecard.catalogue_version, Scorecard.document)
STATUSES = "SELECT entity_ref, CAST(statuses AS TEXT) FROM scorecard WHERE entity_ref {among}"
"""Of those of which the short form does not tell all."""


class FactSeen(NamedTuple):
    """A fact's observation that counts, in its JSON form."""

    value: Any
    state: str
    """`fresh` or `stale`; only fresh ones are judged by."""
    source: str | None
    observed_at: str | None
    until: datetime | None = None
    """When a fresh one grows stale; None when it does not."""


class Verdict(NamedTuple):
    """A verdict on one check, and what it rests on."""

    check: Check
    status: Status
    facts: Mapping[str, FactSeen]
    """By key; facts of which there is no usable observation are left out."""
    until: datetime | None
    """Until when it is told like this if nothing is written; None where no time ends that."""
    sentence: str | None = None
    """The verdict as a person reads it; None where many services are asked about at once."""


def verdicts_on(
    session: Session, reader: Reader, judging: Judging, ref: str, checks: Sequence[Check], now: datetime
) -> tuple[list[Verdict], datetime | None]:
    """Return the verdicts on one service, each with its sentence, as of now; none for what is no service.

    With them comes until when all of them are told like this if nothing is written; None where no time ends that.
    """
    one = load_one(session, reader, judging, ref, now, checks=checks)
    if one is None:
        return [], None
    subject, view = one.loaded.subjects[ref]
    in_force = one.loaded.in_force.get(ref, NOTHING_IN_FORCE)
    verdicts = [_told(judge(check, subject, view, now, in_force), now) for check in checks]
    # A run that falls silent is told of as interrupted, at a time that only its lease tells.
    running = any(state.state == SourceState.RUNNING for state in one.loaded.health.values())
    ends = [verdict.until for verdict in verdicts]
    return verdicts, earliest(*ends, in_force.changes_at, now if running else None)


def _told(result: CheckResult, now: datetime) -> Verdict:
    facts = {used.evidence.key: seen for used in result.facts if (seen := _seen(used.evidence))}
    return Verdict(result.check, result.status, facts, lasts_until(result, now), result.sentence)


def verdicts_on_many(
    session: Session, reader: Reader, judging: Judging, refs: Collection[str], checks: Sequence[Check], now: datetime
) -> dict[str, list[Verdict]]:
    """Return the verdicts on services by reference, of these checks and in their order; what is no service is absent.

    References are at most PAGE at a time.
    """
    statuses, outdated = _stored(reader, judging, refs, checks, now)
    around = _needing_more(statuses, checks)
    views: dict[str, View] = {}
    if outdated | around:
        loaded = load(session, judging, outdated | around, now)
        statuses |= _judged_afresh(loaded, outdated, judging, now)
        views = {ref: view for ref, (_, view) in loaded.subjects.items()}
    supply = judging.supply(source_states(reader, now))
    views |= _plain_views(reader, supply, statuses.keys() - views.keys(), now)
    looking = _Looking(supply, now)
    return {ref: looking.verdicts(of_ref, checks, views[ref]) for ref, of_ref in statuses.items()}


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


def _stored(
    reader: Reader, judging: Judging, refs: Collection[str], checks: Sequence[Check], now: datetime
) -> tuple[dict[str, Statuses], set[str]]:
    """Return the stored verdicts on judged services, and those whose stored verdicts no longer hold."""
    number_of = judging.plan.number_of
    wanted = [(check.id, number_of[check.id]) for check in checks]
    statuses: dict[str, Statuses] = {}
    outdated: set[str] = set()
    in_full: list[str] = []
    rows = reader.rows(CARDS.format(among=among(reader)), (listed(reader, refs),), CARD_COLUMNS)
    for ref, valid_until, version, document in rows:
        # The sources bear on the sentences of verdicts only.
        if version != judging.catalogue.version or (valid_until is not None and now > valid_until):
            outdated.add(ref)
            continue
        letters = orjson.loads(document).get("verdicts", "")
        if len(letters) == len(number_of):
            statuses[ref] = {check: STATUS_OF[letters[number]] for check, number in wanted}
        else:
            in_full.append(ref)
    if in_full:
        sql = STATUSES.format(among=among(reader))
        for ref, written in reader.rows(sql, (listed(reader, in_full),)):
            of_ref = orjson.loads(written)
            statuses[ref] = {check: Status(of_ref[check][0]) for check, _ in wanted if check in of_ref}
    return statuses, outdated


def _judged_afresh(loaded: Loaded, refs: Set[str], judging: Judging, now: datetime) -> dict[str, Statuses]:
    """Judge services whose stored verdicts no longer hold."""
    fresh: dict[str, Statuses] = {}
    for ref in refs & loaded.subjects.keys():
        in_force = loaded.in_force.get(ref, NOTHING_IN_FORCE)
        graded = scorecard.grade_service(*loaded.subjects[ref], judging.catalogue, now, in_force)
        fresh[ref] = {result.check.id: result.status for result in graded.results}
    return fresh


def _needing_more(statuses: Mapping[str, Statuses], checks: Sequence[Check]) -> set[str]:
    """Return the services with a verdict that rests on other entities' facts, or on fields of their own entity."""
    resting = [check.id for check in checks if is_from_afar(check)]
    return {
        ref
        for ref, of_ref in statuses.items()
        if any(check in of_ref and of_ref[check] is not Status.NOT_APPLICABLE for check in resting)
    }


def is_from_afar(check: Check) -> bool:
    """Say whether a check looks at what is kept with other entities, or in the catalog."""
    return any(key == MIN_SLO_TARGET.key or key.startswith((ENTITY, RELATED)) for key in check.facts)


def _plain_views(reader: Reader, supply: Supply, refs: Collection[str], now: datetime) -> dict[str, View]:
    """Return the evidence on services, but for what rests on their neighbours."""
    if not refs:
        return {}
    found = observed_of(reader, refs)
    own = derivations(Subject("", ""), {})
    own.pop(MIN_SLO_TARGET.key)
    return {ref: View(found[ref], supply, now, own) for ref in refs}


class _Looking:
    """Looks at the observations behind verdicts: at the stored documents themselves, since of many services."""

    def __init__(self, supply: Supply, now: datetime) -> None:
        self.supply = supply
        self.now = now
        self._ends: dict[tuple[str, str, timedelta | None, str], datetime] = {}
        self._written: dict[datetime, str] = {}

    def verdicts(self, statuses: Statuses, checks: Sequence[Check], view: View) -> list[Verdict]:
        """Return the verdicts with the observations that they rest on."""
        return [self._verdict(check, statuses[check.id], view) for check in checks if check.id in statuses]

    def _verdict(self, check: Check, status: Status, view: View) -> Verdict:
        facts = {key: seen for key in check.facts if (seen := self._look(view, key, check.max_age.get(key)))}
        return Verdict(check, status, facts, earliest(*[fact.until for fact in facts.values()]))

    def _look(self, view: View, key: str, max_age: timedelta | None) -> FactSeen | None:
        """Return what `View.get` finds: of a derived fact by asking it, of others from the documents."""
        if key in view.derive or not isinstance(view.readings, Observations):
            return _seen(view.get(key, max_age))
        found: FactSeen | None = None
        best = True, len(self.supply.ranks)
        for told in view.readings.told:
            entry = told.document.get(key)
            if entry is None or "value" not in entry:
                continue
            observed_at = entry.get("observed_at") or self._text(told.observed_at)
            end = self._end(told.source, key, max_age, observed_at)
            stale = end < self.now
            rank = stale, self.supply.ranks.get(told.source, len(self.supply.ranks))
            if found is None or rank < best:
                state, until = (STALE, None) if stale else (FRESH, end)
                best, found = rank, FactSeen(entry["value"], state, told.source, observed_at, until)
        return found

    def _text(self, moment: datetime | None) -> str:
        """Batches of one pull have one time."""
        if moment is None:
            raise ValueError("an entry without times is in a row without a batch")
        found = self._written.get(moment)
        if found is None:
            found = self._written[moment] = format_time(moment)
        return found

    def _end(self, source: str, key: str, narrowed: timedelta | None, observed_at: str) -> datetime:
        """Return until when an observation is fresh."""
        asked = source, key, narrowed, observed_at
        found = self._ends.get(asked)
        if found is None:
            allowed = self.supply.max_age(source, key)
            allowed = min(allowed, narrowed) if narrowed else allowed
            found = self._ends[asked] = datetime.fromisoformat(observed_at) + allowed
        return found


def _seen(evidence: Evidence) -> FactSeen | None:
    value: Any = evidence.value
    if value is None:
        return None
    if isinstance(value, datetime):
        value = format_time(value)
    elif isinstance(value, tuple):
        value = list(value)
    observed_at = format_time(evidence.observed_at) if evidence.observed_at else None
    until = evidence.valid_until if evidence.state is EvidenceState.FRESH else None
    return FactSeen(value, evidence.state.value, evidence.source, observed_at, until)
