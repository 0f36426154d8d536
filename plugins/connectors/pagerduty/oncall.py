"""From escalation policies, schedules and on-calls to what a rotation is worth. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from plugins.contract import FactValue
from plugins.moments import moment

AHEAD = timedelta(days=14)
BEHIND = timedelta(days=30)
SHIFT = timedelta(hours=12)
"""The SRE book's unit of page load (chapter 11)."""

Stretch = tuple[datetime, datetime]


@dataclass
class Rotation:
    """What is known of one escalation policy."""

    levels: int
    schedules: tuple[str, ...]
    """Ids of the schedules on the first level."""
    members: set[str] = field(default_factory=set)
    """Ids of everybody on the first level: named in it, or on one of its schedules."""
    covered: list[Stretch] = field(default_factory=list)
    """When somebody is on call on the first level."""


def rotation_of(policy: Mapping[str, Any], people: Mapping[str, Sequence[str]]) -> Rotation:
    """Read an escalation policy; `people` are the users of each schedule by its id."""
    rules = [rule for rule in policy.get("escalation_rules") or [] if isinstance(rule, dict)]
    first = [target for target in (rules[0].get("targets") or [] if rules else []) if isinstance(target, dict)]
    schedules = tuple(target["id"] for target in first if str(target.get("type", "")).startswith("schedule"))
    named = {target["id"] for target in first if str(target.get("type", "")).startswith("user")}
    members = named | {user for schedule in schedules for user in people.get(schedule, ())}
    return Rotation(len(rules), schedules, members)


def add_oncalls(rotations: Mapping[str, Rotation], oncalls: Iterable[Mapping[str, Any]], since: datetime,
                until: datetime) -> None:  # fmt: skip
    """Note when the first level of each policy is covered; an on-call without an end goes on for good."""
    for entry in oncalls:
        rotation = rotations.get((entry.get("escalation_policy") or {}).get("id", ""))
        if rotation is None or entry.get("escalation_level") != 1:
            continue
        start = max(moment(entry.get("start")) or since, since)
        end = min(moment(entry.get("end")) or until, until)
        if start < end:
            rotation.covered.append((start, end))


def covered_time(stretches: Sequence[Stretch], since: datetime, until: datetime) -> timedelta:
    """Return for how long of a time at least one stretch lasts."""
    total, reached = timedelta(), since
    for start, end in sorted(stretches):
        start, end = max(start, reached), min(end, until)
        if start < end:
            total += end - start
            reached = end
    return total


def facts_of(rotation: Rotation, now: datetime) -> dict[str, FactValue]:
    """Return the facts of a rotation; hours are rounded to a tenth."""
    found: dict[str, FactValue] = {
        "oncall.escalation.levels": rotation.levels,
        "oncall.members": len(rotation.members),
        "oncall.covered_now": any(start <= now < end for start, end in rotation.covered),
        "oncall.gap_hours_14d": _hours(AHEAD - covered_time(rotation.covered, now, now + AHEAD)),
        "oncall.shifts_30d": round(covered_time(rotation.covered, now - BEHIND, now) / SHIFT, 1),
    }
    if rotation.schedules:
        found["oncall.schedule.id"] = ",".join(sorted(rotation.schedules))
    return found


def _hours(span: timedelta) -> float:
    return round(span / timedelta(hours=1), 1)
