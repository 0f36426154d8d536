"""Judges stored facts by two catalogues at once; reads once, writes nothing."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from portal_backend.core.db import chunks
from portal_backend.core.memory import uncollected
from scorecards.assessment.assess import Assessor
from scorecards.assessment.evidence import Reader
from scorecards.assessment.portions import Loaded, given_of
from scorecards.checks.definitions import Axis, CheckCatalogue
from scorecards.exceptions.in_force import NOTHING_IN_FORCE
from scorecards.judging import Judging
from scorecards.loading import load
from scorecards.simulation.effect import Effect, Verdicts, compare
from scorecards.standing import STATUSES


def simulate(
    session: Session,
    judging: Judging,
    catalogues: tuple[CheckCatalogue, CheckCatalogue],
    refs: Collection[str] | None,
    now: datetime,
) -> Effect:
    """Return what the second catalogue would do to services (None: all) that the first judges; both at `now`.

    Exceptions in force count in both. Levels are as the facts have them: an outage's grace period holds none of them.
    """
    old, new = (judged_by(judging, catalogue) for catalogue in catalogues)
    loaded = load(session, judged_by(judging, together(*catalogues)), refs, now)
    with uncollected():
        return compare(verdicts_of(old, loaded, now), verdicts_of(new, loaded, now), *catalogues)


def judged_by(judging: Judging, catalogue: CheckCatalogue) -> Judging:
    """Return what judging by another catalogue rests on."""
    return replace(judging, catalogue=catalogue, specs={**catalogue.declared, **judging.specs})


def together(old: CheckCatalogue, new: CheckCatalogue) -> CheckCatalogue:
    """Return a catalogue that looks at whatever either looks at."""
    checks = {**{f"old {name}": one for name, one in old.checks.items()}, **new.checks}
    return CheckCatalogue(checks, "", declared={**old.declared, **new.declared})


def verdicts_of(judging: Judging, loaded: Loaded, now: datetime) -> Mapping[str, Verdicts]:
    """Judge loaded services, without what an outage would hold."""
    plan = judging.plan
    reader = Reader(plan, loaded.supply, now)
    assessor = Assessor(plan, reader, now)
    names = [prepared.check.id for prepared in plan.checks]
    shadow = frozenset(name for name, check in judging.catalogue.checks.items() if not check.enforced(now))
    found = {}
    for refs in chunks(loaded.subjects):
        services = [given_of(loaded, reader, ref, loaded.in_force.get(ref, NOTHING_IN_FORCE)) for ref in refs]
        for ref, assessment in zip(refs, assessor.assess(services), strict=True):
            found[ref] = Verdicts(
                assessment.levels[0],
                assessment.overall.percent,
                dict(zip(Axis, assessment.levels[1:], strict=True)),
                {name: STATUSES[code] for name, code in zip(names, assessment.codes, strict=True)},
                shadow,
            )
    return found
