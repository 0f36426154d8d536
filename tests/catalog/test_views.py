"""The catalog API over HTTP."""

import pytest
from sqlalchemy import select

from catalog.models import Location
from tests.catalog.samples import bring_in, component, files


@pytest.fixture
def shop(session, tmp_path):
    names = [f"s{number}" for number in range(5)]
    bring_in(session, files(tmp_path, all="---\n".join(component(name) for name in names), bad=component("5")))
    return session


def test_an_entity_is_found_by_name_in_any_case(shop, client):
    answer = client.get("/api/catalog/entities/by-name/COMPONENT/Default/S1")
    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    assert answer.json["metadata"]["name"] == "s1"
    assert answer.json["relations"] == [{"type": "ownedBy", "targetRef": "group:default/team-a"}]
    again = client.get(
        "/api/catalog/entities/by-name/component/default/s1", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert again.status_code == 304


@pytest.mark.parametrize("name", ["nope", "%00", "a%20b", "%F0%9F%99%82"])
def test_an_unknown_entity_is_a_404_in_backstages_shape(client, name):
    answer = client.get(f"/api/catalog/entities/by-name/component/default/{name}")
    assert answer.status_code == 404
    assert answer.json["error"]["name"] == "NotFoundError"
    assert answer.json["response"] == {"statusCode": 404}
    assert answer.json["request"]["method"] == "GET"


def test_locations_are_wrapped_as_the_client_wants_them(shop, client):
    location = shop.scalar(select(Location))
    assert client.get("/api/catalog/locations").json == [
        {
            "data": {
                "id": location.id,
                "type": "file",
                "target": location.target,
                "entityRef": location.entity_ref,
            }
        }
    ]


def test_faults_are_listed_with_file_document_and_field(shop, client, tmp_path):
    (fault,) = client.get("/api/catalog/faults").json["items"]
    assert (fault["file"], fault["document"], fault["path"]) == (f"{tmp_path}/bad.yaml", 0, "metadata.name")
    assert fault["location"] == str(tmp_path)
    assert fault["seen_at"] == "2026-11-22T10:00:00Z"
    assert client.get(f"/api/catalog/faults?location={fault['location_id']}").json["items"] == [fault]
    for nowhere in ("location=other", "location=%00", "ref=component:default/%00"):
        assert client.get(f"/api/catalog/faults?{nowhere}").json == {"items": [], "next_cursor": None}, nowhere


def test_faults_come_in_pages_and_by_entity(session, client, tmp_path):
    bad = [component(f"c{number}", spec="  system: 5\n") for number in range(5)]
    bring_in(session, files(tmp_path, all="---\n".join(bad)))
    found, cursor = [], ""
    while cursor is not None:
        page = client.get(f"/api/catalog/faults?limit=2{cursor and f'&cursor={cursor}'}").json
        found += [fault["ref"] for fault in page["items"]]
        cursor = page["next_cursor"]
    assert found == [f"component:default/c{number}" for number in range(5)]
    one = client.get("/api/catalog/faults?ref=Component:default/C3").json["items"]
    assert [fault["document"] for fault in one] == [3]


@pytest.mark.parametrize("query", ["cursor=x", "cursor=Im5vIg", "limit=0", "limit=201", "document=1"])
def test_a_wrong_query_for_faults_is_a_400(client, query):
    assert client.get(f"/api/catalog/faults?{query}").status_code == 400
