"""Scorecards of Atlassian Compass, as its users keep them in files and as its API takes and gives them."""

import json

import pytest

from scorecards.importing.drafts import Outcome
from tests.scorecards.importing.test_products import draft_of, leaf

FILE = """
apiVersion: of-catalog/v1alpha1
kind: Scorecard
metadata: {name: observability}
spec:
  name: Observability
  state: DRAFT
  componentTypeIds: [SERVICE]
  importance: REQUIRED
  scoringStrategyType: WEIGHT_BASED
  criteria:
    - hasMetricValue:
        weight: 75
        name: instrumentation
        metricName: instrumentation-check
        comparatorValue: 1
        comparator: EQUALS
    - hasMetricValue:
      weight: "25"
      name: Errors are few
      metricName: error-ratio
      comparatorValue: 0.5
      comparator: LESS_THAN_OR_EQUAL_TO
"""


def read(*criteria, **card):
    content = {"name": "Gold", "criterias": list(criteria), **card}
    return draft_of(json.dumps({"data": {"compass": {"scorecard": content}}}), "card.json")


def rules_of(draft):
    return [one.definition["rule"] for one in draft.said]


def test_a_file_is_read_with_metrics_weights_and_types():
    draft = draft_of(FILE, "observability.yaml")
    assert draft.format == "a Compass scorecard"
    checks = [one.definition for one in draft.said]
    assert [(one["title"], one["weight"], one["rule"]) for one in checks] == [
        ("instrumentation", 5, leaf("compass.instrumentation_check", "equal", 1)),
        ("Errors are few", 2, leaf("compass.error_ratio", "lessThanInclusive", 0.5)),
    ]
    assert checks[0]["question"] == "Does this hold: “instrumentation equals 1”?"
    assert checks[0]["applies_to"]["when"] == {"field": "type", "operator": "hasValue", "value": "service"}
    assert draft.facts["compass.error_ratio"]["type"] == "number"
    assert "The scorecard Observability is not published there." in draft.notes


@pytest.mark.parametrize(
    ("criterion", "rule"),
    [
        ({"hasOwner": {"weight": 10}}, leaf("entity.spec.owner", "exists", True)),
        ({"hasDescription": {"weight": 10}}, leaf("entity.metadata.description", "exists", True)),
        (
            {"hasLink": {"weight": 10, "linkType": "REPOSITORY"}},
            leaf("entity.metadata.annotations.backstage.io/source-location", "exists", True),
        ),
        (
            {"hasLink": {"linkType": "DASHBOARD", "textComparator": "MATCHES_REGEX", "textComparatorValue": "grafana"}},
            leaf("compass.link.dashboard", "matchesRegex", "grafana"),
        ),
        (
            {"hasField": {"fieldDefinitionId": "ari:cloud:compass:x:field-definition/1/lifecycle"}},
            leaf("entity.spec.lifecycle", "exists", True),
        ),
        (
            {"hasCustomBooleanValue": {"customFieldDefinitionId": "a/pci", "booleanComparator": "EQUALS"}
             | {"booleanComparatorValue": False}},
            leaf("compass.pci", "equal", False),
        ),
        (
            {"hasCustomSingleSelectValue": {"customFieldDefinitionId": "a/region", "membershipComparator": "NOT_IN"}
             | {"membershipComparatorValue": ["us", "eu"]}},
            leaf("compass.region", "notIn", ["us", "eu"]),
        ),
        (
            {"hasCustomMultiSelectValue": {"customFieldDefinitionId": "a/teams", "collectionComparator": "ALL_OF"}
             | {"collectionComparatorValue": ["a", "b"]}},
            {"all": [leaf("compass.teams", "contains", "a"), leaf("compass.teams", "contains", "b")]},
        ),
        (
            {"hasCustomMultiSelectValue": {"customFieldDefinitionId": "a/teams", "collectionComparator": "NONE_OF"}
             | {"collectionComparatorValue": ["a"]}},
            {"not": leaf("compass.teams", "overlaps", ["a"])},
        ),
        ({"__typename": "CompassHasOwnerScorecardCriteria", "weight": 1}, leaf("entity.spec.owner", "exists", True)),
        (
            {"__typename": "CompassHasCustomNumberFieldScorecardCriteria", "numberComparator": "GREATER_THAN"}
            | {"numberComparatorValue": 3, "customFieldDefinition": {"name": "Replica count"}},
            leaf("compass.replica_count", "greaterThan", 3),
        ),
        (
            {"hasOwner": {"scoringStrategyRules": {"onTrue": "MARK_AS_FAILED", "onFalse": "MARK_AS_PASSED"}}},
            {"not": leaf("entity.spec.owner", "exists", True)},
        ),
    ],
)  # fmt: skip
def test_what_a_criterion_compares_is_a_rule(criterion, rule):
    draft = read(criterion)
    assert rules_of(draft) == [rule]
    assert draft.said[0].outcome is Outcome.AUTOMATIC


@pytest.mark.parametrize(
    ("criterion", "why"),
    [
        ({"hasPackageDependency": {"packageName": "log4j", "packageManager": "MAVEN"}}, "a version of log4j (MAVEN)"),
        ({"dynamic": {"name": "Ready", "expressions": [{}]}}, "decides by expressions"),
        ({"hasMetricValue": {"name": "m", "graduatedSeriesComparators": [{}]}}, "scores its metric in steps"),
        ({"hasMetricValue": {"name": "m", "comparator": "ABOUT", "comparatorValue": 1}}, "ABOUT has none of ours"),
        ({"hasMetricValue": {"name": "m", "comparator": "EQUALS"}}, "which is no number"),
        ({"hasCustomBooleanValue": {"name": "b", "booleanComparator": "EQUALS"}}, "compares with nothing"),
        ({"hasSecret": {"name": "s"}}, "asks for hasSecret"),
        ({"hasOwner": {"scoringStrategyRules": {"onFalse": "MARK_AS_SKIPPED"}}}, "scores by rules of its own"),
    ],
)
def test_what_has_no_form_here_is_supplied_as_a_fact(criterion, why):
    draft = read(criterion)
    assert why in draft.said[0].why
    (key,) = draft.facts
    assert rules_of(draft) == [leaf(key, "equal", True)]
    assert draft.facts[key]["type"] == "boolean"


def test_a_criterion_that_nobody_knows_is_not_lost_beside_others():
    draft = read({"hasOwner": {}}, {"name": "Something new", "weight": 1}, "Reviewed")
    assert [one.definition["title"] for one in draft.said] == ["Has owner", "Something new", "Reviewed"]
    assert [one.why.split(".")[0] for one in draft.said[1:]] == ["What it asks for is not known here"] * 2


def test_what_narrows_a_scorecard_is_said_or_noted():
    draft = read(
        {"hasOwner": {"scoringStrategyRules": {"onError": "MARK_AS_PASSED"}, "maturityGroup": {"id": "x"}}},
        importance="RECOMMENDED",
        componentTierValues=["1", "2"],
        componentLabelNames=["pci"],
        componentOwnerIds=["ari:team/1"],
        statusConfig={"passing": {"lowerBound": 80}},
    )  # fmt: skip
    check = draft.said[0].definition
    assert check["criticality"] == "minor"
    assert check["applies_to"]["when"]["all"] == [
        {"any": [{"field": "criticality", "operator": "equal", "value": tier} for tier in ("T0", "T1")]},
        {"field": "tags", "operator": "hasValue", "value": "pci"},
    ]
    notes = " ".join(draft.notes)
    for words in ("`componentOwnerIds` too", "passes there without data", "level of the criterion Has owner", "80 %"):
        assert words in notes


def test_the_level_of_a_model_of_maturity_is_kept():
    draft = read({"hasOwner": {"maturityGroup": {"maturityLevel": {"name": "Level 3"}}}})
    assert draft.said[0].definition["level"] == 3
