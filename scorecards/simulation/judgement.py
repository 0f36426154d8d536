"""Judges stored facts by two catalogues at once; reads once, writes nothing."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from portal_backend.core.memory import uncollected
from scorecards.assessment.assess import Assessor
from scorecards.assessment.evidence import Reader
from scorecards.checks.definitions import Axis, CheckCatalogue
from scorecards.checks.fields import service_fields
from scorecards.exceptions.in_force import NOTHING_IN_FORCE
from scorecards.judging import Judging
from scorecards.loading import Loaded, load
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
    old, new = (_with(judging, catalogue) for catalogue in catalogues)
    loaded = load(session, _with(judging, _together(*catalogues)), refs, now)
    with uncollected():
        return compare(_verdicts(old, loaded, now), _verdicts(new, loaded, now), *catalogues)


def _with(judging: Judging, catalogue: CheckCatalogue) -> Judging:
    return replace(judging, catalogue=catalogue, specs={**catalogue.declared, **judging.specs})


def _together(old: CheckCatalogue, new: CheckCatalogue) -> CheckCatalogue:
    """Return a catalogue that looks at whatever either looks at."""
    checks = {**{f"old {name}": one for name, one in old.checks.items()}, **new.checks}
    return CheckCatalogue(checks, "", declared={**old.declared, **new.declared})


def _verdicts(judging: Judging, loaded: Loaded, now: datetime) -> Mapping[str, Verdicts]:
    plan = judging.plan
    reader = Reader(plan, loaded.supply, now)
    assessor = Assessor(plan, reader, now)
    names = [prepared.check.id for prepared in plan.checks]
    found = {}
    for ref, (subject, view) in loaded.subjects.items():
        derived = [key for key in view.derive if key in plan.slots_of]
        seen = reader.read(loaded.observations[ref], view, derived)
        fields = service_fields(subject, view.observed()) if plan.fields else {}
        assessment = assessor.assess(fields, seen, loaded.in_force.get(ref, NOTHING_IN_FORCE))
        found[ref] = Verdicts(
            assessment.levels[0],
            assessment.overall.percent,
            dict(zip(Axis, assessment.levels[1:], strict=True)),
            {name: STATUSES[code] for name, code in zip(names, assessment.codes, strict=True)},
        )
    return found
