"""The life of an entity: born, changed, at fault, orphaned, restored, removed; and what is remembered of it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from catalog.entities import get_entity
from catalog.ingestion.changes import list_changes, prune_changes
from catalog.ingestion.refresh import refresh_location
from catalog.life.unprocessed import list_failed, list_pending
from catalog.locations import register_location
from catalog.models import CatalogFault, CatalogVersion, Entity, EntityChange, Location
from catalog.places.rules import DEFAULT_RULE, Rules
from catalog.registering.removal import remove_location
from portal_backend.core.errors import NotFound
from tests.catalog.samples import NOW, OFFLINE, bring_in, component, files, numbered

LATER = NOW + timedelta(minutes=30)
MUCH_LATER = NOW + timedelta(hours=2)
A, B = "component:default/a", "component:default/b"
NESTED = "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: more}\nspec: {target: sub/x.yaml}\n"


def items(session, ref=A):
    return get_entity(session, ref).get("status", {}).get("items", [])


def kinds(session, ref=A):
    return [change["kind"] for change in list_changes(session, ref, 50).items]


def test_a_document_whose_name_is_none_is_at_fault_by_itself_not_the_location_with_all_that_it_holds(
    client, session, tmp_path
):
    report = bring_in(session, files(tmp_path, a=component("a") + "---\n" + component('"Lady Macbeth!"')))
    [own] = session.scalars(select(Location.entity_ref))
    assert (report.added, items(session, own), items(session)) == (1, [], [])
    [failed] = client.get("/api/catalog/entities/unprocessed/failed").json["entities"]
    assert failed["entity_ref"] == "component:default/lady macbeth!"
    assert "metadata.name" in failed["errors"][0]["message"]


def test_a_bad_update_shows_in_the_status_until_the_next_good_one(session, tmp_path):
    bring_in(session, files(tmp_path, a=component("a")))
    good = get_entity(session, A)
    bring_in(session, files(tmp_path, a=component("a", spec="  system: 5\n")), LATER)
    bad = get_entity(session, A)
    assert bad["spec"] == good["spec"]
    assert bad["metadata"]["etag"] != good["metadata"]["etag"]
    [item] = bad["status"]["items"]
    assert (item["type"], item["level"]) == ("backstage.io/catalog-processing", "error")
    assert item["message"] == f"{item['error']['name']}: {item['error']['message']}"
    assert item["error"]["name"] == "InputError"
    assert "spec.system" in item["error"]["message"]
    bring_in(session, files(tmp_path, a=component("a")), MUCH_LATER)
    assert get_entity(session, A) == good


def test_an_unreadable_target_shows_at_the_location_and_keeps_its_entities(session, tmp_path):
    target = files(tmp_path, a=component("a")) / "a.yaml"
    bring_in(session, target)
    own = session.scalars(select(Location.entity_ref)).one()
    target.unlink()
    bring_in(session, target, LATER)
    assert items(session, own)[0]["error"]["name"] == "NotFoundError"
    assert items(session) == []
    files(tmp_path, a=component("a"))
    bring_in(session, target, MUCH_LATER)
    assert items(session, own) == []


def test_a_document_that_cannot_be_told_shows_at_the_location_that_led_to_its_file(session, tmp_path):
    (tmp_path / "sub").mkdir()
    files(tmp_path / "sub", x=component("b"))
    bring_in(session, files(tmp_path, l=NESTED) / "l.yaml")
    assert session.scalar(select(Entity.parent_ref).where(Entity.ref == B)) == "location:default/more"
    files(tmp_path / "sub", x=component("b") + "---\nx: [\n")
    bring_in(session, tmp_path / "l.yaml", LATER)
    assert items(session, "location:default/more")[0]["level"] == "error"
    assert items(session, B) == []
    (tmp_path / "sub" / "x.yaml").unlink()
    bring_in(session, tmp_path / "l.yaml", LATER)
    assert items(session, "location:default/more")[0]["error"]["name"] == "NotFoundError"


def test_a_kind_that_may_not_come_shows_at_the_location_and_everything_stays_as_it_was(session, tmp_path):
    target = files(tmp_path, all=component("a") + "---\n" + component("b")) / "all.yaml"
    location = register_location(session, "file", str(target), NOW, registered_by="ann")
    reader = replace(OFFLINE, rules=Rules((DEFAULT_RULE,)))
    refresh_location(session, location, NOW, reader=reader)
    before = [get_entity(session, ref) for ref in (A, B)]
    files(tmp_path, all=component("a", spec="  system: s\n") + "---\n" + component("b").replace("Component", "Odd"))
    report = refresh_location(session, location, LATER, reader=reader)
    assert (report.changed, report.orphaned_refs) == (0, set())
    assert [get_entity(session, ref) for ref in (A, B)] == before
    assert [item["error"]["name"] for item in items(session, location.entity_ref)] == ["NotAllowedError"]
    assert [one.ref for one in list_failed(session, 10).items] == ["odd:default/b"]
    files(tmp_path, all=component("a"))
    refresh_location(session, location, LATER, reader=reader)
    assert (items(session, location.entity_ref), list_failed(session, 10).items) == ([], [])


def test_every_entity_knows_the_location_that_led_to_it(session, tmp_path):
    bring_in(session, files(tmp_path, a=component("a")))
    own = session.scalars(select(Location.entity_ref)).one()
    parents = dict(session.execute(select(Entity.ref, Entity.parent_ref)).all())
    assert parents == {A: own, own: None}


def test_entities_that_never_passed_are_listed_with_their_cause(session, tmp_path):
    bring_in(session, files(tmp_path, a=component("a"), b=component("b", spec="  system: 5\n")))
    gone = register_location(session, "file", str(tmp_path / "none.yaml"), NOW)
    assert [one.ref for one in list_pending(session, 10).items] == [gone.entity_ref]
    refresh_location(session, gone, NOW, reader=OFFLINE)
    page = list_failed(session, 1)
    [first] = page.items
    [second] = list_failed(session, 1, page.next_cursor).items
    assert (first.ref, first.location) == (B, f"file:{tmp_path}")
    assert "spec.system" in first.errors[0]["message"]
    assert (second.ref, second.errors[0]["name"]) == (gone.entity_ref, "NotFoundError")
    assert list_pending(session, 10).items == []


def test_a_conflict_shows_at_both_owners_and_ends_at_both(session, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    bring_in(session, files(one, a=component("a")))
    bring_in(session, files(two, a=component("a"), b=component("b")))
    assert [fault.supplied_by for fault in session.scalars(select(CatalogFault))] == [f"file:{one}"]
    [item] = items(session)
    assert (item["level"], item["error"]["name"]) == ("warning", "ConflictError")
    assert f"file:{two}" in item["message"]
    bring_in(session, files(one, a=component("a", metadata="  tags: [x]\n")), LATER)
    assert len(items(session)) == 1
    (two / "a.yaml").unlink()
    bring_in(session, two, LATER)
    assert items(session) == []


def test_a_conflict_ends_where_the_second_location_is_taken_away(session, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    bring_in(session, files(one, a=component("a")))
    bring_in(session, files(two, a=component("a")))
    assert len(items(session)) == 1
    remove_location(session, session.scalars(select(Location.id).where(Location.target == str(two))).one(), "p", LATER)
    assert items(session) == []
    assert list_changes(session, A, 1).items[0]["actor"] == "p"


def test_an_entity_that_left_its_file_is_an_orphan_then_gone(session, tmp_path):
    bring_in(session, files(tmp_path, a=component("a"), b=component("b")))
    (tmp_path / "a.yaml").unlink()
    report = bring_in(session, tmp_path)
    annotations = get_entity(session, A)["metadata"]["annotations"]
    assert (report.orphaned_refs, report.changed_refs) == ({A}, {A})
    assert annotations["backstage.io/orphan"] == "true"
    assert f"{tmp_path}/a.yaml" in annotations["sre.portal/orphan-reason"]
    assert session.scalar(select(Entity.orphaned_at).where(Entity.ref == A)) == NOW
    assert bring_in(session, tmp_path, LATER).removed_refs == frozenset()
    assert bring_in(session, tmp_path, MUCH_LATER).removed_refs == {A}
    assert kinds(session) == ["removed", "orphaned", "added"]


def test_an_orphan_that_returns_is_the_one_it_was(session, tmp_path):
    bring_in(session, files(tmp_path, all=component("a") + "---\n" + component("b")))
    before = get_entity(session, A)
    bring_in(session, files(tmp_path, all=component("b")))
    assert bring_in(session, tmp_path, LATER).orphaned_refs == frozenset()
    bring_in(session, files(tmp_path, all=component("a") + "---\n" + component("b")), LATER)
    assert get_entity(session, A) == before
    assert kinds(session) == ["restored", "orphaned", "added"]


def test_an_entity_that_moves_to_another_location_stays_the_same_one(session, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    bring_in(session, files(one, a=component("a"), b=component("b")))
    uid = get_entity(session, A)["metadata"]["uid"]
    (one / "a.yaml").rename(two / "a.yaml")
    bring_in(session, two)
    second = session.scalars(select(Location).where(Location.target == str(two))).one()
    assert second.due_at > NOW
    bring_in(session, one, LATER)
    session.expire_all()
    assert second.due_at is None
    bring_in(session, two, LATER)
    entity = get_entity(session, A)
    assert entity["metadata"]["uid"] == uid
    assert entity["metadata"]["annotations"]["backstage.io/managed-by-origin-location"] == f"file:{two}"
    assert "backstage.io/orphan" not in entity["metadata"]["annotations"]
    assert bring_in(session, one, MUCH_LATER).removed_refs == frozenset()


def test_what_only_the_old_target_of_a_location_held_leaves_at_once(session, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    bring_in(session, files(one, all=numbered(30), a=component("a")))
    files(two, a=component("a"))
    location = session.scalars(select(Location)).one()
    location.target, location.moved_at = str(two), NOW
    report = refresh_location(session, location, LATER, reader=OFFLINE)
    assert len(report.removed_refs) == 30
    assert get_entity(session, location.entity_ref)["spec"]["target"] == str(two)
    annotations = get_entity(session, A)["metadata"]["annotations"]
    assert annotations["backstage.io/managed-by-origin-location"] == f"file:{two}"
    assert location.moved_at is None


def test_a_change_says_who_and_what(session, tmp_path):
    bring_in(session, files(tmp_path, a=component("a", owner="one")))
    first = get_entity(session, A)["metadata"]["etag"]
    bring_in(session, files(tmp_path, a=component("a", owner="two")), LATER)
    change, added = list_changes(session, A, 10).items
    assert (added["kind"], added["from_etag"], added["to_etag"]) == ("added", None, first)
    assert (change["actor"], change["at"], change["from_etag"]) == (f"file:{tmp_path}", LATER, first)
    assert change["to_etag"] == get_entity(session, A)["metadata"]["etag"]
    assert {"path": "spec.owner", "before": "one", "after": "two"} in change["fields"]
    assert {"path": "relations.ownedBy", "before": "group:default/one", "after": None} in change["fields"]


def test_what_differs_is_told_in_bounds(session, tmp_path):
    bring_in(session, files(tmp_path, a=component("a")))
    many = "".join(f"  x{number}: {'y' * 1000}\n" for number in range(100))
    bring_in(session, files(tmp_path, a=component("a", spec=many)))
    fields = list_changes(session, A, 1).items[0]["fields"]
    assert len(fields) == 21
    assert max(len(field["after"]) for field in fields) <= 300


def test_the_history_is_paged_outlives_the_entity_and_is_pruned(session, tmp_path):
    for number in range(4):
        bring_in(session, files(tmp_path, a=component("a", owner=f"o{number}")), NOW + timedelta(minutes=number))
    page = list_changes(session, A, 3)
    rest = list_changes(session, A, 3, page.next_cursor)
    assert [len(page.items), len(rest.items), rest.next_cursor] == [3, 1, None]
    before = session.scalar(select(func.count(EntityChange.id)).where(EntityChange.at < NOW + timedelta(minutes=2)))
    assert prune_changes(session, NOW + timedelta(minutes=2), limit=1_000) == before
    assert kinds(session) == ["changed", "changed"]
    with pytest.raises(NotFound):
        list_changes(session, "component:default/never", 10)


def test_the_version_is_counted_when_something_changed_and_only_then(session, tmp_path):
    def version():
        return session.scalar(select(CatalogVersion.number))

    bring_in(session, files(tmp_path, a=component("a")))
    first = version()
    bring_in(session, tmp_path, LATER)
    assert version() == first
    bring_in(session, files(tmp_path, a=component("a", spec="  system: 5\n")), LATER)
    assert version() > first


def test_history_and_what_never_passed_are_answered_over_http(client, session, tmp_path):
    bring_in(session, files(tmp_path, a=component("a"), b=component("b", spec="  system: 5\n")))
    answer = client.get("/api/catalog/entities/by-name/Component/Default/A/history?limit=1")
    [change] = answer.json["items"]
    assert (answer.status_code, change["kind"], change["actor"]) == (200, "added", f"file:{tmp_path}")
    failed = client.get("/api/catalog/entities/unprocessed/failed").json
    assert (failed["type"], [one["entity_ref"] for one in failed["entities"]]) == ("failed", [B])
    assert failed["entities"][0]["unprocessed_entity"]["metadata"]["name"] == "b"
    assert client.post("/api/catalog/refresh", json={"entityRef": B}).status_code == 200
    [again] = client.get("/api/catalog/entities/unprocessed/failed").json["entities"]
    assert again["next_update_at"] == again["last_discovery_at"], "a time that has passed: as soon as possible"
    assert client.get("/api/catalog/entities/unprocessed/pending").json["entities"] == []
    for path in ("by-name/x/y/z/history", "by-name/x/y/%00/history"):
        assert client.get(f"/api/catalog/entities/{path}").status_code == 404
    for path in (
        "by-name/component/default/a/history?cursor=x",
        "unprocessed/failed?cursor=MQ",
        "unprocessed/failed?x=1",
    ):
        assert client.get(f"/api/catalog/entities/{path}").status_code == 400


def test_a_badly_named_document_is_told_under_its_written_name_and_not_at_its_location(session, client, tmp_path):
    bring_in(session, files(tmp_path, all=component("good") + "---\n" + component("'Lady Macbeth!'")))
    own = session.scalars(select(Location.entity_ref)).one()
    assert "status" not in get_entity(session, own)
    [failed] = client.get("/api/catalog/entities/unprocessed/failed").json["entities"]
    assert failed["entity_ref"] == "component:default/lady macbeth!"
