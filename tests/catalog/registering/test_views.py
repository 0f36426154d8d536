"""Refresh, entities by uid, ancestry, analysis, validation, dry run: over HTTP."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from catalog import settings
from catalog.models import Entity, EntityChange, Location
from catalog.places.scm import Integration, Scm
from portal_backend.core.auth import LOCAL_ADMINISTRATOR
from tests.catalog.registering.conftest import MOUNT
from tests.catalog.samples import NOW, component, files
from tests.web_servers import serving_files

GROUP = "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {name: team-a}\nspec: {type: team, children: []}\n"
NESTED = """apiVersion: backstage.io/v1alpha1
kind: Location
metadata: {name: nested}
spec: {targets: [./below/deeper.yaml]}
"""
DEEPER = """apiVersion: backstage.io/v1alpha1
kind: Location
metadata: {name: deeper}
spec: {target: ./shop.yaml}
"""


@pytest.fixture
def tree(tmp_path):
    """A file that leads to a file that leads to a component."""
    (tmp_path / "below").mkdir()
    files(tmp_path / "below", deeper=DEEPER, shop=component("shop"))
    return files(tmp_path, all=NESTED) / "all.yaml"


@pytest.fixture
def web(tmp_path):
    """The address of a server that serves the folder."""
    with serving_files(tmp_path) as address:
        yield address


def shop(client):
    return client.get(f"{MOUNT}/entities/by-name/component/default/shop").json


# --- refresh -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ref", ["component:default/shop", "Component:SHOP", "location:default/deeper"])
def test_a_refresh_makes_the_location_due_with_all_that_led_there(client, session, register, read, tree, ref):
    read(register(tree))
    session.execute(Location.__table__.update().values(due_at=NOW + timedelta(hours=1)))
    session.commit()
    answer = client.post(f"{MOUNT}/refresh", json={"entityRef": ref})
    assert (answer.status_code, answer.data) == (200, b"")
    session.expire_all()
    assert session.scalars(select(Location.due_at)).all() == [None]


def test_what_never_passed_can_be_refreshed_by_its_faults_and_its_location(client, session, register, read, tmp_path):
    read(register(files(tmp_path, bad=component("bad", spec="  system: 5\n"))))
    own = session.scalars(select(Location.entity_ref)).one()
    for ref in ("component:default/bad", own):
        assert client.post(f"{MOUNT}/refresh", json={"entityRef": ref}).status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"entityRef": "component:default/none"}, 404),
        ({"entityRef": "component:default/\0"}, 404),
        ({"entityRef": "shop"}, 404),
        ({"entityRef": ""}, 404),
        ({"entityRef": 5}, 400),
        ({"entityRef": "component:shop", "more": 1}, 400),
        ({}, 400),
        ([], 400),
    ],
)
def test_a_refresh_of_nothing_is_told(client, body, status):
    answer = client.post(f"{MOUNT}/refresh", json=body)
    assert answer.status_code == status
    assert answer.json["response"]["statusCode"] == status


# --- by uid ------------------------------------------------------------------------------------------------------


def test_an_entity_is_read_and_taken_away_by_its_uid(client, session, register, read, tmp_path):
    location_id = register(files(tmp_path, all=component("shop")))
    read(location_id)
    entity = shop(client)
    path = f"{MOUNT}/entities/by-uid/{entity['metadata']['uid']}"
    assert client.get(path).json == entity
    assert (client.delete(path).status_code, client.delete(path).status_code) == (204, 204)
    assert client.get(path).status_code == 404
    assert "error" in shop(client)
    removed = session.scalars(select(EntityChange.actor).where(EntityChange.kind == "removed")).all()
    assert removed == [LOCAL_ADMINISTRATOR.name]

    read(location_id, timedelta(minutes=1))
    assert shop(client)["metadata"]["uid"] != entity["metadata"]["uid"]


@pytest.mark.parametrize("uid", ["nope", "1f0c2d1a-7d0e-4b43-9a3e-2f1f3c5d6e7f", "%00", "x" * 300])
def test_an_unknown_uid_is_a_404_to_read_and_no_matter_to_take_away(client, uid):
    assert client.get(f"{MOUNT}/entities/by-uid/{uid}").json["error"]["name"] == "NotFoundError"
    answer = client.delete(f"{MOUNT}/entities/by-uid/{uid}")
    assert (answer.status_code, answer.data) == (204, b"")


# --- ancestry ----------------------------------------------------------------------------------------------------


def test_ancestry_leads_up_to_the_registered_location(client, session, register, read, tree):
    read(register(tree))
    answer = client.get(f"{MOUNT}/entities/by-name/component/default/SHOP/ancestry").json
    root = session.scalars(select(Location.entity_ref)).one()
    assert answer["rootEntityRef"] == "component:default/shop"
    assert [item["parentEntityRefs"] for item in answer["items"]] == [
        ["location:default/deeper"], ["location:default/nested"], [root], []
    ]  # fmt: skip
    names = [item["entity"]["metadata"]["name"] for item in answer["items"]]
    assert names == ["shop", "deeper", "nested", root.partition("/")[2]]
    assert answer["items"][0]["entity"] == shop(client)


def test_ancestry_ends_where_a_parent_is_gone_and_never_goes_in_circles(client, session, register, read, tree):
    read(register(tree))
    session.execute(Entity.__table__.delete().where(Entity.ref == "location:default/nested"))
    session.commit()
    items = client.get(f"{MOUNT}/entities/by-name/component/default/shop/ancestry").json["items"]
    assert [item["parentEntityRefs"] for item in items] == [["location:default/deeper"], []]
    circle = {"parent_ref": "component:default/shop"}
    session.execute(Entity.__table__.update().where(Entity.ref == "location:default/deeper").values(circle))
    session.commit()
    assert len(client.get(f"{MOUNT}/entities/by-name/component/default/shop/ancestry").json["items"]) == 2


@pytest.mark.parametrize("name", ["none", "%00", "x" * 300])
def test_the_ancestry_of_nothing_is_a_404(client, name):
    answer = client.get(f"{MOUNT}/entities/by-name/component/default/{name}/ancestry")
    assert (answer.status_code, answer.json["error"]["name"]) == (404, "NotFoundError")


# --- dry run -----------------------------------------------------------------------------------------------------


def dry_run(client, target, type_="url"):
    return client.post(f"{MOUNT}/locations?dryRun=true", json={"type": type_, "target": str(target)})


def test_a_dry_run_reads_everything_and_stores_nothing(client, session, permitted, web, tree):
    target = f"{web}/all.yaml"
    answer = dry_run(client, target)
    assert answer.status_code == 201
    assert answer.json["exists"] is False
    location = answer.json["location"]
    assert location["id"] == f"url:{target}"
    own, *others = answer.json["entities"]
    assert own["metadata"]["name"] == location["entityRef"].partition("/")[2]
    assert own["spec"] == {"type": "url", "target": target}
    assert [entity["metadata"]["name"] for entity in others] == ["nested", "deeper", "shop"]
    found = others[-1]
    assert found["metadata"]["annotations"]["backstage.io/managed-by-location"] == f"url:{web}/below/shop.yaml"
    assert found["metadata"]["annotations"]["backstage.io/managed-by-origin-location"] == f"url:{target}"
    assert found["metadata"]["namespace"] == "default"
    assert not {"uid", "etag"} & found["metadata"].keys()
    assert "relations" not in found
    assert session.scalar(select(func.count()).select_from(Location)) == 0
    assert session.scalar(select(func.count()).select_from(Entity)) == 0


def test_a_dry_run_says_that_the_location_exists(client, register, permitted, tree):
    register(tree)
    assert dry_run(client, tree, "file").json["exists"] is True


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (component("shop", spec="  system: 5\n"), "spec.system"),
        (component("shop") + "---\n" + component("SHOP"), "component:default/shop"),
        ("a: [b\n", ""),
        (NESTED, "below/deeper.yaml"),
        (GROUP, "Group"),
    ],
)
def test_a_dry_run_of_anything_wrong_is_a_400_that_says_what(client, permitted, web, tmp_path, content, told):
    files(tmp_path, all=content)
    answer = dry_run(client, f"{web}/all.yaml")
    assert answer.status_code == 400
    assert answer.json["error"]["name"] == "InputError"
    assert told in answer.json["error"]["message"]


def test_a_dry_run_of_what_cannot_be_read_is_a_400(client, permitted, web, tmp_path):
    for target, type_ in ((f"{web}/none.yaml", "url"), ("http://127.0.0.2:1/x", "url"), (tmp_path / "no", "file")):
        assert dry_run(client, target, type_).status_code == 400


# --- analysis ----------------------------------------------------------------------------------------------------


def analyze(client, target, **more):
    return client.post(f"{MOUNT}/analyze-location", json={"location": {"type": "url", "target": target}, **more})


@pytest.mark.parametrize(
    ("target", "name", "annotations"),
    [
        ("https://github.com/acme/shop", "shop", {"github.com/project-slug": "acme/shop"}),
        ("https://github.com/acme/shop/blob/main/a.yaml", "shop", {"github.com/project-slug": "acme/shop"}),
        ("https://github.com/acme/shop.git", "shop", {"github.com/project-slug": "acme/shop"}),
        ("https://github.com/Acme/Shop/#readme", "Shop", {"github.com/project-slug": "Acme/Shop"}),
        ("https://gitlab.com/a/b/c/-/blob/main/x.yaml", "c", {"gitlab.com/project-slug": "a/b/c"}),
        ("https://gitlab.com/a/b", "b", {"gitlab.com/project-slug": "a/b"}),
        ("https://bitbucket.org/acme/shop/src/master/x.yaml", "shop", {"bitbucket.org/project-slug": "acme/shop"}),
        ("https://dev.azure.com/org/project/_git/repo?path=/x", "repo", {"dev.azure.com/project-slug": "project/repo"}),
        ("https://example.com/x/y/z", "z", None),
        ("https://example.com/one", "one", None),
    ],
)
def test_an_address_suggests_a_descriptor(client, target, name, annotations):
    answer = analyze(client, target, catalogFilename="catalog-info.yaml")
    assert answer.status_code == 200
    metadata = {"name": name} | ({"annotations": annotations} if annotations else {})
    entity = {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": metadata,
        "spec": {"type": "other", "lifecycle": "unknown"},
    }
    assert answer.json == {"existingEntityFiles": [], "generateEntities": [{"entity": entity, "fields": []}]}


def test_a_configured_host_is_known_like_the_public_ones(client, app, monkeypatch):
    own = Integration(Scm.GITHUB, "code.example.com:8443", "https://code.example.com:8443/api/v3")
    monkeypatch.setitem(app.extensions, settings.EXTENSION, settings.CatalogSettings(integrations=(own,)))
    answer = analyze(client, "https://code.example.com:8443/acme/shop/tree/main")
    metadata = answer.json["generateEntities"][0]["entity"]["metadata"]
    assert metadata == {"name": "shop", "annotations": {"github.com/project-slug": "acme/shop"}}


@pytest.mark.parametrize(
    "body",
    [
        {"location": {"type": "url", "target": "no url"}},
        {"location": {"type": "url", "target": "git@github.com:acme/shop.git"}},
        {"location": {"type": "url", "target": "https://github.com/"}},
        {"location": {"type": "url", "target": "https://[::1"}},
        {"location": {"type": "url", "target": 5}},
        {"location": {"target": "https://github.com/a/b"}},
        {"location": "url:https://github.com/a/b"},
        {"location": {"type": "url", "target": "https://github.com/a/b", "x": 1}},
        {},
        [],
    ],
)
def test_what_is_no_address_of_a_repository_is_a_400(client, body):
    answer = client.post(f"{MOUNT}/analyze-location", json=body)
    assert (answer.status_code, answer.json["error"]["name"]) == (400, "InputError")


# --- validation --------------------------------------------------------------------------------------------------

GOOD = {
    "apiVersion": "backstage.io/v1alpha1",
    "kind": "Component",
    "metadata": {"name": "shop"},
    "spec": {"type": "service", "lifecycle": "production", "owner": "team-a"},
}
PLACE = "url:https://example.com/all.yaml"


def validate(client, entity, location=PLACE):
    return client.post(f"{MOUNT}/validate-entity", json={"entity": entity, "location": location})


def test_a_good_descriptor_is_valid_and_not_stored(client, session):
    answer = validate(client, GOOD)
    assert (answer.status_code, answer.data) == (200, b"")
    assert session.scalar(select(func.count()).select_from(Entity)) == 0


def deep(levels):
    value = {}
    for _ in range(levels):
        value = {"a": [value]}
    return value


@pytest.mark.parametrize(
    ("entity", "location", "told"),
    [
        ({**GOOD, "spec": {}}, PLACE, "spec.owner"),
        ({**GOOD, "kind": "Nothing"}, PLACE, "No processor recognized the entity"),
        ({**GOOD, "relations": []}, PLACE, "relations"),
        ({**GOOD, "metadata": {}}, PLACE, "metadata.name"),
        ({**GOOD, "spec": {**GOOD["spec"], "dependsOn": ["x"]}}, PLACE, "spec.dependsOn[0]"),
        ({**GOOD, "spec": {**GOOD["spec"], "more": deep(60)}}, PLACE, "nested deeper"),
        ({**GOOD, "metadata": {"name": "shop", "description": "\0"}}, PLACE, "metadata.description: holds a NUL"),
        ({**GOOD, "metadata": {"name": "shop", "tags": ["a", "\0"]}}, PLACE, "metadata.tags[1]: holds a NUL"),
        ({**GOOD, "metadata": {"name": "shop", "a\0": 1}}, PLACE, "metadata: holds a NUL"),
        ({}, PLACE, "apiVersion"),
        (GOOD, "https://example.com/all.yaml", "url:https://example.com"),
        (GOOD, "file:/srv/all.yaml", "file"),
        (GOOD, "url:", "<type>:<target>"),
        (GOOD, "nothing", "<type>:<target>"),
        (GOOD, "url:javascript:alert(1)", "script"),
    ],
)
def test_what_is_wrong_with_a_descriptor_is_a_list_of_errors(client, entity, location, told):
    answer = validate(client, entity, location)
    assert answer.status_code == 400
    assert answer.json.keys() == {"errors"}
    assert all(error["name"] == "InputError" for error in answer.json["errors"])
    assert told in " ".join(error["message"] for error in answer.json["errors"])


def described(definition):
    spec = {**GOOD["spec"], "type": "openapi", "definition": definition}
    return {**GOOD, "kind": "API", "spec": spec}


@pytest.mark.parametrize(
    ("definition", "told"),
    [
        ({"$text": "./api.txt"}, []),
        ({"$json": "./api.json"}, ["spec.definition: must be a string, but is a mapping"]),
        (
            {"$text": "./none.txt"},
            ["spec.definition: $text cannot be filled in: WEB/none.txt answers 404 File not found"],
        ),
    ],
)
def test_what_a_placeholder_names_is_read_beside_the_location(client, permitted, web, tmp_path, definition, told):
    (tmp_path / "api.txt").write_text("paths: {}")
    (tmp_path / "api.json").write_text("{}")
    answer = validate(client, described(definition), f"url:{web}/all.yaml")
    errors = answer.json["errors"] if answer.data else []
    found = [error["message"].replace(web, "WEB").partition(";")[0] for error in errors]
    assert (answer.status_code, found) == (400 if told else 200, told)


def test_a_placeholder_of_a_descriptor_that_stands_nowhere_is_not_read(client):
    answer = validate(client, described({"$text": "./api.txt"}), "nothing")
    assert [error["message"].partition(",")[0] for error in answer.json["errors"]] == [
        "location: must be of the form <type>:<target>",
        "spec.definition: is a placeholder",
    ]


def test_no_depth_is_too_much_to_answer(client):
    for body in (b'{"entity":' + b"[" * 900 + b"]" * 900 + b',"location":""}', b"[" * 100_000):
        answer = client.post(f"{MOUNT}/validate-entity", data=body, content_type="application/json")
        assert answer.status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"entity": GOOD},
        {"location": PLACE},
        {"entity": "x", "location": 5},
    ],
)
def test_a_request_that_is_none_is_told_in_both_shapes(client, body):
    answer = client.post(f"{MOUNT}/validate-entity", json=body)
    assert answer.status_code == 400
    assert answer.json["errors"]
    assert answer.json["error"]["name"] == "InputError"
