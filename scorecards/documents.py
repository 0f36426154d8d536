"""The JSON form of a scorecard: the part that is stored, and what the check catalogue adds when it is read. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from portal_backend.core.clock import format_time
from scorecards.checks.definitions import (
    AXIS_TITLES,
    LEVEL_MEANINGS,
    Axis,
    Check,
    CheckCatalogue,
    Status,
    level_name,
)
from scorecards.evaluation import CheckResult, FactUsed
from scorecards.evidence.causes import Cause, SourceState
from scorecards.grading import Gain, Grade, Standing, Step

Document = dict[str, Any]


def stored_form(grade: Grade) -> Document:
    """Return what is kept of a grade: everything that the catalogue of checks cannot supply at reading."""
    return {
        "ref": grade.subject.ref,
        "name": grade.subject.name,
        "title": grade.subject.title,
        "criticality": grade.subject.criticality,
        **_standing(grade.overall),
        "level_meaning": LEVEL_MEANINGS.get(level_name(grade.overall.level) or ""),
        "required_level": level_name(grade.required_level),
        "distance": grade.distance,
        "summary": summary(grade),
        "axes": [{"axis": axis, "title": AXIS_TITLES[axis], **_standing(grade.axes[axis])} for axis in Axis],
        "next_steps": [_step(step) for step in grade.next_steps],
        "results": [_result(result, grade.gains.get(result.check.id)) for result in grade.results],
    }


def answer_form(stored: Document, catalogue: CheckCatalogue, health: Mapping[str, SourceState]) -> Document:
    """Return a scorecard as it is answered: each result with its check, and the state of the sources."""
    results = [
        {**_about(catalogue.checks[result["check"]]), **result}
        for result in stored["results"]
        if result["check"] in catalogue.checks
    ]
    for result in results:
        if result["status"] == Status.FAIL:
            result["remedy"] = list(catalogue.checks[result["check"]].how_to_fix)
    return {
        **stored,
        "results": results,
        "sources": [_source(state) for state in health.values()],
        "simulated_sources": _simulated(results, health),
    }


def _simulated(results: Sequence[Document], health: Mapping[str, SourceState]) -> list[str]:
    """Return the sources among those that the verdicts rest on which are no real systems."""
    used = {name for result in results for fact in result["facts"] for name in (fact["source"] or "").split(", ")}
    return sorted(name for name in used if name in health and health[name].simulated)


def check_form(check: Check) -> Document:
    """Return a check as the list of checks shows it."""
    return {
        "id": check.id,
        **_about(check),
        "version": check.version,
        "how_to_fix": list(check.how_to_fix),
        "facts": list(check.facts),
        "rule": check.rule.tree,
        "applies_to": check.definition.get("applies_to"),
        "needs": check.definition.get("needs"),
        "max_age_seconds": {key: int(age.total_seconds()) for key, age in check.max_age.items()},
        "passes": check.passes,
        "fails": check.fails,
        "if_missing": dict(check.if_missing),
    }


def summary(grade: Grade) -> str:
    """Say in a sentence or two where the service stands."""
    counts = grade.overall.counts
    level = level_name(grade.overall.level)
    if level is None:
        return "No check applies to this service."
    tally = (
        f"{counts[Status.PASS]} checks pass, {counts[Status.FAIL]} fail, {counts[Status.UNKNOWN]} are unknown, "
        f"{counts[Status.NOT_APPLICABLE]} do not apply."
    )
    return f"{_expectation(grade, level)} {tally}"


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
    }


def _result(result: CheckResult, gain: Gain | None) -> Document:
    document: Document = {
        "check": result.check.id,
        "version": result.check.version,
        "status": result.status.value,
        "sentence": result.sentence,
        "facts": [_fact(fact) for fact in result.facts],
        "causes": [_cause(cause) for cause in result.causes],
        "gain": _gain(gain) if gain else None,
    }
    # The steps that mend a failing check stand in the catalogue, and are added at reading.
    document["remedy"] = [] if result.status is Status.FAIL else list(result.remedy)
    return document


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


def _gain(gain: Gain) -> Document:
    return {
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
    }


def _source(state: SourceState) -> Document:
    return {
        "name": state.name,
        "plugin": state.plugin,
        "simulated": state.simulated,
        "state": str(state.state),
        "last_success_at": format_time(state.last_success_at) if state.last_success_at else None,
        "failure": state.failure_message,
    }
