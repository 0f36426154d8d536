"""Conditions on a service itself: plain fields, and any path into its entity."""

import pytest

from scorecards.checks.definitions import Subject
from scorecards.checks.fields import FieldSpecs, entity_values, service_fields, value_at
from scorecards.evidence.view import Evidence, EvidenceState
from scorecards.rules.tree import Compiler
from tests.scorecards.samples import NOW

ENTITY = {
    "kind": "Component",
    "metadata": {
        "name": "shakespeare",
        "description": "Searches plays",
        "labels": {"pci": "true", "shards": "12", "java": "v17.0.2-tem"},
        "annotations": {"backstage.io/techdocs-ref": "dir:.", "a.b": {"c": "deep"}},
        "links": [{"url": "https://x"}],
    },
    "spec": {"type": "service", "replicas": 3, "profile": {"langs": ["Go", "Python"]}, "parts": []},
    "relations": [
        {"type": "ownedBy", "targetRef": "group:default/bards"},
        {"type": "dependsOn", "targetRef": "resource:default/plays-db"},
        {"type": "dependsOn", "targetRef": "component:default/quill"},
    ],
}


def asked(text, entity=ENTITY, **plain):
    compiler = Compiler(FieldSpecs(), "field")
    rule = compiler.compile(text, "when")
    assert rule, compiler.faults
    paths = [key for key in rule.facts if "." in key]
    subject = Subject("component:default/s", "s", fields=entity_values(entity, paths), **plain)
    values = service_fields(subject, ("x",))

    def lookup(key):
        value = values.get(key)
        return Evidence(key, EvidenceState.MISSING if value is None else EvidenceState.FRESH, value=value)

    return rule.evaluate(lookup, NOW)[0]


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("kind == component and type in [service, website]", True),
        ("tier == full_sre", True),
        ("tier in [documentation, consultation]", False),
        ("criticality at least as critical as T1", True),
        ("tags contains go and not (tags contains batch)", True),
        ("owner == 'group:default/bards'", True),
        ("system matches '*/theatre'", True),
        ("lifecycle == ga", None),
        ("relations.ownedBy contains 'group:default/bards'", True),
        ("every member of relations.ownedBy starts with 'group:'", True),
        ("count(relations.dependsOn) == 2 and any member of relations.dependsOn starts with 'resource:'", True),
        ("count(relations.providesApi) >= 1", False),
        ("relations.providesApi is empty", True),
        ("relations.providesApi exists", False),
        ("relations.dependsOn exists", True),
        ("spec.parts exists", False),
        ("count(metadata.labels) == 3 and metadata.labels contains pci", True),
        ("count(metadata.links) >= 1", True),
        ("any member of metadata.links contains 'https://x'", True),
        ("metadata.annotations.backstage.io/techdocs-ref exists", True),
        ("annotations.backstage.io/techdocs-ref exists", True),
        ("annotations.pagerduty.com/service-id exists", False),
        ("annotations.pagerduty.com/service-id != null", False),
        ("annotations.pagerduty.com/service-id == null", True),
        ("metadata.labels.pci == true", True),
        ("labels.shards >= 10", True),
        ("spec.replicas < 3", False),
        ("spec.replicas == 3", True),
        ("metadata.description contains plays", True),
        ("metadata.description is not empty", True),
        ("spec.profile.langs contains Go", True),
        ("spec.profile.langs has value go", True),
        ("spec.profile.langs has at least 2", True),
        ("metadata.missing has value go", False),
        ("metadata.missing == go", None),
        ("labels.java at least version 17", True),
        ("labels.java at least version 17.0.3", False),
        ("labels.java below version 21", True),
        ("labels.pci at least version 17", None),
        ("metadata.name > 3", None),
    ],
)
def test_a_condition_on_the_service_looks_at_any_field(text, truth):
    given = {
        "type": "service",
        "tier": "full_sre",
        "criticality": "T1",
        "owner": "group:default/bards",
        "system": "system:default/theatre",
        "tags": ("go",),
    }
    assert asked(text, **given) is truth


def test_a_field_that_does_not_exist_is_a_fault_that_names_the_others():
    compiler = Compiler(FieldSpecs(), "field")
    assert compiler.compile("colour == red", "when") is None
    assert "not a field that anything declares" in compiler.faults[0].message


def test_names_with_dots_are_found_the_longest_first():
    assert value_at(ENTITY, "annotations.a.b.c") == "deep"
    assert value_at(ENTITY, "spec.type.x") is None
    assert value_at({"metadata": None}, "metadata.name") is None
