"""The verdicts on services, and the observations that they rest on: all that this package asks of the judging core.

Of many services, verdicts come from the stored scorecards, in a number of queries that grows with neither services nor
checks. A service whose stored verdicts no longer hold (evidence went stale, or the checks are others) is judged afresh
for the answer.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugins.health import SourceState, health
from portal_backend.core.quick_reading import Reader
from scorecards import scorecard
from scorecards.assessment.portions import Loaded
from scorecards.checks.definitions import Check
from scorecards.evaluation import CheckResult, judge
from scorecards.evidence.view import View
from scorecards.exceptions.in_force import NOTHING_IN_FORCE
from scorecards.facts import readings
from scorecards.judging import Judging
from scorecards.loading import load
from scorecards.models import Scorecard
from scorecards.quick_loading import load_one
from scorecards.tech_insights.answers import earliest
from scorecards.tech_insights.lasting import lasts_until
from scorecards.tech_insights.looking import Documents, FactSeen, in_view, is_from_afar, seen
from scorecards.tech_insights.stored import Gathered, Letters
from scorecards.tech_insights.writing import LEFT_OUT, LETTER_OF, Look, Stencils

PAGE = 500


class Verdicts(NamedTuple):
    """The verdicts on one service, and what finds the observations that they rest on."""

    ref: str
    letters: Letters
    look: Look
    until: datetime | None
    """Until when the verdicts hold; None while no time ends that."""


def verdicts_on(
    session: Session, reader: Reader, judging: Judging, ref: str, checks: Sequence[Check], now: datetime
) -> tuple[list[CheckResult], datetime | None]:
    """Return the verdicts on one service, each with its sentence, as of now; none for what is no service.

    With them comes until when all of them are told like this if nothing is written; None where no time ends that.
    """
    one = load_one(session, reader, judging, ref, now, checks=checks)
    if one is None:
        return [], None
    subject, view = one.loaded.subjects[ref]
    in_force = one.loaded.in_force.get(ref, NOTHING_IN_FORCE)
    results = [judge(check, subject, view, now, in_force) for check in checks]
    # A run that falls silent is told of as interrupted, at a time that only its lease tells.
    states = one.loaded.health.values()
    running = any(state.state == SourceState.RUNNING for state in states)
    ends = [lasts_until(result, now) for result in results]
    ends += [state.overdue_at for state in states if not state.is_overdue]
    return results, earliest(*ends, in_force.changes_at, now if running else None)


def verdicts_on_many(
    session: Session, judging: Judging, gathered: Gathered, checks: Sequence[Check], stencils: Stencils, now: datetime
) -> Iterator[Verdicts]:
    """Yield the verdicts of these checks on services, at most PAGE, given what is stored of them."""
    cards = gathered.cards
    outdated = {ref for ref, card in cards.items() if card.letters is None}
    more = outdated | _needing_more(gathered, checks)
    views: Mapping[str, View] = {}
    afresh: Mapping[str, Letters] = {}
    if more:
        loaded = load(session, judging, more, now)
        views = {ref: view for ref, (_, view) in loaded.subjects.items()}
        afresh = _judged_afresh(loaded, outdated, checks, judging, now)
    documents = Documents(gathered.supply, stencils, now)
    for ref, card in cards.items():
        letters = afresh.get(ref) if card.letters is None else card.letters
        if letters is None:
            continue  # it is no service any more
        look = in_view(views[ref], stencils) if ref in views else documents.look(card.told)
        yield Verdicts(ref, letters, look, card.until if card.letters else now)


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
    return {key: found for key in keys if (found := seen(view.get(key)))}


def _judged_afresh(
    loaded: Loaded, refs: Set[str], checks: Sequence[Check], judging: Judging, now: datetime
) -> dict[str, Letters]:
    """Judge services whose stored verdicts no longer hold."""
    fresh: dict[str, Letters] = {}
    for ref in refs & loaded.subjects.keys():
        in_force = loaded.in_force.get(ref, NOTHING_IN_FORCE)
        graded = scorecard.grade_service(*loaded.subjects[ref], judging.catalogue, now, in_force)
        letters = {result.check.id: LETTER_OF[result.status] for result in graded.results}
        fresh[ref] = [letters.get(check.id, LEFT_OUT) for check in checks]
    return fresh


def _needing_more(gathered: Gathered, checks: Sequence[Check]) -> set[str]:
    """Return the services with a verdict that rests on other entities' facts, or on fields of their own entity."""
    resting = [number for number, check in enumerate(checks) if is_from_afar(check)]
    return {
        ref
        for ref, card in (gathered.cards.items() if resting else ())
        if card.letters and any(card.letters[number] != LEFT_OUT for number in resting)
    }
