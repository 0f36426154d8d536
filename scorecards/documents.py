"""The JSON form of a scorecard. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from portal_backend.core.clock import format_time
from scorecards.changes import named
from scorecards.checks.definitions import (
    AXIS_TITLES,
    LEVEL_MEANINGS,
    Axis,
    Check,
    Condition,
    Criticality,
    Override,
    Status,
    level_name,
)
from scorecards.evaluation import CheckResult, FactUsed, attesting
from scorecards.evidence.causes import Cause, CauseKind, SourceState
from scorecards.evidence.values import moment
from scorecards.exceptions.in_force import Attestation, Inheritance, Waiver
from scorecards.grading import Gain, Grade, Standing, Step, promise
from scorecards.reaching import Barred, Reach
from scorecards.standing import OPEN, WAIVED_BLOCKER_CAP

Document = dict[str, Any]


def scorecard_form(grade: Grade, health: Mapping[str, SourceState]) -> Document:
    """Return a scorecard as it is answered: each result with its check, and the state of the sources."""
    results = [_result(result, grade.gains.get(result.check.id)) for result in grade.results]
    return {
        "ref": grade.subject.ref,
        "name": grade.subject.name,
        "title": grade.subject.title,
        "criticality": grade.subject.criticality,
        **_standing(grade.overall),
        "frozen": _frozen(grade),
        "level_meaning": LEVEL_MEANINGS.get(level_name(grade.overall.level) or ""),
        "required_level": level_name(grade.required_level),
        "distance": grade.distance,
        "summary": summary(grade),
        "axes": [_axis(axis, grade) for axis in Axis],
        "next_steps": [_step(step) for step in grade.next_steps],
        "reach": _reach(grade.reach) if grade.reach else None,
        "results": [result for result in results if not result["shadow"]],
        "shadow_results": [result for result in results if result["shadow"]],
        "sources": [_source(state) for state in health.values()],
        "simulated_sources": _simulated(results, health),
    }


def _axis(axis: Axis, grade: Grade) -> Document:
    groups = [
        {"group": group.id, "title": group.title, **_standing(standing)}
        for group, standing in grade.groups
        if group.axis is axis
    ]
    return {"axis": axis, "title": AXIS_TITLES[axis], **_standing(grade.axes[axis]), "groups": groups}


def _frozen(grade: Grade) -> Document | None:
    """Say which levels an outage holds, by what source, and until when; None while it holds none."""
    standings = {"overall": grade.overall, **{axis.value: standing for axis, standing in grade.axes.items()}}
    held = [name for name, standing in standings.items() if standing.level != standing.level_without_hold]
    if not held:
        return None
    first = min(grade.held.values(), key=lambda one: (one.until, one.source))
    sources = sorted({one.source for one in grade.held.values()})
    # What holds the overall level is told alone; where it is low enough anyhow, the axes are.
    told = {"the level": grade.overall} if "overall" in held else {name: standings[name] for name in held}
    falls = ", ".join(f"{name} falls to {level_name(one.level_without_hold)}" for name, one in told.items())
    why, back = f"source {first.source} is dark since {moment(first.since)}", "it is"
    if len(sources) > 1:
        why, back = f"the sources {', '.join(sources)} are dark, {first.source} since {moment(first.since)}", "they are"
    sentence = f"Frozen until {moment(first.until)}, because {why}; then {falls} unless {back} back."
    return {
        "until": format_time(first.until),
        "since": format_time(first.since),
        "sources": sources,
        "held": held,
        "checks": sorted(grade.held),
        "level_without_hold": level_name(grade.overall.level_without_hold),
        "sentence": sentence,
    }


SHOWN_BARRING = 20
"""As many checks as are named of those that bar the next level, or that a step helps as well."""


def _reach(reach: Reach) -> Document:
    return {
        "level": level_name(reach.level),
        "percent": reach.percent,
        "sentence": reach.sentence,
        "barred": _barred(reach.barred) if reach.barred else None,
    }


def _barred(barred: Barred) -> Document:
    return {
        "level": level_name(barred.level),
        "count": len(barred.checks),
        "checks": list(barred.checks[:SHOWN_BARRING]),
        "waived": list(barred.waived[:SHOWN_BARRING]),
        "asks_for_percent": barred.points,
    }


def _simulated(results: Sequence[Document], health: Mapping[str, SourceState]) -> list[str]:
    """Return the sources among those that the verdicts rest on which are no real systems."""
    used = {name for result in results for fact in result["facts"] for name in (fact["source"] or "").split(", ")}
    return sorted(name for name in used if name in health and health[name].simulated)


def _condition(condition: Condition | None) -> Document | None:
    if condition is None:
        return None
    form = {"when": condition.rule.tree, "otherwise": condition.otherwise}
    return {**form, "action": condition.action} if condition.action else form


def check_form(check: Check) -> Document:
    """Return a check as the list of checks shows it."""
    return {
        "id": check.id,
        **_about(check),
        "version": check.version,
        "how_to_fix": list(check.how_to_fix),
        "facts": list(check.facts),
        "rule": check.rule.tree if check.rule else None,
        "attested_for_seconds": int(check.attested_for.total_seconds()) if check.attested_for else None,
        "confirms": check.confirms,
        "group": check.group or None,
        "thresholds": dict(check.thresholds),
        "introduced_at": check.introduced_at.isoformat() if check.introduced_at else None,
        "enforce_from": check.enforce_from.isoformat() if check.enforce_from else None,
        "enforce_until": check.enforce_until.isoformat() if check.enforce_until else None,
        "applies_to": _condition(check.applies_to),
        "needs": _condition(check.needs),
        "max_age_seconds": {key: int(age.total_seconds()) for key, age in check.max_age.items()},
        "passes": check.passes,
        "fails": check.fails,
        "if_missing": dict(check.if_missing),
    }


_TALLIED = {
    Status.PASS: ("check passes", "checks pass"),
    Status.FAIL: ("fails", "fail"),
    Status.UNKNOWN: ("is unknown", "are unknown"),
    Status.NOT_APPLICABLE: ("does not apply", "do not apply"),
}


def summary(grade: Grade) -> str:
    """Say in a sentence or two where the service stands."""
    counts = grade.overall.counts
    level = level_name(grade.overall.level)
    if level is None:
        return "No check applies to this service."
    tally = [f"{counts[status]} {one if counts[status] == 1 else more}" for status, (one, more) in _TALLIED.items()]
    tally += [
        f"{counts[status]} {'is' if counts[status] == 1 else 'are'} {status}"
        for status in (Status.WAIVED, Status.INHERITED)
        if counts[status]
    ]
    return f"{_expectation(grade, level)} {', '.join(tally)}.{_capped(grade)}{_coming(grade)}"


def _coming(grade: Grade) -> str:
    """Say which checks in shadow will count from some day on, and do not pass yet."""
    coming = [one for one in grade.results if one.counts_from and one.status in OPEN]
    first = min((one.counts_from for one in coming if one.counts_from), default=None)
    if first is None:
        return ""
    what = "1 more check that does not pass" if len(coming) == 1 else f"{len(coming)} more checks that do not pass"
    return f" {what} will count from {first:%Y-%m-%d} on ({named([one.check.id for one in coming])})."


def _capped(grade: Grade) -> str:
    """Say so where nothing but waived blockers keeps the service from a higher level."""
    counting = [result for result in grade.results if not result.shadow]
    if grade.overall.level != WAIVED_BLOCKER_CAP or grade.overall.percent != 100:
        return ""
    if all(result.check.level <= WAIVED_BLOCKER_CAP for result in counting):
        return ""
    waived = [result.check for result in counting if result.status is Status.WAIVED]
    blockers = [check.id for check in waived if check.criticality is Criticality.BLOCKER]
    if not blockers:
        return ""
    what = "A waived blocker keeps" if len(blockers) == 1 else "Waived blockers keep"
    return f" {what} it at {level_name(WAIVED_BLOCKER_CAP)}: {', '.join(blockers)}."


def _expectation(grade: Grade, level: str) -> str:
    at = f"At {level} ({LEVEL_MEANINGS[level]})"
    if grade.distance is None:
        return f"{at}; without a criticality (T0 to T3) no level is required of it."
    required = f"{level_name(grade.required_level)} that {grade.subject.criticality} asks for"
    if grade.distance == 0:
        return f"{at}: it meets the {required}."
    return f"{at}: {grade.distance} level{'s' if grade.distance > 1 else ''} below the {required}."


def _standing(standing: Standing) -> Document:
    return {
        "level": level_name(standing.level),
        "percent": standing.percent,
        "coverage": standing.coverage,
        "counts": {status.value: count for status, count in standing.counts.items()},
    }


def _step(step: Step) -> Document:
    return {
        "checks": list(step.checks),
        "title": step.title,
        "sentence": step.sentence,
        "who": step.party.value,
        "actions": list(step.actions),
        "effort": step.effort,
        "overall_points": step.overall_points,
        "overall_level": level_name(step.overall_level),
        "also_helps": {"count": len(step.also_helps), "checks": list(step.also_helps[:SHOWN_BARRING])},
        "reach": _reach(step.reach) if step.reach else None,
    }


def _remedy(result: CheckResult) -> list[str]:
    """Return what to do, and where no source supplies what is lacking, that people may answer instead."""
    unsupplied = result.causes and all(cause.kind is CauseKind.NO_SOURCE for cause in result.causes)
    if result.status is not Status.UNKNOWN or result.check.attested_for is None or not unsupplied:
        return list(result.remedy)
    return [*result.remedy, f"Or {attesting(result.check.attested_for)}"]


def _result(result: CheckResult, gain: Gain | None) -> Document:
    settled = result.settled
    return {
        **_about(result.check),
        "check": result.check.id,
        "version": result.check.version,
        "status": result.status.value,
        "evidence": result.evidence.value if result.evidence else None,
        "shadow": result.shadow,
        "enforced_from": format_time(result.counts_from) if result.counts_from else None,
        "enforced_until": format_time(result.check.ends_at) if result.check.ends_at else None,
        "sentence": result.sentence,
        "facts": [_fact(fact) for fact in result.facts],
        "causes": [_cause(cause) for cause in result.causes],
        "gain": _gain(gain, result.check) if gain else None,
        "remedy": _remedy(result),
        "waiver": _waiver(settled.waiver) if settled and settled.waiver else None,
        "attestation": _attestation(settled.attestation) if settled and settled.attestation else None,
        "inheritance": _inheritance(settled.inheritance) if settled and settled.inheritance else None,
    }


def _waiver(waiver: Waiver) -> Document:
    return {
        "id": waiver.id,
        "reason": waiver.reason,
        "compensating_control": waiver.compensating_control,
        "requested_by": waiver.requested_by,
        "approved_by": waiver.approved_by,
        "since": format_time(waiver.since),
        "until": format_time(waiver.until),
    }


def _attestation(given: Attestation) -> Document:
    return {
        "id": given.id,
        "holds": given.holds,
        "statement": given.statement,
        "evidence_url": given.evidence_url,
        "attested_by": given.attested_by,
        "attested_at": format_time(given.attested_at),
        "expires_at": format_time(given.expires_at),
    }


def _inheritance(module: Inheritance) -> Document:
    until = module.supported_until
    return {
        "module": module.module,
        "module_version": module.module_version,
        "supported_until": format_time(until) if until else None,
    }


def _fact(fact: FactUsed) -> Document:
    evidence = fact.evidence
    value = evidence.value
    if isinstance(value, datetime):
        value = format_time(value)
    return {
        "key": evidence.key,
        "state": evidence.state.value,
        "value": list(value) if isinstance(value, tuple) else value,
        "unit": evidence.unit,
        "display": fact.display,
        "source": evidence.source,
        "simulated": evidence.simulated,
        "observed_at": format_time(evidence.observed_at) if evidence.observed_at else None,
        "valid_until": format_time(evidence.valid_until) if evidence.valid_until else None,
    }


def _cause(cause: Cause) -> Document:
    return {
        "kind": cause.kind.value,
        "fact": cause.fact,
        "sentence": cause.whole_sentence,
        "action": cause.action,
        "party": cause.party.value,
        "source": cause.source,
    }


def _gain(gain: Gain, check: Check) -> Document:
    return {
        "sentence": promise(gain, check.axis),
        "axis_points": gain.axis_points,
        "overall_points": gain.overall_points,
        "bars_level": level_name(gain.blocks_level),
        "others_on_axis": gain.others_on_axis,
        "others_overall": gain.others_overall,
        "axis_level": level_name(gain.axis_level),
        "overall_level": level_name(gain.overall_level),
    }


def _about(check: Check) -> Document:
    return {
        "title": check.title,
        "question": check.question,
        "axis": check.axis.value,
        "level": level_name(check.level),
        "weight": check.weight,
        "criticality": check.criticality.value,
        "effort": check.effort.value,
        "owner": check.owner,
        "sources": list(check.sources),
        "why": check.why,
        "guide": check.guide,
        "guide_url": check.guide_url,
        "overridden": [_override(one) for one in check.overridden],
    }


def told_override(override: Mapping[str, Any]) -> str:
    """Say in a sentence what a file changed about a check, given its form (`overridden`)."""
    changes = ", ".join(f"{one['field']} {_change(one['before'], one['after'])}" for one in override["changes"])
    return f"Changed by {override['file']} ({changes}): {override['reason'] or 'it gives no reason.'}"


def _change(before: Any, after: Any) -> str:
    """Say how a field differs: short values are named, of what is long, that it is another."""
    if before is None or after is None:
        return "left out" if after is None else "added"
    short = all(
        isinstance(value, int | float) or (isinstance(value, str) and len(value) <= 20) for value in (before, after)
    )
    return f"{before} → {after}" if short else "is another"


def _override(one: Override) -> Document:
    changes = [{"field": name, "before": before, "after": after} for name, (before, after) in one.changes.items()]
    return {"file": one.file, "reason": one.reason or None, "changes": changes}


def _source(state: SourceState) -> Document:
    return {
        "name": state.name,
        "plugin": state.plugin,
        "simulated": state.simulated,
        "state": str(state.state),
        "last_success_at": format_time(state.last_success_at) if state.last_success_at else None,
        "failure": state.failure_message,
    }
