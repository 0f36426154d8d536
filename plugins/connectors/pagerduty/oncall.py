"""From escalation policies, schedules and on-calls to what a rotation is worth. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from plugins.contract import FactValue
from plugins.moments import moment

AHEAD = timedelta(days=14)
BEHIND = timedelta(days=30)
SHIFT = timedelta(hours=12)
"""The SRE book's unit of page load (chapter 11)."""
BETWEEN_SITES = timedelta(hours=4)
"""People whose clocks differ by less work at one site: the day of one is the day of the other."""

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
    shifts: list[tuple[Stretch, str]] = field(default_factory=list)
    """The same, with the name of whoever it is."""


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
            name = str((entry.get("user") or {}).get("summary") or "").strip()
            if name:
                rotation.shifts.append(((start, end), name))


def sites(members: Iterable[str], zones: Mapping[str, str | None], now: datetime) -> int | None:
    """Return over how many sites people are spread, by the time zones they live in; None where somebody's is unknown.

    `zones` are the names of time zones by user; None means the account's, which nobody tells: it counts as unknown
    unless it is everybody's.
    """
    named = {zones.get(member, "") for member in members}
    if len(named) == 1 and named != {""}:
        return 1
    offsets = [_offset(name, now) for name in named]
    known = sorted(offset for offset in offsets if offset is not None)
    if not known or len(known) < len(offsets):
        return None
    return 1 + sum(later - earlier >= BETWEEN_SITES for earlier, later in pairwise(known))


def _offset(zone: str | None, now: datetime) -> timedelta | None:
    """Return how far a zone is from UTC; None where nothing is known of it."""
    try:
        return now.astimezone(ZoneInfo(zone)).utcoffset() if zone else None
    except (LookupError, ValueError, OSError):  # ZoneInfo refuses some names as paths
        return None


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
    names = sorted({name for (start, end), name in rotation.shifts if start <= now < end})
    if names:
        found["oncall.now"] = list(names)
    if rotation.schedules:
        found["oncall.schedule.id"] = ",".join(sorted(rotation.schedules))
    return found


def _hours(span: timedelta) -> float:
    return round(span / timedelta(hours=1), 1)
