"""Tech Insights' checks, as its configuration has them."""

import pytest
import yaml

from portal_backend.core.errors import InvalidInput
from scorecards.checks.catalogue import load_catalogue
from scorecards.checks.definitions import Status
from scorecards.evaluation import judge
from scorecards.evidence.causes import Supply
from scorecards.evidence.view import Reading, View
from scorecards.tech_insights.checks import check_form, result_heading
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


LEAF = {"fact": "a", "operator": "equal", "value": True}


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ({"all": [LEAF], "any": [LEAF]}, "rule.conditions: holds `all` and `any` side by side, and only one of them"),
        ({"any": [{"not": LEAF, **LEAF}]}, "rule.conditions.any[0]: holds `not` and `fact` side by side"),
        ({"all": LEAF}, "rule.conditions.all: must be a list of conditions"),
        ({"any": "a"}, "rule.conditions.any: must be a list of conditions"),
        ({"all": [{**LEAF, "operator": 5}]}, "rule.conditions.all[0].operator: must be the name of an operator"),
        ({"all": []}, "rule.all: must be a list of at least one condition"),
    ],
)
def test_a_condition_that_would_be_left_out_of_account_is_a_fault(conditions, words, tmp_path):
    file = tmp_path / "org.yaml"
    file.write_text(yaml.safe_dump({"tech_insights": [{"checks": [{"id": "x", "rule": {"conditions": conditions}}]}]}))
    with pytest.raises(InvalidInput) as caught:
        load_catalogue([file], SPECS, None)
    assert any(words in str(fault) for fault in caught.value.faults), caught.value.faults


def loaded(tmp_path, check, **section):
    file = tmp_path / "org.yaml"
    file.write_text(yaml.safe_dump({"tech_insights": [{"checks": {"x": check}, **section}]}))
    return load_catalogue([file], SPECS, None)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("links", "https://wiki.example", "x: links: must be a list of {title, url}"),
        ("metadata", "gold", "x: metadata: must be an object"),
        ("failureMetadata", ["solution"], "x: failureMetadata: must be an object"),
        ("factIds", "retriever", "x: factIds: must be a list of the ids of fact retrievers"),
        ("name", 5, "x: name: must be a text"),
    ],
)
def test_a_field_of_another_kind_is_a_fault(key, value, words, tmp_path):
    with pytest.raises(InvalidInput) as caught:
        loaded(tmp_path, {"rule": {"conditions": {"all": [LEAF]}}, key: value})
    assert any(words in str(fault) for fault in caught.value.faults), caught.value.faults


def asked_of(retriever, operator, value):
    return {"fact": "cov", "operator": operator, "value": value, "params": {"factRetrieverId": retriever}}


def test_facts_of_two_retrievers_are_two_facts_even_under_one_name(tmp_path):
    conditions = {"all": [asked_of("unit", "greaterThan", 80), asked_of("e2e", "lessThan", 10)]}
    catalogue = loaded(tmp_path, {"rule": {"conditions": conditions}})
    assert catalogue.checks["x"].facts == ("unit.cov", "e2e.cov")
    assert verdict(catalogue, "x", {"unit.cov": 90, "e2e.cov": 5}).status is Status.PASS
    assert verdict(catalogue, "x", {"unit.cov": 90}).status is Status.UNKNOWN
    named = loaded(tmp_path, {"rule": {"conditions": conditions}}, facts={"unit.cov": "unit.lines", "cov": "all.lines"})
    assert named.checks["x"].facts == ("unit.lines", "all.lines")


def test_operators_may_be_turned_round_and_ask_each_member(tmp_path):
    conditions = {
        "all": [
            {"fact": "stage", "operator": "not:equal", "value": "dev"},
            {"fact": "images", "operator": "everyFact:startsWith", "value": "registry.example/"},
        ]
    }
    catalogue = loaded(tmp_path, {"rule": {"conditions": conditions}})
    fine = {"stage": "prod", "images": ["registry.example/a"]}
    assert verdict(catalogue, "x", fine).status is Status.PASS
    assert verdict(catalogue, "x", {**fine, "stage": "dev"}).status is Status.FAIL
    assert verdict(catalogue, "x", {**fine, "images": ["registry.example/a", "b"]}).status is Status.FAIL


def test_an_object_without_keys_in_a_filter_fits_every_entity(tmp_path):
    check = {"rule": {"conditions": {"all": [LEAF]}}, "filter": [{"spec.type": "website"}, {}]}
    assert verdict(loaded(tmp_path, check), "x", {"a": True}).status is Status.PASS


def test_what_a_configuration_says_of_a_check_is_told_by_the_api(tmp_path):
    links = [{"title": "How", "url": "https://wiki.example/how"}, {"title": "Why", "url": "https://wiki.example/why"}]
    check = loaded(
        tmp_path,
        {
            "rule": {"conditions": {"all": [LEAF]}},
            "metadata": {"category": "Ownership", "rank": 2},
            "successMetadata": {"praise": "Well done"},
            "failureMetadata": {"solution": "Set a group"},
            "links": links,
        },
    ).checks["x"]
    form = check_form(check)
    assert (form["metadata"]["category"], form["metadata"]["rank"], form["metadata"]["owner"]) == (
        "Ownership",
        2,
        "sre",
    )
    assert (form["successMetadata"], form["failureMetadata"]) == ({"praise": "Well done"}, {"solution": "Set a group"})
    assert form["links"] == links
    passed, failed = result_heading(check, Status.PASS)["metadata"], result_heading(check, Status.FAIL)["metadata"]
    assert (passed["praise"], passed["status"], "solution" in passed) == ("Well done", "pass", False)
    assert (failed["solution"], failed["status"], "praise" in failed) == ("Set a group", "fail", False)
