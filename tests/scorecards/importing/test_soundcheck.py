"""Soundcheck: what its collectors read of files, the catalog's own facts, facts compared, filters as predicates."""

import pytest

from scorecards.importing.drafts import Outcome
from tests.scorecards.importing.test_filters import applies, check_of
from tests.scorecards.importing.test_products import checks_of, draft_of, leaf

ENTITY = "catalog:default/entity_descriptor"


def check(rule):
    return {"id": "asked", "name": "Asked", "rule": rule}


def condition(path, operator="equal", value="x", reference="scm:default/package"):
    return {"factRef": reference, "path": path, "operator": operator, "value": value}


def collected(kind, data=None, path="package.json", **more):
    one = {"factName": "package", "type": kind, "path": path, **({"data": data} if data else {}), **more}
    return draft_of({"collects": [one]})


@pytest.mark.parametrize(
    ("kind", "field", "entry"),
    [
        ("json", {"jsonPath": "$.engines.node", "type": "string"}, {"value": "/engines/node", "type": "string"}),
        ("json", {"jsonPath": "$.scripts['test/all']"}, {"value": "/scripts/test~1all", "type": "string"}),
        ("json", {"jsonPath": "$.files[0]", "type": "number"}, {"value": "/files/0", "type": "number"}),
        ("yaml", {"jsonPath": "$.jobs[*].uses", "type": "array"}, {"value": "/jobs/*/uses", "type": "set"}),
    ],
)
def test_a_value_of_a_json_or_yaml_file_is_an_entry(kind, field, entry):
    draft = collected(kind, [{"name": "wanted", **field}])
    assert draft.files == {"scm.package.wanted": {"fact": "scm.package.wanted", "path": "package.json", **entry}}


def test_a_file_whose_name_tells_no_format_is_read_as_the_collector_says():
    draft = collected("yaml", [{"name": "wanted", "jsonPath": "$.a", "type": "boolean"}], path="./.tool-config")
    assert draft.files["scm.package.wanted"]["format"] == "yaml"
    assert draft.files["scm.package.wanted"]["path"] == ".tool-config"


@pytest.mark.parametrize(
    ("kind", "more", "told"),
    [
        ("json", {"data": [{"name": "w", "jsonPath": "$..version", "type": "string"}]}, "more than names and places"),
        ("json", {"data": [{"name": "w", "jsonPath": "$.a[?(@.b)]", "type": "string"}]}, "more than names and places"),
        ("json", {"data": [{"name": "w", "jsonPath": "$.a", "type": "object"}]}, "it is of the type object"),
        ("json", {"data": [{"name": "w", "jsonPath": "$", "type": "array"}]}, "it is the whole document"),
        ("xml", {"data": [{"name": "w", "jsonPath": "$.a", "type": "string"}]}, "it is XML"),
        ("code-search", {"query": "TODO"}, "searches none"),
        ("regex", {"regex": "(a)(b)", "data": [{"name": "w"}]}, "one group of a pattern"),
    ],
)
def test_what_no_source_reads_of_a_file_is_named(kind, more, told):
    draft = collected(kind, **more)
    assert draft.files == {}
    assert told in draft.notes[-1]
    assert "something has to push it" in draft.notes[-1]


def test_patterns_keep_their_flags_and_their_group():
    plain = collected("regex", regex="^do not edit", flags="gmi").files
    assert plain["scm.package.matches"]["matches"] == "(?im)^do not edit"
    group = collected("regex", [{"name": "node", "type": "number"}], regex=r"node: (\d+)").files
    assert group == {
        "scm.package.node": {
            "fact": "scm.package.node",
            "path": "package.json",
            "capture": r"node: (\d+)",
            "type": "number",
        }
    }
    every = collected("regex", regex="uses: .+", matchAll=True).files
    assert every["scm.package.matches"]["type"] == "set"


def test_what_the_catalog_says_is_asked_of_the_catalog(tmp_path):
    rule = [
        condition('$.metadata.annotations["backstage.io/techdocs-ref"]', "notEqual", "", ENTITY),
        condition("$.spec.lifecycle", "equal", "production", ENTITY),
    ]
    (made,) = checks_of(draft := draft_of([check(rule)]), tmp_path)
    assert made.rule.tree == {
        "all": [
            leaf("entity.metadata.annotations.backstage.io/techdocs-ref", "notEqual", ""),
            leaf("entity.spec.lifecycle", "equal", "production"),
        ]
    }
    assert draft.facts == {}


def test_two_facts_are_compared(tmp_path):
    other = {"factRef": "catalog:default/limits", "path": "$.most"}
    (made,) = checks_of(draft_of([check(condition("$.rate", "lessThan", other))]), tmp_path)
    assert made.rule.tree == leaf("scm.package.rate", "lessThan", {"fact": "catalog.limits.most"})
    said = draft_of([check(condition("$.rate", "contains", other))]).said[0]
    assert (said.outcome, said.why[:42]) == (Outcome.AUTOMATIC, "Its operator contains is not asked of two ")


def test_a_filter_may_be_a_predicate_of_the_catalog(tmp_path):
    query = {
        "kind": "Component",
        "$any": [{"spec.type": {"$in": ["service", "website"]}}, {"metadata.tags": {"$contains": "java"}}],
        "$not": {"spec.lifecycle": "experimental"},
        "spec.system": {"$exists": True},
        "metadata.title": {"$hasPrefix": "Pay"},
    }
    made, notes = check_of(tmp_path, filterQuery=query)
    entity = {"spec": {"type": "service", "system": "pay"}, "metadata": {"title": "Payments"}}
    assert notes == []
    assert applies(made, **entity)
    assert not applies(made, spec={"type": "service"}, metadata={"title": "Payments"})
    assert not applies(made, spec={"type": "library", "system": "pay"}, metadata={"title": "Payments"})
    assert not applies(made, spec=entity["spec"] | {"lifecycle": "experimental"}, metadata=entity["metadata"])
    assert not applies(made, spec=entity["spec"], metadata={"title": "Mail"})


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("kind=Component", "it is no object of fields"),
        ({"spec.type": {"$matches": "a"}}, "`spec.type` is compared by $matches"),
        ({"type": "service"}, "`type` is no field of the entity"),
    ],
)
def test_a_predicate_that_cannot_be_said_is_named(query, told, tmp_path):
    made, notes = check_of(tmp_path, filterQuery=query)
    assert made.applies_to is None
    assert told in notes[0]
    assert "The `filterQuery` of the check has_readme is not carried over" in notes[0]


def test_groups_side_by_side_in_one_condition_are_not_said_by_one_of_them():
    one = {"factRef": "ci:default/build", "path": "$.passed", "operator": "equal", "value": True}
    draft = draft_of([{"id": "c", "rule": {"all": [one], "any": [one]}}])
    assert "It holds `all` and `any` side by side" in draft.said[0].why
    assert draft.said[0].definition["rule"] == leaf("soundcheck.c", "equal", True)


def test_a_filter_that_check_and_track_share_is_asked_once_and_told_in_their_words():
    one = {"factRef": "ci:default/build", "path": "$.passed", "operator": "equal", "value": True}
    asked = {"filter": [{"kind": ["component"]}]}
    check = {"id": "c", "rule": [one], "notApplicableMessage": "It has no pipeline.", **asked}
    track = {"id": "t", "levels": [{"ordinal": 1, "checks": [{"id": "c"}]}], **asked}
    draft = draft_of({"soundcheck": {"checks": [check], "tracks": [track]}})
    assert draft.said[0].definition["applies_to"] == {
        "when": {"field": "kind", "operator": "hasValue", "value": "component"},
        "otherwise": "It has no pipeline.",
    }
