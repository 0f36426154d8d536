"""`POST /locations/by-query`: predicates over four fields, and pages."""

import pytest

from catalog.registering.registrations import register
from tests.catalog.registering.conftest import MOUNT
from tests.catalog.samples import NOW

TARGETS = [f"https://example.com/Team-{letter}/all.yaml" for letter in "abcde"]


@pytest.fixture
def locations(session):
    made = [register(session, "url", target, "somebody", NOW) for target in TARGETS]
    made.append(register(session, "file", "/srv/50%_of/all.yaml", "somebody", NOW))
    session.commit()
    return sorted(made, key=lambda location: location.id)


def ask(client, **body):
    return client.post(f"{MOUNT}/locations/by-query", json=body)


def targets(answer):
    assert answer.status_code == 200, answer.json
    return {item["target"] for item in answer.json["items"]}


def test_all_come_by_id_and_not_wrapped(client, locations):
    for answer in (ask(client), client.post(f"{MOUNT}/locations/by-query"), ask(client, query={})):
        assert [item["id"] for item in answer.json["items"]] == [location.id for location in locations]
        assert answer.json["items"][0].keys() == {"id", "type", "target", "entityRef"}
        assert (answer.json["totalItems"], answer.json["pageInfo"]) == (6, {})


def test_predicates_select_in_any_case(client, locations):
    first = TARGETS[0]
    one = next(location for location in locations if location.target == first)
    assert targets(ask(client, query={"type": "FILE"})) == {"/srv/50%_of/all.yaml"}
    assert targets(ask(client, query={"target": first.upper()})) == {first}
    assert targets(ask(client, query={"id": one.id.upper()})) == {first}
    assert targets(ask(client, query={"entityRef": one.entity_ref})) == {first}
    assert targets(ask(client, query={"target": {"$hasPrefix": "HTTPS://EXAMPLE.com/team-A"}})) == {first}
    assert targets(ask(client, query={"target": {"$hasPrefix": "/srv/50%_"}})) == {"/srv/50%_of/all.yaml"}
    assert targets(ask(client, query={"target": {"$hasPrefix": "%"}})) == set()
    assert targets(ask(client, query={"target": {"$in": [first, TARGETS[1], 7]}})) == {first, TARGETS[1]}
    either = {"$any": [{"type": "file"}, {"$all": [{"type": "url"}, {"$not": {"target": {"$in": TARGETS[1:]}}}]}]}
    assert targets(ask(client, query=either)) == {first, "/srv/50%_of/all.yaml"}
    assert targets(ask(client, query={"id": {"$exists": False}})) == set()
    assert targets(ask(client, query={"$any": []})) == set()
    assert len(targets(ask(client, query={"$all": []}))) == 6
    assert targets(ask(client, query={"target": "a\0b"})) == set()
    assert targets(ask(client, query={"target": {"$hasPrefix": "\0"}})) == set()


def test_the_cursor_alone_leads_through_all_pages(client, locations):
    found, body = [], {"query": {"type": "url"}, "limit": 2}
    while True:
        answer = ask(client, **body)
        assert answer.json["totalItems"] == 5
        found.append([item["id"] for item in answer.json["items"]])
        if "nextCursor" not in answer.json["pageInfo"]:
            break
        body = {"cursor": answer.json["pageInfo"]["nextCursor"]}
    assert [len(page) for page in found] == [2, 2, 1]
    assert sum(found, []) == [location.id for location in locations if location.type == "url"]


def test_the_limit_may_change_between_pages(client, locations):
    cursor = ask(client, limit=1).json["pageInfo"]["nextCursor"]
    assert len(ask(client, cursor=cursor, limit=100).json["items"]) == 5


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 0}, {"limit": -1}, {"limit": 1.5}, {"limit": "x"}, {"limit": True}, {"cursor": ""}, {"cursor": "x"},
        {"cursor": "bnVsbA=="}, {"cursor": "ä"}, {"cursor": 5}, {"query": []}, {"query": "x"}, {"query": 5},
        {"query": None}, {"limit": None}, {"cursor": None},
        {"query": {"metadata.name": "x"}}, {"query": {"$no": []}}, {"query": {"type": {"$contains": {"type": "x"}}}},
        {"query": {"relations": {"$contains": {"type": "ownedBy"}}}}, {"query": {"type": None}},
        {"cursor": "eyJxdWVyeSI6eyJ4IjoxfSwibGltaXQiOjEsImFmdGVyIjoiIn0="},
        {"cursor": "eyJxdWVyeSI6bnVsbCwibGltaXQiOnRydWUsImFmdGVyIjoiIn0="},
    ],
)  # fmt: skip
def test_a_wrong_query_is_a_400(client, body):
    answer = ask(client, **body)
    assert answer.status_code == 400
    assert answer.json["error"]["name"] == "InputError"
