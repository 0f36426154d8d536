"""The JSON form of an effect. Pure."""

from typing import Any

from portal_backend.core.pagination import bad_cursor, decode_cursor, encode_cursor
from scorecards.checks.definitions import level_name
from scorecards.simulation.effect import CheckEffect, Effect, ServiceEffect
from scorecards.simulation.history import PastEffect, Side

Document = dict[str, Any]


def effect_form(effect: Effect, cursor: str | None, limit: int) -> Document:
    """Return an effect with one page of the services that would change; raises InvalidInput for a foreign cursor."""
    start = 0
    if cursor is not None:
        after = _position(cursor)
        start = next(
            (index for index, service in enumerate(effect.services) if service.position > after), len(effect.services)
        )
    page = effect.services[start : start + limit]
    more = start + limit < len(effect.services)
    return {
        "summary": effect.summary,
        "judged": effect.judged,
        "changed": len(effect.services),
        "version_before": effect.before.version,
        "version_after": effect.after.version,
        "levels": {
            "before": dict(sorted(effect.levels_before.items())),
            "after": dict(sorted(effect.levels_after.items())),
            "raised": effect.raised,
            "lowered": effect.lowered,
        },
        "checks": [_check(check) for check in effect.checks],
        "items": [_service(service) for service in page],
        "next_cursor": encode_cursor(page[-1].position) if more and page else None,
    }


def past_form(effect: PastEffect) -> Document:
    """Return what a catalogue would have said over some weeks."""
    return {
        "summary": effect.summary,
        "judged": effect.judged,
        "version_before": effect.versions[0],
        "version_after": effect.versions[1],
        "points": [
            {
                "at": point.at,
                "before": _side(point.before),
                "after": _side(point.after),
                "lower": point.lower,
                "higher": point.higher,
            }
            for point in effect.points
        ],
        "not_known": list(effect.not_known),
    }


def _side(side: Side) -> Document:
    return {
        "levels": dict(sorted(side.levels.items())),
        "axes": {axis.value: dict(sorted(levels.items())) for axis, levels in side.axes.items()},
        "percent": side.percent,
    }


def _position(cursor: str) -> tuple[int, int, str]:
    found = decode_cursor(cursor)
    if not isinstance(found, list) or [type(part) for part in found] != [int, int, str]:
        raise bad_cursor()
    return found[0], found[1], found[2]


def _check(effect: CheckEffect) -> Document:
    return {
        "check": effect.check.id,
        "title": effect.check.title,
        "axis": effect.check.axis,
        "level": level_name(effect.check.level),
        "change": effect.change,
        "before": {status.value: number for status, number in sorted(effect.before.items())},
        "after": {status.value: number for status, number in sorted(effect.after.items())},
        "moves": [
            {"before": before, "after": after, "services": number}
            for (before, after), number in effect.moves.most_common()
        ],
    }


def _service(effect: ServiceEffect) -> Document:
    return {
        "ref": effect.ref,
        "level_before": level_name(effect.before.level),
        "level_after": level_name(effect.after.level),
        "percent_before": effect.before.percent,
        "percent_after": effect.after.percent,
        "axes": [
            {"axis": axis, "before": level_name(before), "after": level_name(after)}
            for axis, before, after in effect.axes
        ],
        "verdicts": [
            {
                "check": check,
                "before": before,
                "after": after,
                "shadow_before": check in effect.before.shadow,
                "shadow_after": check in effect.after.shadow,
            }
            for check, before, after in effect.checks
        ],
    }
