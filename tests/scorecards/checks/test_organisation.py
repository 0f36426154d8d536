"""An organisation's catalogue beside ours: overrides, disabled checks, own facts, groups and checks; faults named."""

from datetime import UTC, date, datetime, timedelta

import pytest
import yaml

from portal_backend.core.errors import InvalidInput
from scorecards.checks.catalogue import DEFAULT_CHECKS, load_catalogue
from scorecards.checks.definitions import Criticality
from tests.scorecards.samples import SPECS

ATTESTED = {
    "id": "org.privacy_review",
    "title": "Privacy review is done",
    "question": "Has the privacy team looked at it?",
    "axis": "architecture",
    "level": 2,
    "weight": 3,
    "criticality": "major",
    "version": 1,
    "owner": "group:default/privacy",
    "sources": ["house rule"],
    "why": "The law asks for it.",
    "how_to_fix": ["Ask for a review."],
    "guide": "https://wiki.example/privacy",
    "effort": "days",
    "attest": {"for": "365d", "confirms": "The privacy team has reviewed it."},
}


def loaded(tmp_path, content):
    (tmp_path / "org.yaml").write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return load_catalogue([tmp_path / "org.yaml"], SPECS)


def faults_of(tmp_path, content):
    with pytest.raises(InvalidInput) as caught:
        loaded(tmp_path, content)
    return [str(fault) for fault in caught.value.faults]


def test_a_threshold_a_level_and_a_weight_are_changed_without_copying_the_check(tmp_path):
    ours = load_catalogue([], SPECS)
    catalogue = loaded(
        tmp_path,
        {
            "overrides": [
                {
                    "check": "chg.cfr",
                    "reason": "We deploy a hundred times a day.",
                    "change": {"thresholds": {"most": 0.05}, "level": 2, "weight": 5, "criticality": "blocker"},
                }
            ]
        },
    )
    check = catalogue.checks["chg.cfr"]
    assert (check.level, check.weight, check.criticality) == (2, 5, Criticality.BLOCKER)
    assert check.rule.tree["value"] == 0.05
    assert check.question == "Do at most 5 % of the changes fail?"
    assert check.fails.endswith("at most 5 % is allowed.")
    assert check.needs.rule.tree["value"] == 10
    assert check.digest != ours.checks["chg.cfr"].digest
    assert catalogue.version != ours.version
    assert len(catalogue.checks) == len(ours.checks)


def test_a_field_is_taken_back_by_null(tmp_path):
    catalogue = loaded(tmp_path, {"overrides": [{"check": "obs.slo.latency", "change": {"applies_to": None}}]})
    assert catalogue.checks["obs.slo.latency"].applies_to is None


def test_a_check_is_taken_out_with_its_reason(tmp_path):
    catalogue = loaded(tmp_path, {"disabled": [{"check": "cap.storage", "reason": "Nothing here keeps data."}]})
    assert "cap.storage" not in catalogue.checks
    assert catalogue.disabled == {"cap.storage": "Nothing here keeps data."}


def test_an_own_attested_check_in_an_own_group(tmp_path):
    catalogue = loaded(
        tmp_path,
        {
            "groups": [{"id": "privacy", "axis": "architecture", "title": "Privacy"}],
            "checks": [ATTESTED | {"group": "privacy", "introduced_at": "2026-11-01", "enforce_from": "2027-01-15"}],
        },
    )
    check = catalogue.checks["org.privacy_review"]
    assert (check.rule, check.facts, check.attested_for) == (None, (), timedelta(days=365))
    assert (check.introduced_at, check.enforce_from) == (date(2026, 11, 1), date(2027, 1, 15))
    assert not check.enforced(datetime(2027, 1, 14, 23, 59, tzinfo=UTC))
    assert check.enforced(datetime(2027, 1, 15, tzinfo=UTC))
    assert catalogue.groups["privacy"].title == "Privacy"


def test_a_rule_for_a_while_is_in_shadow_before_and_after(tmp_path):
    dates = {"enforce_from": "2027-01-15", "enforce_until": "2027-07-01"}
    check = loaded(tmp_path, yaml.safe_dump([ATTESTED | dates])).checks["org.privacy_review"]
    moments = [datetime(2027, month, 20, tzinfo=UTC) for month in (1, 6, 7)]
    assert [check.enforced(moment) for moment in moments] == [True, True, False]
    begins, ends = datetime(2027, 1, 15, tzinfo=UTC), datetime(2027, 7, 1, tzinfo=UTC)
    assert [check.turns_at(moment) for moment in (begins - timedelta(days=1), begins, ends)] == [begins, ends, None]
    with pytest.raises(InvalidInput) as refused:
        loaded(tmp_path, yaml.safe_dump([ATTESTED | dates | {"enforce_until": "2027-01-15"}]))
    assert "Must be later than enforce_from." in str(refused.value.faults)


def test_an_own_check_of_an_own_fact_with_what_all_checks_of_the_file_share(tmp_path):
    shared = {key: value for key, value in ATTESTED.items() if key not in {"id", "title", "question", "attest"}}
    catalogue = loaded(
        tmp_path,
        {
            "defaults": shared,
            "facts": [{"key": "repo.coverage", "type": "number", "unit": "ratio", "description": "Lines under test"}],
            "checks": [
                {
                    "id": "org.coverage",
                    "title": "Tests cover {least}",
                    "question": "Do tests cover {least} of the lines?",
                    "applies_to": "type == service and not (tags contains prototype)",
                    "thresholds": {"least": "80%"},
                    "rule": "repo.coverage >= $least",
                    "passes": "Covered: {repo.coverage}.",
                    "fails": "Covered: {repo.coverage}; {least} are asked for.",
                }
            ],
        },
    )
    check = catalogue.checks["org.coverage"]
    assert check.rule.tree == {"fact": "repo.coverage", "operator": "greaterThanInclusive", "value": 0.8}
    assert check.fails == "Covered: {repo.coverage}; 80 % are asked for."
    assert check.applies_to.otherwise.startswith("It is asked only of services where type == service")
    assert set(catalogue.declared) == {"repo.coverage"}


def test_a_check_of_a_field_of_the_catalogs_entity(tmp_path):
    described = {key: value for key, value in ATTESTED.items() if key != "attest"}
    catalogue = loaded(
        tmp_path,
        [
            described
            | {
                "id": "org.described",
                "rule": "entity.metadata.description exists and entity.spec.lifecycle in [production, experimental]",
                "passes": "It is described.",
                "fails": "It has no description.",
            }
        ],
    )
    assert catalogue.entity_fields >= {"metadata.description", "spec.lifecycle"}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (
            {"overrides": [{"check": "chg.cfr", "change": {"thresholds": {"mots": 0.05}}}]},
            "org.yaml: overrides[0]: change.thresholds.mots: the check has no such threshold; it has most, enough",
        ),
        (
            {"overrides": [{"check": "chg.gone", "change": {"level": 2}}]},
            "org.yaml: overrides[0]: check: there is no check chg.gone before this file; "
            "`portal scorecards checks` lists them",
        ),
        (
            {"overrides": [{"check": "chg.cfr", "change": {"id": "x"}}]},
            "org.yaml: overrides[0]: change.id: cannot be changed; disable the check and write another",
        ),
        (
            {"overrides": [{"check": "chg.cfr", "change": {}}]},
            "org.yaml: overrides[0]: change: Shorter than minimum length 1.",
        ),
        (
            {"overrides": [{"check": "chg.cfr", "change": {"level": 7}}]},
            "change.yaml: chg.cfr, changed by org.yaml: overrides[0]: level: "
            "Must be greater than or equal to 1 and less than or equal to 4.",
        ),
        (
            {"overrides": [{"check": "chg.cfr", "change": {"thresholds": {"most": "soon"}}}]},
            "change.yaml: chg.cfr, changed by org.yaml: overrides[0]: rule.value: 'soon' does not fit the unit ratio; "
            "expected a number with one of %",
        ),
        ({"disabled": [{"check": "cap.storage"}]}, "org.yaml: disabled[0]: reason: Missing data for required field."),
        ({"disabled": ["cap.storage"]}, "org.yaml: disabled[0]: Must be an object, `{name: value, …}`."),
        (
            {"colours": []},
            "org.yaml: colours: Unknown field; there are checks, defaults, disabled, facts, groups, levels_by_points, "
            "overrides, tech_insights.",
        ),
        (
            {"facts": [{"key": "slo.count", "type": "string", "description": "x"}]},
            "org.yaml: facts[0]: key: slo.count is declared already, as integer in count; leave this declaration out",
        ),
        (
            [ATTESTED | {"group": "nope"}],
            "org.yaml: org.privacy_review: group: there is no group nope; declare it under `groups:`",
        ),
        (
            [ATTESTED | {"group": "latency"}],
            "org.yaml: org.privacy_review: group: latency belongs to the axis performance, the check to architecture",
        ),
        (
            [{key: value for key, value in ATTESTED.items() if key != "attest"}],
            "org.yaml: org.privacy_review: rule: Missing data for required field, unless `attest` takes its place.",
        ),
        (
            [ATTESTED | {"passes": "x"}],
            "org.yaml: org.privacy_review: passes: Says something of facts, but the check has no rule.",
        ),
        (
            [ATTESTED | {"attest": {"for": "a year", "confirms": "x"}}],
            "org.yaml: org.privacy_review: attest.for: is not a duration such as 180d, 12h, 30m or 4w",
        ),
        (
            [ATTESTED | {"enforce_from": "tomorrow"}],
            "org.yaml: org.privacy_review: enforce_from: Must be a day such as 2027-01-15.",
        ),
        (
            [ATTESTED | {"thresholds": {"most": 3}}],
            "org.yaml: org.privacy_review: thresholds.most: no condition is compared with it; write $most in the rule",
        ),
    ],
)
def test_a_fault_names_file_check_and_field(content, fault, tmp_path):
    assert fault in faults_of(tmp_path, content)


def test_a_threshold_that_there_is_not_is_one_fault(tmp_path):
    change = {"check": "chg.cfr", "reason": "r", "change": {"thresholds": {"mots": 3}}}
    assert len(faults_of(tmp_path, {"overrides": [change]})) == 1


def test_the_example_of_the_documentation_is_a_check(tmp_path):
    text = (DEFAULT_CHECKS.parents[1] / "docs" / "checks.md").read_text()
    example = text.partition("## Writing a check")[2].partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "org.yaml").write_text(example)
    check = load_catalogue([tmp_path / "org.yaml"], SPECS, None).checks["chg.cfr"]
    assert check.question == "Do at most 15 % of the changes fail?"
    assert check.fails.endswith("; at most 15 % is allowed.")
    assert check.rule.tree["value"] == 0.15


def test_a_day_may_be_written_without_quotes(tmp_path):
    text = yaml.safe_dump([ATTESTED]) + "  enforce_from: 2027-01-15\n"
    assert loaded(tmp_path, text).checks["org.privacy_review"].enforce_from == date(2027, 1, 15)


def test_aliases_that_stand_for_more_than_a_file_may_hold_are_refused(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    (fault,) = faults_of(tmp_path, "\n".join(lines))
    assert "stands for more than" in fault
