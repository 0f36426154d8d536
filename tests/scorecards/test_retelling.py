"""Verdicts of the past put into words again."""

import pytest
import yaml

from scorecards.changes import ChangeCause, LevelMove, sentence_of
from scorecards.checks.catalogue import load_catalogue
from scorecards.exceptions.in_force import Attestation, Ending, Given, Waiver
from scorecards.judging import make_judging
from scorecards.retelling import Told, retell
from tests.scorecards.importing.test_products import OWN
from tests.scorecards.samples import DAY, NOW, catalogue


def told_by(rule, status, values, folder, digest=None):
    check = OWN | {
        "id": "org.x",
        "title": "x",
        "question": "x",
        "rule": rule,
        "passes": "It is.",
        "fails": "It is not.",
    }
    (folder / "org.yaml").write_text(yaml.safe_dump([check]))
    judging = make_judging(load_catalogue([folder / "org.yaml"], {}, None), {}, {}, ("service",))
    return retell(judging, Told("org.x", None, status, "service_changed", 1, digest, values), NOW)


@pytest.mark.parametrize(
    ("rule", "status", "values", "sentence"),
    [
        ("entity.metadata.description exists", "pass", {"entity.metadata.description": "x"}, "It is."),
        ("entity.metadata.description exists", "fail", {}, "It is not."),
        ("count(entity.metadata.tags) >= 2", "fail", {"entity.metadata.tags": ["go"]}, "It is not."),
        ("entity.metadata.tags has value go", "pass", {"entity.metadata.tags": ["go"]}, "It is."),
        ("entity.spec.replicas >= 3", "pass", {"entity.spec.replicas": 4}, "It is."),
        (
            "entity.spec.reviewed-at younger than 10d",
            "fail",
            {"entity.spec.reviewed-at": "2026-01-01T00:00:00Z"},
            "It is not.",
        ),
        ("entity.spec.replicas >= 3", "unknown", {}, "Could not be judged: entity.spec.replicas was not known."),
    ],
)
def test_a_verdict_by_fields_of_the_entity_is_told_by_what_stood_there(rule, status, values, sentence, tmp_path):
    assert told_by(rule, status, values, tmp_path) == sentence


def test_what_cannot_be_told_again_is_not_ascribed_to_people_where_none_could_attest(tmp_path):
    sentence = told_by("entity.spec.replicas >= 3", "pass", {"entity.spec.replicas": 1}, tmp_path)
    assert sentence == "It was judged pass; the values that are kept of it do not tell why."


def test_a_verdict_of_an_earlier_form_of_the_check_is_not_told_by_todays(tmp_path):
    sentence = told_by("entity.spec.replicas >= 3", "fail", {"entity.spec.replicas": 1}, tmp_path, digest="earlier")
    assert sentence == "By an earlier form of the check, its version 1: fail."


def given(kind="expired", holds=True):
    begun, ended = NOW - 30 * DAY, NOW - DAY
    ending = Ending(ended, kind, None if kind == "expired" else "ann", None if kind == "expired" else "No such drill.")
    attested = Attestation("a", "er.controls", 1, holds, "All were tried", None, "dora", begun, NOW - DAY)
    waived = Waiver("w", "er.controls", "We move", "A quota", "dan", "ann", begun, NOW - DAY)
    return Given({"er.controls": [(attested, ending)]}, {"er.controls": [(waived, ending)]})


def retold(status, cause, said, at=NOW):
    judging = make_judging(catalogue(), {}, {}, ("service",))
    return retell(judging, Told("er.controls", None, status, cause, 1), at, said)


BY_DORA = "dora attested on 2026-10-23"
NO_FACT = "Could not be judged: no fact can show it, and nobody vouched for it."
WAIVED = "Waived until 2026-11-21 by ann: We move. Meanwhile: A quota."


@pytest.mark.parametrize(
    ("status", "cause", "said", "sentence"),
    [
        ("unknown", "attestation_changed", given(), f"Could not be judged: what {BY_DORA} expired on 2026-11-21."),
        (
            "unknown",
            "attestation_changed",
            given("overturned"),
            f"Could not be judged: what {BY_DORA} was overturned on 2026-11-21 by ann: No such drill.",
        ),
        (
            "unknown",
            "attestation_changed",
            Given(),
            "Could not be judged: what people attested ended or expired.",
        ),
        (
            "pass",
            "attestation_changed",
            given(),
            f"{BY_DORA} that it holds, which counts until 2026-11-21: All were tried.",
        ),
        ("fail", "attestation_changed", given(), "By what people attested: fail."),
        ("waived", "waiver_changed", given(), WAIVED),
        (
            "unknown",
            "waiver_changed",
            given(),
            f"{NO_FACT} The waiver that ann approved expired on 2026-11-21.",
        ),
        ("unknown", "evidence_lost", given(), NO_FACT),
    ],
)
def test_what_people_said_is_told_with_who_said_it_and_how_it_ended(status, cause, said, sentence):
    assert retold(status, cause, said) == sentence


def test_what_was_said_later_tells_nothing_of_before():
    assert retold("pass", "attestation_changed", given(), NOW - 31 * DAY) == "By what people attested: pass."


def test_a_level_that_many_checks_moved_names_the_first_of_them():
    move = LevelMove(None, "L0", "L2", ChangeCause.SERVICE, tuple("abcdefgh"))
    assert sentence_of(move) == "Rose from L0 to L2 by a, b, c, d, e and 3 more: the service changed."
