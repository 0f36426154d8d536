"""Verdicts of the past put into words again."""

import pytest
import yaml

from scorecards.checks.catalogue import load_catalogue
from scorecards.judging import make_judging
from scorecards.retelling import Told, retell
from tests.scorecards.importing.test_products import OWN
from tests.scorecards.samples import NOW


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
