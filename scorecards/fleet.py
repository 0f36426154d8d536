"""Scorecards of many services put together: by level, mean percentages, and the checks that most do not pass."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from portal_backend.core.db import chunks
from scorecards.assessment.plan import Plan
from scorecards.assessment.verdicts import LETTERS, WORDS
from scorecards.changes import SHADOW
from scorecards.checks.definitions import Axis, CheckCatalogue, Status, level_name
from scorecards.documents import Document
from scorecards.models import Scorecard
from scorecards.standing import OPEN

AXES = list(Axis)
MAX_GROUPS = 500
WORST = 5
COUNTING = frozenset({Status.PASS, Status.FAIL, Status.UNKNOWN, Status.INHERITED})
Group = str | None


def roll_up(session: Session, plan: Plan, group_by: str | None, only: Mapping[str, str]) -> Document:
    """Return the fleet put together, and each group of it; `only` limits it to services of an owner, a system, ….

    A fixed number of queries whatever the number of services. Means are over services, each counting once.
    """
    wanted = [getattr(Scorecard, name) == value for name, value in only.items()]
    whole = _summaries(session, None, wanted).get(None) or _empty()
    catalogue = plan.catalogue
    open_checks = _verdicts(session, plan, group_by, wanted)
    fleet_counts: dict[str, Counter[str]] = defaultdict(Counter)
    for checks in open_checks.values():
        for check, counts in checks.items():
            fleet_counts[check].update(counts)
    fleet = {"group": None, **whole, "worst_checks": _worst(catalogue, fleet_counts)}
    if group_by is None:
        return {"fleet": fleet, "group_by": None, "groups": [], "more_groups": 0}
    summaries = _summaries(session, group_by, wanted)
    ranked = sorted(summaries, key=lambda group: (-summaries[group]["services"], group is None, group or ""))
    groups = [
        {"group": group, **summaries[group], "worst_checks": _worst(catalogue, open_checks.get(group, {}))}
        for group in ranked[:MAX_GROUPS]
    ]
    return {
        "fleet": fleet,
        "group_by": group_by,
        "groups": groups,
        "more_groups": max(0, len(ranked) - MAX_GROUPS),
    }


def _summaries(session: Session, group_by: str | None, wanted: Sequence[ColumnElement[bool]]) -> dict[Group, Document]:
    """Return the counts and means of each group, by level first: one query."""
    group: list[Any] = [getattr(Scorecard, group_by)] if group_by else []
    has_requirement = Scorecard.required_level.is_not(None)
    meets = case((Scorecard.level >= Scorecard.required_level, 1), else_=0)
    parts = [Scorecard.percent, Scorecard.coverage]
    parts += [getattr(Scorecard, f"{axis}_{part}") for axis in AXES for part in ("percent", "coverage")]
    sums = [total for part in parts for total in (func.sum(part), func.count(part))]
    query = (
        select(
            *group,
            Scorecard.level,
            func.count(),
            func.sum(case((has_requirement, 1), else_=0)),
            func.sum(case((has_requirement, meets), else_=0)),
            func.count(Scorecard.frozen_until),
            *sums,
        )
        .where(*wanted)
        .group_by(*group, Scorecard.level)
    )
    rows: dict[Group, list[Sequence[Any]]] = defaultdict(list)
    for row in session.execute(query):
        name, values = (row[0], row[1:]) if group_by else (None, row[:])
        rows[name].append(values)
    return {name: _summary(of_group) for name, of_group in rows.items()}


def _summary(rows: Sequence[Sequence[Any]]) -> Document:
    """Put the rows of a group together, one for each level."""
    levels = {row[0] or "none": row[1] for row in sorted(rows, key=lambda row: row[0] or "")}
    services, required, meeting, frozen = (sum(row[place] for row in rows) for place in (1, 2, 3, 4))
    totals = [sum(row[place] or 0 for row in rows) for place in range(5, len(rows[0]))]
    means = [round(total / count, 1) if count else None for total, count in zip(totals[::2], totals[1::2], strict=True)]
    return {
        "services": services,
        "levels": levels,
        "percent": means[0],
        "coverage": means[1],
        "axes": {
            axis.value: {"percent": means[2 + 2 * place], "coverage": means[3 + 2 * place]}
            for place, axis in enumerate(AXES)
        },
        "required": required,
        "meeting_required": meeting,
        "meeting_required_percent": round(100 * meeting / required, 1) if required else None,
        "frozen": frozen,
    }


def _empty() -> Document:
    return {**_summary([(None, 0, 0, 0, 0, *([0] * (4 + 4 * len(AXES))))]), "levels": {}}


Counts = Mapping[str, Counter[str]]
"""By check: how many services have which verdict."""


def _verdicts(
    session: Session, plan: Plan, group_by: str | None, wanted: Sequence[ColumnElement[bool]]
) -> dict[Group, Counts]:
    """Count the verdicts of each check in each group; checks in shadow count for nothing."""
    group: list[Any] = [getattr(Scorecard, group_by)] if group_by else []
    plain: dict[Group, list[str]] = defaultdict(list)
    marked: dict[Group, list[str]] = defaultdict(list)
    query = select(Scorecard.entity_ref, Scorecard.catalogue_version, Scorecard.document, *group).where(*wanted)
    for ref, version, document, *name in session.execute(query):
        of_group = name[0] if name else None
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
