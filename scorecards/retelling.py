"""Tells a verdict of the past in words: from the values that it rested on, by the check as it is today. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from scorecards.checks.definitions import Check, Status
from scorecards.evaluation import measured_sentence
from scorecards.evidence.causes import CATALOG_SOURCE, ENTITY
from scorecards.evidence.view import Derive, Evidence, EvidenceState, Reading, View
from scorecards.judging import Judging
from scorecards.rules.related import called

WORDS: Mapping[str, str] = {
    Status.NOT_APPLICABLE: "It did not apply to the service.",
    Status.WAIVED: "It was waived.",
    Status.INHERITED: "It was inherited from a framework module.",
}
THEN = "then"
"""The source of the values in a sentence about the past."""


@dataclass(frozen=True)
class Told:
    """A changed verdict, as it is stored."""

    check: str
    from_status: str | None
    to_status: str | None
    cause: str
    version: int
    digest: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


def all_told(judging: Judging, document: Mapping[str, Any]) -> list[Told]:
    """Read what a judgement stored of the verdicts that it changed, each with the values that it rests on."""
    values = document["values"]
    found = []
    for stored in document["verdicts"]:
        check = judging.catalogue.checks.get(stored[0])
        own = {key: values[key] for key in check.facts if key in values} if check else {}
        check_id, was, status, cause, version, digest = stored
        found.append(Told(check_id, was, status, cause, version, digest, own))
    return found


def retell(judging: Judging, told: Told, at: datetime) -> str:
    """Return the sentence of a verdict as it was told at `at`, as far as it can be made again."""
    if told.to_status is None:
        return "The catalogue no longer has this check."
    check = judging.catalogue.checks.get(told.check)
    if check is None or (told.digest is not None and told.digest != check.digest):
        return f"By an earlier form of the check, its version {told.version}: {told.to_status}."
    if told.to_status == Status.NOT_APPLICABLE and check.applies_to:
        return check.applies_to.otherwise
    return WORDS.get(told.to_status) or _from_values(judging, check, told, at)


def _from_values(judging: Judging, check: Check, told: Told, at: datetime) -> str:
    readings = {key: [Reading(THEN, value, at, at)] for key, value in told.values.items()}
    view = View(readings, judging.supply({}), at, _of_entity(told.values))
    if told.to_status == Status.UNKNOWN:
        lacking = [called(key) for key in check.facts if key not in told.values]
        what = f": {', '.join(lacking)} {'was' if len(lacking) == 1 else 'were'} not known" if lacking else ""
        return f"Could not be judged{what}."
    status, sentence = measured_sentence(check, view, at)
    if status == told.to_status:
        return sentence
    if check.attested_for is None:
        return f"It was judged {told.to_status}; the values that are kept of it do not tell why."
    return f"By what people attested: {told.to_status}."


def _of_entity(values: Mapping[str, Any]) -> dict[str, Derive]:
    """Return the fields of the entity that a verdict rested on, as rules see them: lists come back from JSON."""

    def bind(key: str, value: Any) -> Derive:
        held = tuple(value) if isinstance(value, list) else value
        return lambda _view: Evidence(key, EvidenceState.FRESH, "", held, CATALOG_SOURCE)

    return {key: bind(key, value) for key, value in values.items() if key.startswith(ENTITY)}
