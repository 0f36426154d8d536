"""Tech Insights' checks, as its configuration has them."""

import pytest
import yaml

from portal_backend.core.errors import InvalidInput
from scorecards.checks.catalogue import load_catalogue
from scorecards.checks.definitions import Status
from scorecards.evaluation import judge
from scorecards.evidence.causes import Supply
from scorecards.evidence.view import Reading, View
from tests.scorecards.samples import MINUTE, NOW, SPECS, subject

CONFIGURATION = """
techInsights:
  factRetrievers:
    entityOwnershipFactRetriever: {cadence: '*/15 * * * *'}
  factChecker:
    checks:
      groupOwnerCheck:
        type: json-rules-engine
        name: Group Owner Check
        description: Verifies that a group has been set as the spec.owner for this entity
        factIds: [entityOwnershipFactRetriever]
        rule:
          conditions:
            all:
              - fact: hasGroupOwner
                operator: equal
                value: true
      titleCheck:
        type: json-rules-engine
        name: Title Check
        description: Verifies that a Title, used to improve readability, has been set for this entity
        factIds: [entityMetadataFactRetriever]
        successMetadata: {reason: fine}
        failureMetadata: {reason: set a title}
        links: [{title: How, url: https://wiki.example/title}]
        filter:
          - kind: [component, api]
            spec.lifecycle: production
          - metadata.tags: java
        rule:
          conditions:
            any:
              - {fact: hasTitle, operator: equal, value: true, priority: 3}
              - not: {fact: openIssues, operator: greaterThan, value: 10, path: $.count}
              - {fact: openIssues, operator: lessThan, value: {fact: limit}, path: $.count}
              - {fact: branches, operator: contains, value: main}
              - {fact: branch, operator: in, value: [main, trunk]}
"""


@pytest.fixture
def catalogue(tmp_path):
    file = tmp_path / "tech-insights.yaml"
    checks = yaml.safe_load(CONFIGURATION)
    file.write_text(yaml.safe_dump({"tech_insights": [{"checks": checks}]}))
    return load_catalogue([file], SPECS, None)


def verdict(catalogue, check, facts, **service):
    observed = {key: [Reading("ti", value, NOW - MINUTE, NOW)] for key, value in facts.items()}
    view = View(observed, Supply({**SPECS, **catalogue.declared}, {}, {}), NOW)
    return judge(catalogue.checks[check], subject(**service), view, NOW)


def test_the_checks_of_a_configuration_load_as_they_are(catalogue):
    assert list(catalogue.checks) == ["groupOwnerCheck", "titleCheck"]
    check = catalogue.checks["titleCheck"]
    assert (check.title, check.guide) == ("Title Check", "https://wiki.example/title")
    assert check.definition["tech_insights"]["failureMetadata"] == {"reason": "set a title"}
    assert check.facts == ("hasTitle", "openIssues.count", "limit", "branches", "branch")
    assert {key: spec.type for key, spec in catalogue.declared.items()} == {
        "hasGroupOwner": "boolean",
        "hasTitle": "boolean",
        "openIssues.count": "number",
        "limit": "number",
        "branches": "set",
        "branch": "string",
    }


def test_they_are_judged_like_any_other(catalogue):
    assert verdict(catalogue, "groupOwnerCheck", {"hasGroupOwner": True}).status is Status.PASS
    failed = verdict(catalogue, "groupOwnerCheck", {"hasGroupOwner": False})
    assert (failed.status, failed.sentence) == (Status.FAIL, "The condition does not hold: hasGroupOwner is no.")
    assert verdict(catalogue, "groupOwnerCheck", {}).status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("fields", "tags", "applies"),
    [
        ({"spec.lifecycle": "Production", "metadata.tags": ["go"]}, (), True),
        ({"spec.lifecycle": "experimental", "metadata.tags": ["go"]}, (), False),
        ({"spec.lifecycle": "experimental", "metadata.tags": ["go", "JAVA"]}, (), True),
        ({"spec.lifecycle": None, "metadata.tags": None}, (), False),
    ],
)
def test_a_filter_is_any_of_its_objects_and_all_of_their_keys_whatever_the_case(catalogue, fields, tags, applies):
    result = verdict(catalogue, "titleCheck", {"hasTitle": True}, fields=fields, tags=tags)
    assert (result.status is not Status.NOT_APPLICABLE) is applies


def test_facts_are_renamed_and_the_place_is_given(tmp_path):
    file = tmp_path / "ti.yaml"
    section = {
        "checks": [{"id": "cfr", "rule": {"conditions": {"fact": "cfr", "operator": "lessThan", "value": 0.15}}}],
        "facts": {"cfr": "deploys.change_failure_rate_30d"},
        "place": {"axis": "change", "level": 2, "criticality": "major"},
    }
    file.write_text(yaml.safe_dump({"tech_insights": [section]}))
    catalogue = load_catalogue([file], SPECS)
    assert catalogue.checks["cfr"].facts == ("deploys.change_failure_rate_30d",)
    assert (catalogue.checks["cfr"].axis, catalogue.checks["cfr"].level) == ("change", 2)
    assert not catalogue.declared


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ({"id": "x"}, "x: rule.conditions: must be a condition"),
        ({"id": "x", "type": "other", "rule": {"conditions": {}}}, "x: type: 'other' is another fact checker's"),
        ({"id": "x", "colour": 1, "rule": {"conditions": {}}}, "x: colour: is no field of a Tech Insights check"),
        (
            {"id": "x", "rule": {"conditions": {"all": [{"condition": "shared"}]}}},
            "x: rule.conditions.all[0]: a named condition stands elsewhere",
        ),
        (
            {"id": "x", "rule": {"conditions": {"fact": "a", "operator": "equal", "value": 1, "path": "$..b[?(@.c)]"}}},
            "x: rule.conditions.path: '$..b[?(@.c)]' is more than names joined by dots",
        ),
        (
            {"id": "x", "rule": {"conditions": {"fact": "a", "operator": "near", "value": 1}}},
            "org.yaml: x: rule.operator: 'near' is no operator",
        ),
        ({"id": 3}, "checks[0]: must be a check with an `id`"),
    ],
)
def test_what_cannot_be_said_is_a_fault_with_the_check_named(check, words, tmp_path):
    file = tmp_path / "org.yaml"
    file.write_text(yaml.safe_dump({"tech_insights": [{"checks": [check]}]}))
    with pytest.raises(InvalidInput) as caught:
        load_catalogue([file], SPECS, None)
    assert any(words in str(fault) for fault in caught.value.faults), caught.value.faults
