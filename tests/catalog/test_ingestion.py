"""What reading a location does to the entities that are stored."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise

import orjson
import pytest
from sqlalchemy import func, select

from catalog.entities import get_entity
from catalog.ingestion.refresh import begin, read, refresh_location, write_some
from catalog.locations import register_location
from catalog.models import CatalogFault, Entity, EntityBody, Location, LocationFile, RelationRow, SearchKey, SearchRow
from catalog.places.targets import classify
from catalog.settings import CatalogSettings
from portal_backend.core.db import transaction
from portal_backend.core.errors import InvalidInput, NotFound
from tests.catalog.samples import NOW, OFFLINE, bring_in, component, files

GROUP = (
    "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata:\n  name: team-a\nspec:\n  type: team\n  children: []\n"
)
LATER = NOW + timedelta(hours=1)


def refs(session) -> set[str]:
    return set(session.scalars(select(Entity.ref).where(Entity.kind != "location")))


def relations(session, ref: str) -> list[tuple[str, str]]:
    return [(relation["type"], relation["targetRef"]) for relation in get_entity(session, ref)["relations"]]


def search(session, ref: str) -> dict[str, list]:
    rows = session.execute(
        select(SearchKey.name, SearchRow.value, SearchRow.original, SearchRow.is_item)
        .join(SearchRow, SearchRow.key_id == SearchKey.id)
        .join(Entity, Entity.id == SearchRow.entity_id)
        .where(Entity.ref == ref)
        .order_by(SearchRow.position)
    )
    found: dict[str, list] = {}
    for name, value, original, is_item in rows:
        found.setdefault(name, []).append((value, original, is_item))
    return found


def numbered(count: int) -> str:
    return "---\n".join(component(f"s{number}") for number in range(count))


def test_a_new_entity_is_stored_as_it_will_be_sent(session, tmp_path):
    target = files(tmp_path, a=component("Checkout", metadata="  annotations:\n    x: y\n"))
    report = bring_in(session, target)
    entity = get_entity(session, "Component:default/CHECKOUT")
    assert (report.added, report.changed_refs, report.faults) == (1, {"component:default/checkout"}, ())
    assert entity["metadata"]["name"] == "Checkout"
    assert entity["metadata"]["namespace"] == "default"
    assert entity["metadata"]["annotations"] == {
        "x": "y",
        "backstage.io/managed-by-location": f"file:{tmp_path}/a.yaml",
        "backstage.io/managed-by-origin-location": f"file:{tmp_path}",
    }
    assert entity["relations"] == [{"type": "ownedBy", "targetRef": "group:default/team-a"}]
    row = session.scalar(select(Entity).where(Entity.ref == "component:default/checkout"))
    assert (row.name, row.name_original, row.owner, row.etag, row.uid) == (
        "checkout",
        "Checkout",
        "team-a",
        entity["metadata"]["etag"],
        entity["metadata"]["uid"],
    )


def test_the_registered_location_is_an_entity_too(session, tmp_path):
    bring_in(session, files(tmp_path, a=component("a")))
    location = session.scalar(select(Location))
    entity = get_entity(session, location.entity_ref)
    assert location.entity_ref.startswith("location:default/generated-")
    assert entity["spec"] == {"type": "file", "target": str(tmp_path)}


@pytest.mark.parametrize("read_between", [False, True])
def test_a_registered_file_that_changes_in_part_is_in_no_conflict_with_itself(session, tmp_path, read_between):
    files(tmp_path, all=numbered(2))
    target = str(tmp_path / "all.yaml")
    bring_in(session, target)
    if read_between:
        assert bring_in(session, target).faults == ()
    files(tmp_path, all=numbered(3))
    report = bring_in(session, target)
    assert (report.faults, report.added, report.unchanged) == ((), 1, 2)


def test_a_location_that_moves_while_a_read_begins_is_read_again_at_once(session, tmp_path):
    """The read's claim may be written after the move, whose wish to be read it then hides."""
    bring_in(session, files(tmp_path, a=component("a")))
    location, claim = session.scalar(select(Location)), NOW + timedelta(minutes=2)
    ingestion = begin(session, location, claimed_until=claim)
    location.target = str(tmp_path / "elsewhere")
    session.commit()
    read(ingestion, OFFLINE)
    write_some(session, ingestion, NOW, CatalogSettings())
    session.commit()
    assert (location.due_at, refs(session)) == (None, {"component:default/a"})


def test_one_bad_document_never_sinks_its_neighbours(session, tmp_path):
    text = "---\n".join([component("a"), component("123"), "x: [\n", component("b"), "- list\n"])
    report = bring_in(session, files(tmp_path, all=text))
    assert refs(session) == {"component:default/a", "component:default/b"}
    kept = session.execute(select(CatalogFault.file, CatalogFault.document, CatalogFault.path)).all()
    assert sorted(kept) == [
        (f"{tmp_path}/all.yaml", 1, "metadata.name"),
        *((f"{tmp_path}/all.yaml", n, "") for n in (2, 4)),
    ]
    assert len(report.faults) == 3


def test_relations_show_at_both_ends_even_when_one_end_comes_later(session, tmp_path):
    bring_in(session, files(tmp_path, a=component("a", spec="  dependsOn: [component:b]\n")))
    before = get_entity(session, "component:default/a")
    assert ("dependsOn", "component:default/b") in relations(session, "component:default/a")
    report = bring_in(session, files(tmp_path, b=component("b"), team=GROUP))
    assert report.changed_refs == {"component:default/b", "group:default/team-a"}
    assert relations(session, "component:default/b") == [
        ("dependencyOf", "component:default/a"),
        ("ownedBy", "group:default/team-a"),
    ]
    assert [type_ for type_, _ in relations(session, "group:default/team-a")] == ["ownerOf", "ownerOf"]
    assert get_entity(session, "component:default/a") == before


def test_an_edge_that_both_ends_declare_is_shown_once_and_outlives_one_declaration(session, tmp_path):
    files(
        tmp_path,
        a=component("a", spec="  dependsOn: [component:b]\n"),
        b=component("b", spec="  dependencyOf: [component:a]\n"),
    )
    bring_in(session, tmp_path)
    edge = ("dependsOn", "component:default/b")
    assert relations(session, "component:default/a").count(edge) == 1
    bring_in(session, files(tmp_path, a=component("a")))
    assert edge in relations(session, "component:default/a")
    bring_in(session, files(tmp_path, b=component("b")))
    assert edge not in relations(session, "component:default/a")


def test_a_change_keeps_the_uid_and_renews_the_etag_of_all_whom_it_concerns(session, tmp_path):
    bring_in(session, files(tmp_path, a=component("a"), b=component("b"), c=component("c")))
    before = {name: get_entity(session, f"component:default/{name}")["metadata"] for name in "abc"}
    report = bring_in(session, files(tmp_path, a=component("a", spec="  dependsOn: [component:b]\n")), LATER)
    after = {name: get_entity(session, f"component:default/{name}")["metadata"] for name in "abc"}
    assert (report.added, report.changed, report.unchanged) == (0, 1, 2)
    assert report.changed_refs == {"component:default/a", "component:default/b"}
    assert {name: meta["uid"] for name, meta in before.items()} == {name: meta["uid"] for name, meta in after.items()}
    assert [name for name in "abc" if before[name]["etag"] != after[name]["etag"]] == ["a", "b"]
    assert "relations.dependencyof" in search(session, "component:default/b")


def test_a_bad_update_keeps_the_last_good_form_and_says_what_is_wrong(session, tmp_path):
    bring_in(session, files(tmp_path, a=component("a")))
    report = bring_in(session, files(tmp_path, a=component("a", spec="  system: 5\n")), LATER)
    assert refs(session) == {"component:default/a"}
    assert [(fault.ref, fault.path) for fault in report.faults] == [("component:default/a", "spec.system")]
    assert "system" not in get_entity(session, "component:default/a")["spec"]
    report = bring_in(session, files(tmp_path, a=component("a", spec="  system: s\n")), LATER)
    assert get_entity(session, "component:default/a")["spec"]["system"] == "s"
    assert session.scalar(select(func.count(CatalogFault.id))) == 0


def test_a_document_that_cannot_be_told_keeps_all_entities_of_its_file(session, tmp_path):
    bring_in(session, files(tmp_path, all=component("a") + "---\n" + component("b")))
    for broken in (component("a") + "---\nx: [\n", component("a") + "---\n" + component("5")):
        report = bring_in(session, files(tmp_path, all=broken), LATER)
        assert refs(session) == {"component:default/a", "component:default/b"}
        assert report.withheld_refs == {"component:default/b"}
    report = bring_in(session, files(tmp_path, all=component("a")), LATER)
    assert report.orphaned_refs == {"component:default/b"}


def test_an_unreadable_target_keeps_its_entities_and_remembers_the_error(session, tmp_path):
    target = files(tmp_path, a=component("a")) / "a.yaml"
    bring_in(session, target)
    target.unlink()
    report = bring_in(session, target, LATER)
    location = session.scalar(select(Location))
    assert refs(session) == {"component:default/a"}
    assert "No such file" in report.error
    assert (location.last_error, location.last_read_at, location.last_attempt_at) == (report.error, NOW, LATER)


def test_the_first_seen_time_of_a_fault_is_kept(session, tmp_path):
    bring_in(session, files(tmp_path, a=component("5")))
    bring_in(session, tmp_path, LATER)
    assert session.scalars(select(CatalogFault.seen_at)).all() == [NOW]


def test_a_few_entities_may_leave_and_take_everything_of_theirs_along(session, tmp_path):
    leaving = component("a", spec="  dependsOn: [component:b]\n", metadata="  tags: [x]\n")
    bring_in(session, files(tmp_path, a=leaving, b=component("b")))
    (tmp_path / "a.yaml").unlink()
    assert bring_in(session, tmp_path, NOW).removed == 0
    report = bring_in(session, tmp_path, LATER)
    assert (report.removed_refs, report.changed_refs) == ({"component:default/a"}, {"component:default/b"})
    assert relations(session, "component:default/b") == [("ownedBy", "group:default/team-a")]
    with pytest.raises(NotFound):
        get_entity(session, "component:default/a")
    ids = set(session.scalars(select(Entity.id)))
    for column in (EntityBody.id, SearchRow.entity_id, RelationRow.declared_by):
        assert set(session.scalars(select(column))) <= ids


def test_an_entity_that_was_removed_and_comes_back_is_a_new_one(session, tmp_path):
    bring_in(session, files(tmp_path, a=component("a"), b=component("b")))
    uid = get_entity(session, "component:default/a")["metadata"]["uid"]
    (tmp_path / "a.yaml").unlink()
    bring_in(session, tmp_path, allow_removals=True)
    bring_in(session, files(tmp_path, a=component("a")))
    assert get_entity(session, "component:default/a")["metadata"]["uid"] != uid


def test_more_removals_than_the_cap_wait_for_a_person(session, tmp_path):
    bring_in(session, files(tmp_path, all=numbered(60)))
    files(tmp_path, all=numbered(56))
    gone = {f"component:default/s{number}" for number in range(56, 60)}
    assert bring_in(session, tmp_path, NOW).orphaned_refs == gone
    for _ in range(2):
        report = bring_in(session, tmp_path, LATER)
        assert (report.removed, report.withheld_refs) == (0, gone)
        assert len(refs(session)) == 60
    assert {fault.ref for fault in session.scalars(select(CatalogFault))} == gone
    report = bring_in(session, tmp_path, LATER, allow_removals=True)
    assert report.removed_refs == gone
    assert session.scalar(select(func.count(CatalogFault.id))) == 0


def test_removals_under_the_cap_do_not_wait(session, tmp_path):
    bring_in(session, files(tmp_path, all=numbered(60)))
    bring_in(session, files(tmp_path, all=numbered(57)))
    assert bring_in(session, tmp_path, LATER).removed == 3


@pytest.mark.parametrize("content", ["", "# all gone\n", None])
def test_a_location_that_turns_out_empty_removes_nothing_even_when_removals_are_allowed(session, tmp_path, content):
    bring_in(session, files(tmp_path, all=component("a")))
    if content is None:
        (tmp_path / "all.yaml").unlink()
    else:
        files(tmp_path, all=content)
    report = bring_in(session, tmp_path, LATER, allow_removals=True)
    assert refs(session) == report.withheld_refs == {"component:default/a"}


def test_nothing_leaves_while_a_part_cannot_be_read_and_it_is_not_forgotten_afterwards(session, tmp_path):
    nested = "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: l}\nspec: {target: other/x.yaml}\n"
    bring_in(session, files(tmp_path, all=component("a") + "---\n" + component("b"), l=nested))
    (tmp_path / "all.yaml").write_text(component("a"))
    assert bring_in(session, tmp_path, LATER).removed == 0
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.yaml").write_text(component("c"))
    report = bring_in(session, tmp_path, LATER)
    assert report.orphaned_refs == {"component:default/b"}
    assert bring_in(session, tmp_path, LATER + timedelta(hours=1)).removed_refs == {"component:default/b"}
    assert refs(session) == {"component:default/a", "component:default/c"}


def test_a_second_location_does_not_take_an_entity_over_until_the_first_lets_go(session, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    bring_in(session, files(first, a=component("a", owner="one"), b=component("b")))
    report = bring_in(session, files(second, a=component("A", owner="two")))
    assert report.added == 0
    assert f"already supplied by file:{first}" in report.faults[0].message
    assert get_entity(session, "component:default/a")["spec"]["owner"] == "one"
    uid = get_entity(session, "component:default/a")["metadata"]["uid"]
    (first / "a.yaml").unlink()
    bring_in(session, first)
    assert bring_in(session, second).changed == 1
    assert get_entity(session, "component:default/a")["metadata"]["uid"] == uid
    assert get_entity(session, "component:default/a")["spec"]["owner"] == "two"


def test_within_a_location_the_first_document_wins_also_when_its_file_is_unchanged(session, tmp_path):
    bring_in(session, files(tmp_path, a=component("x", owner="one")))
    report = bring_in(session, files(tmp_path, b=component("x", owner="two")))
    assert f"already supplied by {tmp_path}/a.yaml" in report.faults[0].message
    assert get_entity(session, "component:default/x")["spec"]["owner"] == "one"
    (tmp_path / "a.yaml").unlink()
    assert bring_in(session, tmp_path).changed == 1
    assert get_entity(session, "component:default/x")["spec"]["owner"] == "two"


def test_an_unchanged_location_writes_nothing_but_the_time(session, tmp_path):
    bring_in(session, files(tmp_path, a=component("a"), b=component("5")))
    before = session.execute(select(Entity.ref, Entity.etag, Entity.updated_at)).all()
    report = bring_in(session, tmp_path, LATER)
    session.expire_all()
    assert session.execute(select(Entity.ref, Entity.etag, Entity.updated_at)).all() == before
    assert (report.unchanged, report.changed_refs) == (1, frozenset())
    assert session.scalars(select(LocationFile.file)).all() == [f"{tmp_path}/a.yaml"]
    assert session.scalar(select(Location.last_read_at)) == LATER


def test_the_search_rows_are_what_filters_see(session, tmp_path):
    metadata = (
        "  title: My Title\n  tags: [java, web]\n  labels: {Tier: 'A'}\n"
        "  links: [{url: 'http://a', title: T}, {url: 'http://b'}]\n"
    )
    spec = f"  profile: {{email: A@b.c}}\n  none:\n  many: [1, true, x.y]\n  long: {'L' * 201}\n  {'k' * 200}: x\n"
    bring_in(session, files(tmp_path, a=component("a", spec=spec, metadata=metadata)))
    rows = search(session, "component:default/a")
    assert rows["metadata.tags"] == [("java", None, True), ("web", None, True)]
    assert rows["metadata.labels.tier"] == [("a", "A", False)]
    assert rows["metadata.links.url"] == [("http://a", None, False), ("http://b", None, False)]
    assert rows["spec.profile.email"] == [("a@b.c", "A@b.c", False)]
    assert rows["spec.none"] == rows["spec.long"] == [(None, None, False)]
    assert rows["spec.many"] == [("1", None, False), ("true", None, False), ("x.y", None, True)]
    assert rows["relations.ownedby"] == [("group:default/team-a", None, False)]
    assert rows["apiversion"] == [("backstage.io/v1alpha1", None, False)]
    columns = {"kind", "metadata.name", "metadata.namespace", "metadata.title", "spec.type", "spec.lifecycle"}
    assert not rows.keys() & {*columns, "metadata.uid", "metadata.etag", "relations.type", f"spec.{'k' * 200}"}
    row = session.scalar(select(Entity).where(Entity.ref == "component:default/a"))
    assert (row.title, row.title_original, row.type, row.type_original) == ("my title", "My Title", "service", None)


def test_a_large_ingest_takes_a_bounded_number_of_statements(session, tmp_path, monkeypatch):
    counts = []
    execute = session.execute
    monkeypatch.setattr(session, "execute", lambda *args, **kwargs: counts.append(1) or execute(*args, **kwargs))
    taken = []
    for size in (100, 400):
        folder = tmp_path / str(size)
        folder.mkdir()
        text = "---\n".join(
            component(f"n{size}-{number}", spec="  dependsOn: [component:x]\n") for number in range(size)
        )
        counts.clear()
        assert bring_in(session, files(folder, all=text)).added == size
        taken.append(len(counts))
    assert all(after - before <= 2 for before, after in pairwise(taken))
    bodies = session.scalars(select(EntityBody.body)).all()
    assert all(orjson.loads(body)["metadata"]["uid"] for body in bodies)


@pytest.mark.parametrize(
    ("type_", "target"),
    [
        ("git", "/a"),
        ("file", "relative"),
        ("file", ""),
        ("file", "/a\0b"),
        ("url", "ftp://a"),
        ("url", "http://"),
        ("url", "x" * 3000),
    ],
)
def test_what_can_never_be_read_is_not_registered(session, type_, target):
    with pytest.raises(InvalidInput):
        register_location(session, type_, target, NOW)


def test_registering_twice_is_registering_once(session, tmp_path):
    location = register_location(session, "file", str(tmp_path), NOW)
    assert register_location(session, "file", str(tmp_path), LATER) is location
    report = refresh_location(session, location, NOW, reader=OFFLINE)
    assert (report.added, report.error) == (0, None)


def test_targets_of_people_become_types_and_whole_paths(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert classify("a.yaml") == ("file", str(tmp_path / "a.yaml"))
    assert classify("HTTPS://x/a.yaml") == ("url", "HTTPS://x/a.yaml")


def test_two_ingestions_at_once_follow_one_another(app, session, tmp_path):
    """Both supply the same entities: one of them wins each, the other is told; neither fails."""
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
        files(folder, all=numbered(50))

    def run(folder):
        with app.app_context(), transaction() as own:
            location = register_location(own, "file", str(folder), NOW)
            return refresh_location(own, location, NOW, reader=OFFLINE)

    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(run, folders))
    assert sorted(report.added for report in reports) == [0, 50]
    assert sorted(len(report.faults) for report in reports) == [0, 50]
    assert len(refs(session)) == 50
