"""Tells a verdict of the past in words: from the values that it rested on, by the check as it is today. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from scorecards.changes import ChangeCause
from scorecards.checks.definitions import Check, Status
from scorecards.evaluation import measured_sentence, settled_sentence
from scorecards.evidence.causes import CATALOG_SOURCE, ENTITY
from scorecards.evidence.view import Derive, Evidence, EvidenceState, Reading, View
from scorecards.exceptions.in_force import Ending, Given
from scorecards.judging import Judging
from scorecards.rules.related import called
from scorecards.settling import EvidenceKind, Settled

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
    shadow: bool | None = False
    """The check was in shadow: the verdict counted for nothing. None where that was not kept."""
    edited_from: int | None = None
    """The version of the check before it was edited while the verdict stayed; None where neither is so."""


def all_told(judging: Judging, document: Mapping[str, Any], at: datetime) -> list[Told]:
    """Read what the judgement of `at` stored of the verdicts that it changed, each with the values that it rests on."""
    values, shadow = document["values"], document.get("shadow")
    found = []
    for stored in document["verdicts"]:
        check = judging.catalogue.checks.get(stored[0])
        own = {key: values[key] for key in check.facts if key in values} if check else {}
        check_id, was, status, cause, version, digest, *edited_from = stored
        in_shadow = check_id in shadow if shadow is not None else _shadow_by_today(check, digest, at)
        found.append(Told(check_id, was, status, cause, version, digest, own, in_shadow, *edited_from))
    return found


def _shadow_by_today(check: Check | None, digest: str | None, at: datetime) -> bool | None:
    """Say whether a check was in shadow then, by the check as it is today; None when it has changed since."""
    return None if check is None or check.digest != digest else not check.enforced(at)


NOTHING_GIVEN = Given()
ENDINGS: Mapping[str, str] = {
    "expired": "expired on",
    "revoked": "was taken back on",
    "overturned": "was overturned on",
    "superseded": "was replaced on",
    "ended": "was ended on",
}


GONE = "The catalogue no longer has this check."
BEGAN_TO_COUNT = "The check counts since then; before, it was in shadow."
CEASED_TO_COUNT = "The check is in shadow since then and counts for nothing."


def retell(judging: Judging, told: Told, at: datetime, given: Given = NOTHING_GIVEN) -> str:
    """Return the sentence of a verdict as it was told at `at`, as far as it can be made again.

    `given`: what people attested and waived of the service.
    """
    sentence = _retold(judging, told, at, given)
    if told.edited_from is not None:
        return f"{edited_words(told.edited_from, told.version)} {sentence}"
    if told.from_status != told.to_status or told.cause != ChangeCause.RULE or told.shadow is None:
        return sentence
    return f"{CEASED_TO_COUNT if told.shadow else BEGAN_TO_COUNT} {sentence}"


def edited_words(before: int, after: int) -> str:
    """Say that a check is another one, of these versions, and that the verdict stayed."""
    which = f"version {before} to {after}" if before != after else f"within version {after}"
    return f"The check was edited ({which}); the verdict stayed."


def _retold(judging: Judging, told: Told, at: datetime, given: Given) -> str:
    if told.to_status is None:
        return GONE
    check = judging.catalogue.checks.get(told.check)
    if check is None or (told.digest is not None and told.digest != check.digest):
        return f"By an earlier form of the check, its version {told.version}: {told.to_status}."
    if told.to_status == Status.NOT_APPLICABLE and check.applies_to:
        return check.applies_to.otherwise
    if told.to_status == Status.WAIVED and (waived := given.waiver(told.check, at)):
        return settled_sentence(Settled(Status.WAIVED, None, waiver=waived[0]))
    return WORDS.get(told.to_status) or _from_values(judging, check, told, at, given)


def _from_values(judging: Judging, check: Check, told: Told, at: datetime, given: Given) -> str:
    readings = {key: [Reading(THEN, value, at, at)] for key, value in told.values.items()}
    view = View(readings, judging.supply({}), at, _of_entity(told.values))
    status, sentence = measured_sentence(check, view, at)
    if told.to_status == Status.UNKNOWN:
        return _unjudged(check, told, at, given, sentence)
    if status == told.to_status:
        return f"{sentence}{_waiver_ended(told, at, given)}"
    if check.attested_for is None:
        return f"It was judged {told.to_status}; the values that are kept of it do not tell why."
    return _attested(told, at, given)


def _unjudged(check: Check, told: Told, at: datetime, given: Given, by_values: str) -> str:
    """Say why it was unknown; `by_values` is what is said of the kept values today."""
    if told.cause == ChangeCause.ATTESTATION:
        found = given.attestation(told.check, at)
        if found and found[1].at <= at:
            one, ending = found
            return f"Could not be judged: what {one.attested_by} attested on {one.attested_at:%Y-%m-%d} {_how(ending)}"
        return "Could not be judged: what people attested ended or expired."
    lacking = [called(key) for key in check.facts if key not in told.values]
    if lacking:
        said = f"Could not be judged: {', '.join(lacking)} {'was' if len(lacking) == 1 else 'were'} not known."
    elif not check.facts:
        said = "Could not be judged: no fact can show it, and nobody vouched for it."
    else:
        said = by_values
    return f"{said}{_waiver_ended(told, at, given)}"


def _attested(told: Told, at: datetime, given: Given) -> str:
    holds = told.to_status == Status.PASS
    found = given.attestation(told.check, at, holds)
    if found is None:
        return f"By what people attested: {told.to_status}.{_waiver_ended(told, at, given)}"
    settled = Settled(Status.PASS if holds else Status.FAIL, EvidenceKind.ATTESTED, attestation=found[0])
    return f"{settled_sentence(settled)}{_waiver_ended(told, at, given)}"


def _waiver_ended(told: Told, at: datetime, given: Given) -> str:
    """Say how the waiver ended that had stood before the verdict."""
    found = given.waiver(told.check, at) if told.cause == ChangeCause.WAIVER else None
    if found is None or found[1].at > at:
        return ""
    return f" The waiver that {found[0].approved_by} approved {_how(found[1])}"


def _how(ending: Ending) -> str:
    by = f" by {ending.by}" if ending.by else ""
    why = f": {ending.reason.strip().rstrip('.')}" if ending.reason else ""
    return f"{ENDINGS.get(ending.kind, 'ended on')} {ending.at:%Y-%m-%d}{by}{why}."


def _of_entity(values: Mapping[str, Any]) -> dict[str, Derive]:
    """Return the fields of the entity that a verdict rested on, as rules see them: lists come back from JSON."""

    def bind(key: str, value: Any) -> Derive:
        held = tuple(value) if isinstance(value, list) else value
        return lambda _view: Evidence(key, EvidenceState.FRESH, "", held, CATALOG_SOURCE)

    return {key: bind(key, value) for key, value in values.items() if key.startswith(ENTITY)}
