"""Scorecards of many services put together: by level, mean percentages, and the checks that most do not pass."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from portal_backend.core.arrays import among
from portal_backend.core.db import chunks
from scorecards.assessment.plan import Plan
from scorecards.assessment.verdicts import LETTERS, WORDS
from scorecards.changes import SHADOW
from scorecards.checks.definitions import LEVEL_MEANINGS, Axis, CheckCatalogue, Status, level_name
from scorecards.documents import Document
from scorecards.judging import Judging
from scorecards.models import Scorecard
from scorecards.standing import OPEN

AXES = list(Axis)
MAX_GROUPS = 500
WORST = 5
AT_ONCE = 5_000
"""Services of one support tier that a statement names."""
TIER = "tier"
LEVELS = tuple(LEVEL_MEANINGS)
NO_LEVEL = "none"
FIRST_LEVEL = 5 + 4 * (1 + len(AXES))
"""Where in a row the levels of the axes begin: after the level, four counts, and sums and counts of percentages."""
COUNTING = frozenset({Status.PASS, Status.FAIL, Status.UNKNOWN, Status.INHERITED})
Group = str | None


def roll_up(session: Session, judging: Judging, group_by: str | None, only: Mapping[str, str]) -> Document:
    """Return the fleet put together, and each group of it; `only` limits it to services of an owner, a system, ….

    The number of queries does not grow with the services, but by two for every AT_ONCE of them where support tiers are
    asked for. Means are over services, each counting once.
    """
    plan = judging.plan
    selections = _selections(session, judging, group_by, only)
    rows = _rows(session, group_by, selections)
    open_checks = _verdicts(session, plan, group_by, selections)
    fleet_counts: dict[str, Counter[str]] = defaultdict(Counter)
    for checks in open_checks.values():
        for check, counts in checks.items():
            fleet_counts[check].update(counts)
    everything = [row for of_group in rows.values() for row in of_group]
    fleet = {"group": None, **_summary(everything), "worst_checks": _worst(plan.catalogue, fleet_counts)}
    if group_by is None:
        return {"fleet": fleet, "group_by": None, "groups": [], "more_groups": 0}
    sizes = {group: sum(row[1] for row in of_group) for group, of_group in rows.items()}
    ranked = sorted(rows, key=lambda group: (-sizes[group], group is None, group or ""))
    groups = [
        {"group": group, **_summary(rows[group]), "worst_checks": _worst(plan.catalogue, open_checks.get(group, {}))}
        for group in ranked[:MAX_GROUPS]
    ]
    return {
        "fleet": fleet,
        "group_by": group_by,
        "groups": groups,
        "more_groups": max(0, len(ranked) - MAX_GROUPS),
    }


Selection = tuple[Group, Sequence[ColumnElement[bool]]]
"""Some services, with their support tier where it matters."""


def _selections(session: Session, judging: Judging, group_by: str | None, only: Mapping[str, str]) -> list[Selection]:
    """Return the conditions on the services that are asked for; of support tiers, which the scorecards do not hold."""
    wanted = [getattr(Scorecard, name) == value for name, value in only.items() if name != TIER]
    if TIER not in {group_by, *only}:
        return [(None, wanted)]
    refs = list(session.scalars(select(Scorecard.entity_ref).where(*wanted).order_by(Scorecard.entity_ref)))
    tiers = judging.tiers(session, refs) if judging.tiers else {}
    of_tier: dict[Group, list[str]] = defaultdict(list)
    for ref in refs:
        of_tier[tiers.get(ref)].append(ref)
    asked = {only[TIER]: of_tier.get(only[TIER], [])} if TIER in only else of_tier
    return [
        (tier, [among(session, Scorecard.entity_ref, few)])
        for tier, own in asked.items()
        for few in chunks(own, AT_ONCE)
    ]


def _column(group_by: str | None) -> list[Any]:
    """Return the column that holds the group; none where no column does."""
    return [getattr(Scorecard, group_by)] if group_by and group_by != TIER else []


def _group_of(row: Sequence[Any], columns: Sequence[Any], group_by: str | None, tier: Group) -> tuple[Group, Any]:
    """Part a row into the name of its group and the rest."""
    if columns:
        return row[0], row[1:]
    return (tier if group_by == TIER else None), row[:]


def _rows(session: Session, group_by: str | None, selections: Sequence[Selection]) -> dict[Group, list[Sequence[Any]]]:
    """Return the counts and sums of each group, a row for each level, and for each part of a large group."""
    group = _column(group_by)
    has_requirement = Scorecard.required_level.is_not(None)
    meets = case((Scorecard.level >= Scorecard.required_level, 1), else_=0)
    parts = [Scorecard.percent, Scorecard.coverage]
    parts += [getattr(Scorecard, f"{axis}_{part}") for axis in AXES for part in ("percent", "coverage")]
    sums = [total for part in parts for total in (func.sum(part), func.count(part))]
    on_axes = [getattr(Scorecard, f"{axis}_level") for axis in AXES]
    at_levels = [func.sum(case((level == name, 1), else_=0)) for level in on_axes for name in LEVELS]
    query = select(
        *group,
        Scorecard.level,
        func.count(),
        func.sum(case((has_requirement, 1), else_=0)),
        func.sum(case((has_requirement, meets), else_=0)),
        func.count(Scorecard.frozen_until),
        *sums,
        *at_levels,
    ).group_by(*group, Scorecard.level)
    rows: dict[Group, list[Sequence[Any]]] = defaultdict(list)
    for tier, wanted in selections:
        for row in session.execute(query.where(*wanted)):
            name, values = _group_of(row, group, group_by, tier)
            rows[name].append(values)
    return rows


def _summary(rows: Sequence[Sequence[Any]]) -> Document:
    """Put the rows of a group together."""
    levels: Counter[str | None] = Counter()
    for row in rows:
        levels[row[0]] += row[1]
    services, required, meeting, frozen = (sum(row[place] for row in rows) for place in (1, 2, 3, 4))
    totals = [sum(row[place] or 0 for row in rows) for place in range(5, FIRST_LEVEL)]
    means = [round(total / count, 1) if count else None for total, count in zip(totals[::2], totals[1::2], strict=True)]
    return {
        "services": services,
        "levels": _levels(levels),
        "percent": means[0],
        "coverage": means[1],
        "axes": {
            axis.value: {
                "levels": _axis_levels(rows, place, services),
                "percent": means[2 + 2 * place],
                "coverage": means[3 + 2 * place],
            }
            for place, axis in enumerate(AXES)
        },
        "required": required,
        "meeting_required": meeting,
        "meeting_required_percent": round(100 * meeting / required, 1) if required else None,
        "frozen": frozen,
    }


def _axis_levels(rows: Sequence[Sequence[Any]], place: int, services: int) -> dict[str, int]:
    """Return how many services stand at which level of the axis at this place."""
    first = FIRST_LEVEL + place * len(LEVELS)
    counts = Counter({name: sum(row[first + number] for row in rows) for number, name in enumerate(LEVELS)})
    return _levels(counts | Counter({None: services - counts.total()}))


def _levels(counts: Mapping[str | None, int]) -> dict[str, int]:
    """Write services by level, those first that have none."""
    return {level or NO_LEVEL: counts[level] for level in (None, *LEVELS) if counts.get(level)}


Counts = Mapping[str, Counter[str]]
"""By check: how many services have which verdict."""


def _verdicts(
    session: Session, plan: Plan, group_by: str | None, selections: Sequence[Selection]
) -> dict[Group, Counts]:
    """Count the verdicts of each check in each group; checks in shadow count for nothing."""
    group = _column(group_by)
    plain: dict[Group, list[str]] = defaultdict(list)
    marked: dict[Group, list[str]] = defaultdict(list)
    query = select(*group, Scorecard.entity_ref, Scorecard.catalogue_version, Scorecard.document)
    for tier, wanted in selections:
        for row in session.execute(query.where(*wanted)):
            of_group, (ref, version, document) = _group_of(row, group, group_by, tier)
            verdicts = orjson.loads(document).get("verdicts") if version == plan.catalogue.version else None
            if verdicts is None:
                marked[of_group].append(ref)
            else:
                plain[of_group].append(verdicts)
    found: dict[Group, dict[str, Counter[str]]] = {}
    for of_group, rows in plain.items():
        columns = zip(plan.checks, zip(*rows, strict=True), strict=True)
        found[of_group] = {one.check.id: _words(Counter(column)) for one, column in columns}
    _add_marked(session, marked, found)
    return dict(found)


def _words(letters: Counter[str]) -> Counter[str]:
    return Counter({word: letters[letter] for letter, word in zip(LETTERS, WORDS, strict=True) if word in COUNTING})


def _add_marked(
    session: Session, marked: Mapping[Group, Sequence[str]], found: dict[Group, dict[str, Counter[str]]]
) -> None:
    """Add the services whose verdicts are kept in their long form only."""
    group_of = {ref: group for group, refs in marked.items() for ref in refs}
    for few in chunks(sorted(group_of)):
        query = select(Scorecard.entity_ref, Scorecard.statuses).where(Scorecard.entity_ref.in_(few))
        for ref, statuses in session.execute(query):
            of_group = found.setdefault(group_of[ref], {})
            for check, entry in statuses.items():
                if entry[0] in COUNTING and SHADOW not in entry[3:]:
                    of_group.setdefault(check, Counter())[entry[0]] += 1


def _worst(catalogue: CheckCatalogue, counts: Counts) -> list[Document]:
    """Return the checks that most services do not pass, of those that the catalogue still has."""
    failing = {check: sum(of_check[status] for status in OPEN) for check, of_check in counts.items()}
    ranked = sorted(failing, key=lambda check: (-failing[check], check))
    worst = [check for check in ranked if failing[check] and check in catalogue.checks][:WORST]
    return [
        {
            "check": check,
            "title": catalogue.checks[check].title,
            "axis": catalogue.checks[check].axis.value,
            "level": level_name(catalogue.checks[check].level),
            "fail": counts[check][Status.FAIL],
            "unknown": counts[check][Status.UNKNOWN],
            "applicable": sum(counts[check].values()),
        }
        for check in worst
    ]
