"""Documents on which we once differed from Backstage: its verdict on each, and what it makes of them."""

import pytest

from catalog.format.documents import judge_documents
from catalog.format.relations import declared
from catalog.registering.validation import faults_of

HEAD = "apiVersion: backstage.io/v1alpha1\nmetadata:\n  name: a\n"
RESOURCE = f"{HEAD}kind: Resource\nspec:\n  type: t\n  owner: o\n"
LOCATION = f"{HEAD}kind: Location\nspec:\n"


def judged(text):
    (document,) = judge_documents(text.encode())
    return document


def paths(text):
    return [fault.path for fault in judged(text).faults]


@pytest.mark.parametrize(
    ("written", "targets"),
    [
        ("component:b", {"component:default/b"}),
        ("[component:b, resource:x/c]", {"component:default/b", "resource:x/c"}),
        ("{kind: Component, name: b}", {"component:default/b"}),
        ("[{kind: Component, namespace: x, name: b}]", {"component:x/b"}),
        ("", set()),
        ("''", set()),
        ("false", set()),
        ("[]", set()),
    ],
)
def test_what_an_entity_is_a_dependency_of_may_be_written_as_backstage_takes_it(written, targets):
    document = judged(f"{RESOURCE}  dependencyOf: {written}\n")
    assert document.faults == ()
    found = {one.target for one in declared(document.entity, document.kind) if one.forward == "dependencyOf"}
    assert found == targets


@pytest.mark.parametrize("written", ["b", "5", "true", "{}", "{name: b}", "[[component:b]]"])
def test_what_is_no_reference_is_a_fault_of_it(written):
    assert {path.partition("[")[0] for path in paths(f"{RESOURCE}  dependencyOf: {written}\n")} == {"spec.dependencyOf"}


@pytest.mark.parametrize("written", ["[b]", "[component:b, '']", "[null]"])
def test_each_item_of_a_list_must_be_a_reference(written):
    assert len(paths(f"{RESOURCE}  dependencyOf: {written}\n")) == 1


def test_depends_on_must_be_a_list():
    assert paths(f"{RESOURCE}  dependsOn: component:b\n") == ["spec.dependsOn"]


@pytest.mark.parametrize(
    ("written", "faults"), [("{b: c}", []), ("[b]", []), ("b", ["__proto__"]), ("", ["__proto__"])]
)
def test_a_prototype_is_lost_where_it_holds_something(written, faults):
    document = judged(f"{RESOURCE}__proto__: {written}\n")
    assert [fault.path for fault in document.faults] == faults
    assert document.entity is None or "__proto__" not in document.entity


def test_a_descriptor_in_hand_loses_its_prototypes_too():
    entity = judged(RESOURCE).entity
    assert faults_of({**entity, "__proto__": {"b": "c"}}, "url:https://example.com/x") == []
    assert [fault.path for fault in faults_of({**entity, "__proto__": 5}, "url:https://example.com/x")] == ["__proto__"]


def test_a_location_of_files_leads_to_no_folder():
    assert paths(f"{LOCATION}  type: file\n  target: ./x/\n") == ["spec.target"]
    assert paths(f"{LOCATION}  type: file\n  targets: [./x.yaml, ./y/]\n") == ["spec.targets[1]"]
    assert paths(f"{LOCATION}  type: url\n  target: ./x/\n") == paths(f"{LOCATION}  target: ./x/\n") == []


@pytest.mark.parametrize("entry", ["  : b\n", "  :\n    b: c\n", "  l: {: b}\n", "  l: {a: b, : c}\n"])
def test_an_entry_without_a_key_is_taken(entry):
    assert paths(RESOURCE + entry) == []


def test_two_entries_without_a_key_are_one_too_many():
    assert paths(f"{RESOURCE}  : b\n  : c\n") == [""]


def test_a_directive_stands_before_the_start_of_a_document_only():
    assert paths(f"%FOO bar\n# c\n\n---\n{RESOURCE}") == []
    assert paths(f"%FOO bar\n{RESOURCE}") == [""]
    assert paths(RESOURCE.replace("metadata:\n", "metadata:\n%FOO\n")) == [""]
