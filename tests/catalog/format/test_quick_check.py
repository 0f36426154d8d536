"""What is found good at a glance is good by the rules, one by one."""

import copy
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from benchmarks.catalog_data import Size, files
from catalog.format.custom_kinds import CustomKind, CustomRelation, known_kinds
from catalog.format.kind_rules import check_entity
from catalog.format.kinds import STANDARD_KINDS, KnownKinds
from catalog.format.quick_check import ordinary_kind
from catalog.format.yaml_documents import read_documents
from tests.conftest import shared

MUTATIONS = 8_000
KINDS = known_kinds(
    [
        CustomKind(
            "Policy",
            ("example.com/v1",),
            relations=(CustomRelation("scope", "appliesTo", "hasPolicy", "Domain"), CustomRelation("a.b", "x", "y")),
        ),
        CustomKind("Rule", ("example.com/v1",), required=("text",)),
        CustomKind(
            "Twin", ("example.com/v1",), relations=(CustomRelation("one", "x", "y"), CustomRelation("One", "y", "x"))
        ),
    ]
)
STRANGE: tuple[Any, ...] = (
    *(
        None,
        True,
        0,
        1.5,
        "",
        " ",
        "\ufeff",
        "x" * 64,
        "x" * 300,
        "Upper",
        "upper",
        "a b",
        "-a",
        "a-",
        "a--b",
        "ä",
        "a.b",
    ),
    *("group:default/team", "a:b:c", ":", "/", "a/", "user:x", "component:X", "component:x", "optional", "file", "url"),
    *("https://", "https://a.example/x", "https://a.example:99999/", "http://1.2.3.4.5", "mailto:x", "x:", "//a"),
    *("backstage.io/v1alpha1", "backstage.io/v1beta1", "example.com/v1", "v1", "Component", "Policy", "Twin", "API"),
    *([], {}, ["x"], ["x", "X"], ["X"], [1], [""], [[]], [{}], {"x": "y"}, {"x": "y", "X": "y"}, {"x": 1}, {"": "y"}),
    *({"a.b": ["c"], "a": ["b.c", "B.c"]}, {"url": "https://a.example", "title": " "}, {"displayName": "P"}),
)
NAMES = (
    *("title", "Title", "labels", "annotations", "tags", "links", "namespace", "uid", "spec", "owner", "Owner", "a.b"),
    *(
        "dependsOn",
        "dependson",
        "dependencyOf",
        "profile",
        "displayName",
        "displayname",
        "system",
        "type",
        "scope",
        "a",
    ),
    *(
        "backstage.io/managed-by-location",
        "backstage.io/Managed-By-Location",
        "example.com/Key",
        "example.com/key",
        "url",
    ),
)


def _documents() -> Iterator[Any]:
    """Yield documents of every shape that we know: of the benchmark, and of catalogs that stand in public."""
    for _, documents in files(Size(40)):
        for document in read_documents("".join(documents).encode()):
            yield document.value
    for path in sorted(shared("corpus", "catalog").rglob("*.y*ml")):
        for document in read_documents(path.read_bytes()):
            if document.fault is None:
                yield document.value


def _places(value: Any) -> Iterator[Any]:
    """Yield every mapping and list in a document."""
    if isinstance(value, dict | list):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _places(inner)


def _mutated(document: Any, chance: Random) -> Any:
    """Return a document with one to three places of it changed."""
    mutated = copy.deepcopy(document)
    for _ in range(chance.randrange(1, 4)):
        places = list(_places(mutated))
        if not places:
            return chance.choice(STRANGE)
        place = chance.choice(places)
        strange = copy.deepcopy(chance.choice(STRANGE))
        if isinstance(place, list):
            place.append(strange)
            continue
        key = chance.choice([*place, *NAMES])
        if chance.random() < 0.2:
            place.pop(key, None)
        elif chance.random() < 0.3 and key in place:
            place[chance.choice((key.upper(), key.title(), key + "x", chance.choice(NAMES)))] = place[key]
        else:
            place[key] = strange
    return mutated


def _wrongly_passed(documents: list[Any], kinds: KnownKinds) -> list[tuple[Any, Any]]:
    passed = [document for document in documents if ordinary_kind(document, kinds) is not None]
    return [(document, faults) for document in passed if (faults := check_entity(document, kinds))]


@pytest.fixture(scope="module")
def documents() -> list[Any]:
    return list(_documents())


def test_whatever_is_found_good_at_a_glance_breaks_no_rule(documents: list[Any]) -> None:
    assert _wrongly_passed(documents, STANDARD_KINDS) == []


def test_no_change_of_a_good_document_makes_a_bad_one_pass(documents: list[Any]) -> None:
    chance = Random(6)
    custom = {"apiVersion": "example.com/v1", "metadata": {"name": "p"}, "spec": {"scope": ["a", "b"], "one": "user:x"}}
    origins = [*documents, *({**custom, "kind": kind} for kind in ("Policy", "Rule", "Twin") for _ in range(30))]
    mutated = [_mutated(chance.choice(origins), chance) for _ in range(MUTATIONS)]
    assert _wrongly_passed(mutated, KINDS) == []
    passed = sum(ordinary_kind(document, KINDS) is not None for document in mutated)
    assert MUTATIONS // 20 < passed < MUTATIONS // 2  # the changes break rules, and do not break all


def test_ordinary_documents_are_found_good_at_a_glance_and_as_their_kind() -> None:
    found = [
        (document.value, ordinary_kind(document.value, STANDARD_KINDS))
        for _, documents in files(Size(40))
        for document in read_documents("".join(documents).encode())
    ]
    assert {kind for _, kind in found} == {STANDARD_KINDS.find(document) for document, _ in found}
    assert None not in {kind for _, kind in found}
