"""Kinds that the configuration adds."""

import pytest

from catalog.format.custom_kinds import CustomKind, CustomRelation, check_custom_kinds, known_kinds
from catalog.format.documents import judge_documents
from catalog.format.relations import declared, edges
from tests.catalog.samples import component

POLICY = CustomKind(
    "Policy",
    ("example.com/v1", "example.com/v2"),
    required=("owner", "level"),
    schema={
        "properties": {
            "level": {"$ref": "#/definitions/level"},
            "terms": {"type": "array", "items": {"type": "string", "minLength": 1}},
            "scope": {"enum": ["all", "some"]},
            "code": {"pattern": "^P[0-9]+$"},
        },
        "definitions": {"level": {"type": ["integer", "string"]}},
    },
    relations=(
        CustomRelation("owner", "ownedBy", "ownerOf", "Group"),
        CustomRelation("appliesTo", "governs", "governedBy"),
    ),
)


def judge(spec: str | None, version: str = "example.com/v1", kinds=(POLICY,)):
    text = f"apiVersion: {version}\nkind: Policy\nmetadata: {{name: a}}\n" + (f"spec: {spec}\n" if spec else "")
    (document,) = judge_documents(text.encode(), kinds=known_kinds(kinds))
    return document


@pytest.mark.parametrize(
    ("spec", "faults"),
    [
        ("{owner: o, level: 3}", []),
        ("{owner: o, level: high, terms: [a], scope: all, code: P1, other: [1]}", []),
        (None, ["spec"]),
        ("[]", ["spec"]),
        ("{}", ["spec.owner", "spec.level"]),
        ("{owner: '', level: 1.5}", ["spec.owner", "spec.level"]),
        ("{owner: o, level: 1, terms: [a, '', 5]}", ["spec.terms[1]", "spec.terms[2]"]),
        ("{owner: o, level: 1, scope: none, code: x}", ["spec.scope", "spec.code"]),
        ("{owner: o, level: 1, appliesTo: x}", ["spec.appliesTo"]),
        ("{owner: o, level: 1, appliesTo: ['component:x', y]}", ["spec.appliesTo[1]"]),
        ("{owner: o, level: 1, appliesTo: {a: b}}", ["spec.appliesTo"]),
    ],
)
def test_its_rules_are_kept(spec, faults):
    assert [fault.path for fault in judge(spec).faults] == faults


def test_without_the_configuration_it_is_unknown_and_another_version_too():
    assert [fault.path for fault in judge("{owner: o, level: 1}", kinds=()).faults] == ["kind"]
    assert [fault.path for fault in judge("{owner: o, level: 1}", "example.com/v3").faults] == ["apiVersion"]
    assert judge("{owner: o, level: 1}", "example.com/v2").faults == ()


def test_messages_name_what_is_wrong_in_plain_words():
    (fault,) = judge("{owner: o, level: []}").faults
    assert str(fault) == "spec.level: must be a whole number or a string, but is a list"
    (fault,) = judge("{owner: o, level: 1, scope: none}").faults
    assert str(fault) == "spec.scope: must be one of all, some"


def test_its_relations_show_at_both_ends_from_one_reference_or_many():
    one = judge("{owner: 'user:x/me', level: 1, appliesTo: 'component:b'}")
    assert {edge.type for edge in edges(one.ref, declared(one.entity, one.kind))} == {
        "ownedBy",
        "ownerOf",
        "governs",
        "governedBy",
    }
    many = judge("{owner: o, level: 1, appliesTo: ['component:b', 'api:c']}")
    assert {edge.target for edge in edges(many.ref, declared(many.entity, many.kind)) if edge.type == "governs"} == {
        "component:default/b",
        "api:default/c",
    }


def test_a_kind_of_backstage_may_have_a_further_version_of_its_own():
    kinds = known_kinds([CustomKind("Component", ("example.com/v1",))])
    own = b"apiVersion: example.com/v1\nkind: Component\nmetadata: {name: a}\n"
    assert [not document.faults for document in judge_documents(own, kinds=kinds)] == [True]
    assert [not document.faults for document in judge_documents(component("a").encode(), kinds=kinds)] == [True]


@pytest.mark.parametrize(
    ("kinds", "paths"),
    [
        ([POLICY], []),
        ([POLICY, POLICY], ["[1].api_versions"] * 2),
        ([CustomKind("a b", ())], ["[0].kind", "[0].api_versions"]),
        ([CustomKind("Component", ("backstage.io/v1alpha1",))], ["[0].api_versions"]),
        ([CustomKind("A", ("a/b/c",))], ["[0].api_versions"]),
        ([CustomKind("A", ("v1",), schema={"type": "thing"})], ["[0].schema.type"]),
        ([CustomKind("A", ("v1",), schema={"properties": {"a": {"$ref": "http://x/y"}}})], ["[0].schema.$ref"]),
        ([CustomKind("A", ("v1",), schema={"properties": {"a": {"$ref": "#/definitions/b"}}})], ["[0].schema.$ref"]),
        (
            [CustomKind("A", ("v1",), relations=(CustomRelation("", "a", "", "x y"),))],
            ["[0].relations[0].field", "[0].relations[0].reverse", "[0].relations[0].default_kind"],
        ),
    ],
)
def test_a_faulty_configuration_is_told_by_path(kinds, paths):
    assert [fault.path for fault in check_custom_kinds(kinds)] == paths
