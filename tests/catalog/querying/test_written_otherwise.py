"""Requests as other clients write them, which Backstage takes: lists, numbers, fields of a later version."""

from urllib.parse import quote

import pytest

from catalog.querying.conditions import MAX_DEPTH
from tests.catalog.querying.test_views import BASE, names

QUERY = f"{BASE}/entities/by-query"
ANN_AND_BOB = {"query": {"kind": "user"}}


@pytest.mark.parametrize(
    "query",
    [
        "filter[]=kind=user&filter[]=kind=group",
        "filter[0]=kind=user&filter[1]=kind=group",
        f"{quote('filter[]')}=kind=user&filter=kind=group",
        "filter[][]=kind=user&filter=kind=group",
        "filter=kind=user&filter=&filter=kind=group",
    ],
)
def test_a_list_may_be_written_as_clients_in_javascript_write_it(company, client, query):
    assert names(client.get(f"{QUERY}?{query}")) == ["ann", "bob", "sre"]
    assert names(client.get(f"{BASE}/entities?{query}&fields[]=metadata.name")) == ["ann", "bob", "sre"]
    facets = client.get(f"{BASE}/entity-facets?{query}&facet[]=kind&facet[]=metadata.namespace&facet=").json["facets"]
    assert facets["kind"] == [{"value": "Group", "count": 1}, {"value": "User", "count": 2}]
    assert facets.keys() == {"kind", "metadata.namespace"}


@pytest.mark.parametrize(
    "query",
    ["filter[x]=kind=user", "filter[=kind=user", "filter]=kind=user", "limit[]=1", "filter[]=", "cursor[]=x", "[]=x"],
)
def test_what_is_no_list_is_still_refused(client, query):
    answer = client.get(f"{QUERY}?{query}")
    assert (answer.status_code, answer.json["error"]["name"]) == (400, "InputError")


@pytest.mark.parametrize(
    ("word", "number"), [("2.0", 2), ("2e0", 2), (" 2 ", 2), ("+2", 2), ("1e2", 9), ("Infinity", 9)]
)
def test_a_whole_number_may_be_written_as_javascript_writes_one(company, client, word, number):
    assert len(names(client.get(f"{QUERY}?limit={quote(word)}"))) == number
    assert len(names(client.get(f"{BASE}/entities?limit={quote(word)}"))) == number
    assert len(names(client.get(f"{QUERY}?offset={quote(word)}"))) == max(9 - 2, 0) * (number == 2)


@pytest.mark.parametrize(
    "word", ["1.5", "1e-1", "1e99", "NaN", "-Infinity", "infinity", "1_0", "\u0663", "0x1z", "1e", "-1e1"]
)
def test_what_is_no_whole_number_is_still_refused(client, word):
    for path in (QUERY, f"{BASE}/entities"):
        assert client.get(f"{path}?limit={quote(word)}").status_code == 400


def test_a_field_that_is_not_known_is_ignored_so_that_later_clients_work(company, client):
    order = {"orderBy": [{"field": "metadata.name", "order": "desc", "nulls": "last"}]}
    text = {"fullTextFilter": {"term": "b", "fields": ["metadata.name"], "fuzzy": True}}
    assert names(client.post(QUERY, json={**ANN_AND_BOB, **order, "later": 1})) == ["bob", "ann"]
    assert names(client.post(QUERY, json={**ANN_AND_BOB, **text})) == ["bob"]
    refs = {"entityRefs": ["user:default/bob"], "later": 1}
    assert names(client.post(f"{BASE}/entities/by-refs", json=refs)) == ["bob"]
    facets = client.post(f"{BASE}/entity-facets", json={"facets": ["kind"], "later": 1, **ANN_AND_BOB})
    assert facets.json == {"facets": {"kind": [{"value": "User", "count": 2}]}}


def test_fields_of_a_query_may_stand_in_one_text(company, client):
    answer = client.post(QUERY, json={**ANN_AND_BOB, "fields": ["kind, metadata.name"]})
    assert answer.json["items"][0] == {"kind": "User", "metadata": {"name": "ann"}}
    refs = {"entityRefs": ["user:default/ann"], "fields": ["kind,metadata.name"]}
    assert client.post(f"{BASE}/entities/by-refs", json=refs).json == {"items": [{}]}


def nested(levels):
    """Return a predicate that holds for users, of so many levels that each say something."""
    query = {"metadata.name": {"$exists": True}}
    for level in range(levels):
        query = {"$all" if level % 2 else "$any": [query, {"kind": "user" if level % 2 else f"kind{level}"}]}
    return {"$all": [query, {"kind": "user"}]} if levels % 2 else query


@pytest.mark.parametrize("path", [QUERY, f"{BASE}/entity-facets"])
def test_a_deep_predicate_is_answered_and_one_that_is_too_deep_refused(company, client, path):
    plain = {"kind": "user"}
    for _ in range(45):
        plain = {"$all": [{"$not": {"$not": plain}}]} if _ % 2 else {"$any": [plain]}
    for query in (nested(MAX_DEPTH), {"$not": {"$not": nested(MAX_DEPTH)}}, plain):
        answer = client.post(path, json={"query": query, **({} if path == QUERY else {"facets": ["kind"]})})
        assert answer.status_code == 200, answer.json
        assert (answer.json.get("totalItems") or answer.json["facets"]["kind"][0]["count"]) == 2
    for query in (nested(MAX_DEPTH + 1), nested(90), nested(110)):
        assert client.post(path, json={"query": query, "facets": ["kind"]}).status_code == 400
