"""Registering locations over HTTP: made, moved, taken away, listed."""

import hashlib
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from catalog.models import CatalogFault, Entity, EntityChange, Location, LocationFile, RelationRow
from catalog.registering.registrations import keep_configured
from portal_backend.core.auth import LOCAL_ADMINISTRATOR
from tests.catalog.registering.conftest import MOUNT
from tests.catalog.samples import NOW, component, files

URL = "https://github.com/acme/shop/blob/main/catalog-info.yaml"


def post(client, type_="url", target=URL, query="", **body):
    return client.post(f"{MOUNT}/locations{query}", json={"type": type_, "target": target, **body})


def test_a_location_is_registered_at_once_and_read_later(client, session):
    answer = post(client)
    assert answer.status_code == 201
    assert answer.json["entities"] == []
    location = answer.json["location"]
    digest = hashlib.sha1(f"url:{URL}".encode(), usedforsecurity=False).hexdigest()
    assert {**location, "id": ""} == {
        "id": "", "type": "url", "target": URL, "entityRef": f"location:default/generated-{digest}"
    }  # fmt: skip
    assert str(uuid.UUID(location["id"])) == location["id"]
    stored = session.scalars(select(Location)).one()
    assert (stored.due_at, stored.last_attempt_at) == (None, None)
    assert stored.registered_by == LOCAL_ADMINISTRATOR.name
    assert client.get(f"{MOUNT}/locations/{location['id']}").json == location
    assert client.get(f"{MOUNT}/locations").json == [{"data": location}]


def test_a_second_registration_is_a_conflict_or_a_new_read(client, session):
    first = post(client).json["location"]
    session.execute(Location.__table__.update().values(due_at=NOW))
    session.commit()
    again = post(client)
    assert again.status_code == 409
    assert again.json["error"]["name"] == "ConflictError"
    assert first["id"] in again.json["error"]["message"]
    refreshed = post(client, query="?onConflict=refresh")
    assert (refreshed.status_code, refreshed.json["location"]) == (201, first)
    assert session.scalars(select(Location.due_at)).all() == [None]
    assert post(client, query="?onConflict=reject").status_code == 409


@pytest.mark.parametrize(
    ("body", "query"),
    [
        ({"type": "url", "target": "no url"}, ""),
        ({"type": "url", "target": "javascript:alert(1)"}, ""),
        ({"type": "url", "target": ""}, ""),
        ({"type": "url", "target": "https://example.com/\0"}, ""),
        ({"type": "url", "target": "https://example.com/" + "x" * 3000}, ""),
        ({"type": "url", "target": "http://169.254.169.254/latest"}, ""),
        ({"type": "file", "target": "/etc/passwd"}, ""),
        ({"type": "https", "target": "//example.com"}, ""),
        ({"type": "url"}, ""),
        ({"target": URL}, ""),
        ({"type": "url", "target": 5}, ""),
        ({"type": "url", "target": ""}, ""),
        ({"type": "url", "target": URL, "more": 1}, ""),
        ({"type": "url", "target": URL, "presence": "perhaps"}, ""),
        ({"type": "url", "target": URL, "presence": None}, ""),
        ([], ""),
        (None, ""),
        ({"type": "url", "target": URL}, "?onConflict=ignore"),
        ({"type": "url", "target": URL}, "?onConflict="),
        ({"type": "url", "target": URL}, "?dryRun="),
        ({"type": "url", "target": URL}, "?dryRun=perhaps"),
        ({"type": "url", "target": URL}, "?dryRun=false&dryRun=true"),
        ({"type": "url", "target": URL}, "?onConflict=reject&onConflict=refresh"),
        ({"type": "url", "target": URL}, "?unknown=1"),
    ],
)
def test_what_cannot_be_registered_is_a_400_that_stores_nothing(client, session, body, query):
    answer = client.post(f"{MOUNT}/locations{query}", json=body)
    assert answer.status_code == 400
    assert answer.json["error"]["name"] == "InputError"
    assert session.scalar(select(func.count()).select_from(Location)) == 0


@pytest.mark.parametrize("location_id", ["nope", "1f0c2d1a-7d0e-4b43-9a3e-2f1f3c5d6e7f", "%00", "x" * 500])
def test_an_unknown_location_is_a_404_whatever_is_asked_of_it(client, location_id):
    path = f"{MOUNT}/locations/{location_id}"
    for method, body in (("GET", None), ("DELETE", None), ("PUT", {"type": "url", "target": URL})):
        answer = client.open(path, method=method, json=body)
        assert (method, answer.status_code) == (method, 404)
        assert answer.json["error"]["name"] == "NotFoundError"


def test_a_type_that_may_not_be_registered_is_told_before_an_unknown_location(client):
    answer = client.put(f"{MOUNT}/locations/nope", json={"type": "file", "target": "/srv/a.yaml"})
    assert (answer.status_code, answer.json["error"]["name"]) == (400, "InputError")
    assert "must be of type url" in answer.json["error"]["message"]


def test_a_location_is_found_by_what_it_brought(client, register, read, tmp_path):
    location_id = register(files(tmp_path, all=component("shop")))
    read(location_id)
    found = client.get(f"{MOUNT}/locations/by-entity/Component/default/SHOP")
    assert (found.status_code, found.json["id"]) == (200, location_id)
    assert client.get(f"{MOUNT}/locations/by-entity/component/default/none").status_code == 404
    assert client.get(f"{MOUNT}/locations/by-entity/component/default/%00").status_code == 404


def test_a_location_goes_with_all_that_only_it_supplied(client, session, register, read, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one = register(files(tmp_path / "one", all=component("a", spec="  dependsOn: [component:b]\n")))
    two = register(files(tmp_path / "two", all="---\n".join([component("b"), component("a")])))
    read(one)
    read(two)
    owned = session.scalars(select(Entity.ref).where(Entity.location_id == one)).all()
    assert "component:default/a" in owned
    session.execute(Location.__table__.update().values(due_at=NOW))
    session.commit()

    assert client.delete(f"{MOUNT}/locations/{one}").status_code == 204
    session.expire_all()
    assert session.scalars(select(Location.id)).all() == [two]
    assert session.scalars(select(Entity.location_id).distinct()).all() == [two]
    assert session.scalars(select(LocationFile.location_id).where(LocationFile.location_id == one)).all() == []
    kept = client.get(f"{MOUNT}/entities/by-name/component/default/b").json
    assert [relation["type"] for relation in kept["relations"]] == ["ownedBy"]  # the reverse of a's is gone with it
    removed = select(EntityChange.ref, EntityChange.actor).where(EntityChange.kind == "removed")
    assert dict(session.execute(removed).all()) == dict.fromkeys(owned, LOCAL_ADMINISTRATOR.name)

    assert session.get_one(Location, two).due_at is None  # what the first one kept from it can be read now
    read(two, timedelta(minutes=1))
    session.expire_all()
    assert session.scalar(select(Entity.location_id).where(Entity.ref == "component:default/a")) == two
    assert session.scalars(select(CatalogFault)).all() == []
    assert client.delete(f"{MOUNT}/locations/{one}").status_code == 404


def test_relations_to_what_went_stay_as_declared(client, session, register, read, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one = register(files(tmp_path / "one", all=component("a")))
    two = register(files(tmp_path / "two", all=component("b", spec="  dependsOn: [component:a]\n")))
    read(one)
    read(two)
    client.delete(f"{MOUNT}/locations/{one}")
    kept = client.get(f"{MOUNT}/entities/by-name/component/default/b").json["relations"]
    assert {"type": "dependsOn", "targetRef": "component:default/a"} in kept
    assert session.scalars(select(RelationRow.declared_by).distinct()).all() != []


def test_another_target_keeps_id_and_reference(client, session, register, read, tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    files(tmp_path / "old", all="---\n".join([component("stays"), component("leaves"), component("leaves-too")]))
    files(tmp_path / "new", all="---\n".join([component("stays"), component("comes")]))
    location_id = register(tmp_path / "old")
    read(location_id)
    before = client.get(f"{MOUNT}/locations/{location_id}").json
    uid = client.get(f"{MOUNT}/entities/by-name/component/default/stays").json["metadata"]["uid"]

    body = {"type": "file", "target": str(tmp_path / "new")}
    answer = client.put(f"{MOUNT}/locations/{location_id}", json=body)
    assert (answer.status_code, answer.json) == (200, {**before, **body})
    assert client.put(f"{MOUNT}/locations/{location_id}", json=body).json == answer.json
    read(location_id, timedelta(minutes=1))

    entities = {entity["metadata"]["name"]: entity for entity in client.get(f"{MOUNT}/entities").json}
    assert {"stays", "comes"} == {name for name in entities if not name.startswith("generated-")}
    assert entities["stays"]["metadata"]["uid"] == uid
    origin = entities["stays"]["metadata"]["annotations"]["backstage.io/managed-by-origin-location"]
    assert origin == f"file:{tmp_path / 'new'}"
    own = entities[before["entityRef"].partition("/")[2]]
    assert own["spec"] == {"type": "file", "target": str(tmp_path / "new")}
    moved = session.scalars(select(EntityChange).where(EntityChange.actor == LOCAL_ADMINISTRATOR.name)).first()
    assert moved.fields == [["spec.target", str(tmp_path / "old"), str(tmp_path / "new")]]
    session.expire_all()
    assert session.get_one(Location, location_id).moved_at is None

    second = register(tmp_path / "old")  # its usual reference is still the first one's
    assert client.get(f"{MOUNT}/locations/{second}").json["entityRef"] != before["entityRef"]


def test_another_target_must_be_free_and_readable(client):
    first, second = post(client).json["location"], post(client, target=f"{URL}?2").json["location"]
    path = f"{MOUNT}/locations/{first['id']}"
    assert client.put(path, json={"type": "url", "target": second["target"]}).status_code == 409
    for body in ({"type": "file", "target": "/etc"}, {"type": "url", "target": "x"}, {"type": "url"}, {}, [], "x"):
        assert client.put(path, json=body).status_code == 400
    assert client.put(path, json={"type": "url", "target": URL, "presence": "optional"}).status_code == 400
    assert client.get(path).json == first


def test_what_portal_yaml_names_cannot_be_taken_away_until_it_no_longer_does(client, session):
    keep_configured(session, [("url", URL)], NOW)
    session.commit()
    (location,) = (item["data"] for item in client.get(f"{MOUNT}/locations").json)
    path = f"{MOUNT}/locations/{location['id']}"
    for answer in (client.delete(path), client.put(path, json={"type": "url", "target": f"{URL}?2"})):
        assert answer.status_code == 409
        assert "portal.yaml" in answer.json["error"]["message"]
    keep_configured(session, [("url", f"{URL}?3")], NOW)
    session.commit()
    assert client.delete(path).status_code == 204
    keep_configured(session, [], NOW)
    session.commit()
    assert session.scalars(select(Location.configured)).all() == [False]


def test_a_location_that_somebody_registered_may_become_configured(client, session):
    made = post(client).json["location"]
    keep_configured(session, [("url", URL)], NOW)
    session.commit()
    assert client.delete(f"{MOUNT}/locations/{made['id']}").status_code == 409
    assert session.scalars(select(Location.registered_by)).all() == [LOCAL_ADMINISTRATOR.name]
