"""The `filter` grammar and the predicate form, rule by rule."""

import pytest

from catalog.querying.conditions import ALWAYS, MAX_CONDITIONS, NEVER, Equals, Every, Exists, HasPrefix, Not, Some
from catalog.querying.filters import parse_filters
from catalog.querying.predicates import parse_predicate
from portal_backend.core.errors import InvalidInput


@pytest.mark.parametrize(
    ("filters", "condition"),
    [
        (["kind=Component"], Equals("kind", ("component",))),
        ([" kind = component , spec.Type "], Every((Equals("kind", ("component",)), Exists("spec.type")))),
        (["kind=a,kind=b,Kind=A"], Equals("kind", ("a", "b"))),
        (["kind,kind=a"], Equals("kind", ("a",))),
        (["kind=a,kind"], Equals("kind", ("a",))),
        (["kind="], Equals("kind", ("",))),
        (["a=b=c"], Equals("a", ("b=c",))),
        (["kind=user", "kind=group"], Equals("kind", ("user", "group"))),
        (["kind=user", "spec.type"], Some((Equals("kind", ("user",)), Exists("spec.type")))),
        ([",, ,a,,"], Exists("a")),
        ([" ", ","], ALWAYS),
        ([" ", "a"], Exists("a")),
        ([], ALWAYS),
    ],
)
def test_a_filter_means_what_the_contract_says(filters, condition):
    assert parse_filters(filters) == condition


@pytest.mark.parametrize("text", ["=x", "kind=a, =b", "="])
def test_a_statement_without_a_key_is_refused(text):
    with pytest.raises(InvalidInput, match="no key"):
        parse_filters([text])


def test_a_filter_with_too_many_values_is_refused():
    assert parse_filters([f"kind=a,metadata.name={number}" for number in range(MAX_CONDITIONS // 2)])
    with pytest.raises(InvalidInput, match="ask in parts"):
        parse_filters([f"kind=a,metadata.name={number}" for number in range(MAX_CONDITIONS // 2 + 1)])


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        ({}, ALWAYS),
        ({"$all": []}, ALWAYS),
        ({"$any": []}, NEVER),
        ({"$not": {}}, NEVER),
        ({"$not": {"$not": {"a": "b"}}}, Equals("a", ("b",))),
        ({"Kind": "API", "spec.live": True}, Every((Equals("kind", ("api",)), Equals("spec.live", ("true",))))),
        ({"a": 7}, Equals("a", ("7",))),
        ({"a": 7.0}, Equals("a", ("7",))),
        ({"a": 7.5}, Equals("a", ("7.5",))),
        ({"a": {"$exists": True}}, Exists("a")),
        ({"a": {"$exists": False}}, Not(Exists("a"))),
        ({"a": {"$in": ["B", 1, False]}}, Equals("a", ("b", "1", "false"))),
        ({"a": {"$in": []}}, NEVER),
        ({"a": {"$hasPrefix": "Pay"}}, HasPrefix("a", "pay")),
        ({"metadata.tags": {"$contains": "Java"}}, Equals("metadata.tags", ("java",))),
        ({"relations": {"$contains": {"type": "ownedBy"}}}, Exists("relations.ownedby")),
        ({"relations": {"$contains": {"type": "ownedBy", "targetRef": "Group:default/A"}}},
         Equals("relations.ownedby", ("group:default/a",))),
        ({"relations": {"$contains": {"type": "ownedBy", "targetRef": {"$in": ["a", "b"]}}}},
         Equals("relations.ownedby", ("a", "b"))),
        ({"$any": [{"kind": "a"}, {"kind": "b"}, {"$all": [{"x": "1"}, {"y": "2"}]}]},
         Some((Equals("kind", ("a", "b")), Every((Equals("x", ("1",)), Equals("y", ("2",))))))),
    ],
)  # fmt: skip
def test_a_predicate_means_what_the_contract_says(query, condition):
    assert parse_predicate(query) == condition


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ([], "query"), ("kind", "query"), (None, "query"), (7, "query"),
        ({"$or": []}, "query"), ({"$all": {}}, "query.$all"), ({"$all": ["x"]}, "query.$all[0]"),
        ({"$not": []}, "query.$not"), ({"$not": {}, "kind": "a"}, "query"), ({"kind": "a", "$all": []}, "query"),
        ({"": "a"}, "query."), ({"a": None}, "query.a"), ({"a": ["b"]}, "query.a"), ({"a": {}}, "query.a"),
        ({"a": {"b": "c"}}, "query.a"), ({"a": {"$exists": True, "$in": []}}, "query.a"),
        ({"a": {"$gt": 1}}, "query.a"), ({"a": {"$exists": "yes"}}, "query.a.$exists"),
        ({"a": {"$in": "b"}}, "query.a.$in"), ({"a": {"$in": [None]}}, "query.a.$in[0]"),
        ({"a": {"$hasPrefix": 1}}, "query.a.$hasPrefix"), ({"a": {"$contains": {"type": "x"}}}, "query.a.$contains"),
        ({"a": {"$contains": ["x"]}}, "query.a.$contains"),
        ({"relations": {"$contains": {}}}, "query.relations.$contains"),
        ({"relations": {"$contains": {"type": 1}}}, "query.relations.$contains"),
        ({"relations": {"$contains": {"type": ""}}}, "query.relations.$contains"),
        ({"relations": {"$contains": {"type": "a", "x": 1}}}, "query.relations.$contains"),
        ({"relations": {"$contains": {"type": "a", "targetRef": None}}}, "query.relations.$contains.targetRef"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_predicate_is_named_by_its_place(query, place):
    with pytest.raises(InvalidInput) as raised:
        parse_predicate(query)
    assert [fault.path for fault in raised.value.faults] == [place]


def test_a_predicate_that_is_too_deep_or_too_large_is_refused():
    deep = {"kind": "a"}
    for _ in range(30):
        deep = {"$not": {"$all": [deep, {"x": "y"}]}}
    with pytest.raises(InvalidInput, match="deeper than"):
        parse_predicate(deep)
    with pytest.raises(InvalidInput, match="ask in parts"):
        parse_predicate({"metadata.name": {"$in": [str(number) for number in range(MAX_CONDITIONS + 1)]}})
