"""Writing beside preparing: the rows are those of one thing after the other, and a failure leaves nothing behind."""

import sys
import threading

import orjson
import pytest
from sqlalchemy import delete, func, select

from catalog.ingestion import shelf, storing, writer
from catalog.ingestion.candidates import find_stored
from catalog.ingestion.changes import list_changes
from catalog.ingestion.copying import copy_text
from catalog.ingestion.judging import compact
from catalog.ingestion.refresh import refresh_location
from catalog.locations import register_location
from catalog.models import Entity, EntityBody, EntityChange, LocationFile, RelationRow, SearchKey, SearchRow
from portal_backend.core.beside import THREAD, USUAL_TURN_SECONDS, beside
from tests.catalog.samples import NOW, OFFLINE, bring_in, component, files
from tests.catalog.test_large_locations import company, stored
from tests.core.test_beside import threads

COUNT = 30


@pytest.fixture
def in_portions(monkeypatch):
    """Let a few entities be many."""
    monkeypatch.setattr(storing, "PORTION", 4)


@pytest.fixture
def writes(session, monkeypatch) -> list[str]:
    """The names of the threads that write, one for each portion."""
    names: list[str] = []
    store = writer.Writer._store

    def noted(self, *args):
        names.append(threading.current_thread().name)
        store(self, *args)

    monkeypatch.setattr(writer.Writer, "_store", noted)
    return names


def all_rows(session) -> dict[str, object]:
    kinds = select(SearchKey.id, SearchKey.kind, SearchKey.name)
    changes = select(EntityChange.ref, EntityChange.kind, EntityChange.actor).order_by(EntityChange.ref)
    relations = select(RelationRow.source_ref, RelationRow.type, RelationRow.target_ref).order_by(
        RelationRow.source_ref, RelationRow.type, RelationRow.target_ref
    )
    return {
        "entities": stored(session),
        "keys": {tuple(row)[1:] for row in session.execute(kinds)},
        "relations": [tuple(row) for row in session.execute(relations)],
        "changes": [tuple(row) for row in session.execute(changes)],
        "search": session.scalar(select(func.count()).select_from(SearchRow)),
    }


def forget_all(session) -> None:
    ids = session.scalars(select(Entity.ref)).all()
    storing.remove_entities(session, list(find_stored(session, ids).values()), NOW)
    for model in (EntityChange, SearchKey, LocationFile):
        session.execute(delete(model))


def test_what_is_written_beside_is_what_is_written_serially(session, tmp_path, in_portions, writes, monkeypatch):
    target = files(tmp_path, all=company(COUNT))
    bring_in(session, target)
    uses_a_thread = session.connection().dialect.name == "postgresql"
    assert {name.startswith(THREAD) for name in writes} == {uses_a_thread}
    overlapped = all_rows(session)
    forget_all(session)
    monkeypatch.setattr(storing, "beside", lambda session, worth_it: beside(session, worth_it=False))
    writes.clear()
    bring_in(session, target)
    assert writes
    assert not any(name.startswith(THREAD) for name in writes)
    assert all_rows(session) == overlapped
    assert len(overlapped["entities"]) == COUNT + 1


def test_changed_entities_are_read_and_written_beside_too(session, tmp_path, in_portions, writes):
    target = files(tmp_path, all=company(COUNT))
    bring_in(session, target)
    before = all_rows(session)
    files(tmp_path, all=company(COUNT).replace("production", "experimental"))
    assert bring_in(session, target).changed == COUNT
    files(tmp_path, all=company(COUNT))
    assert bring_in(session, target).changed == COUNT
    after = all_rows(session)
    assert {name: after[name] for name in ("entities", "keys", "relations", "search")} == {
        name: before[name] for name in ("entities", "keys", "relations", "search")
    }


def test_a_failure_beside_is_raised_and_leaves_neither_rows_nor_a_thread(session, tmp_path, in_portions, monkeypatch):
    location = register_location(session, "file", str(files(tmp_path, all=company(COUNT))), NOW)
    session.commit()
    insert_bodies, calls = writer.Writer._insert_bodies, []

    def fail_at_the_third(self, bodies):
        calls.append(len(bodies))
        if len(calls) == 3:
            raise RuntimeError("the third portion")
        insert_bodies(self, bodies)

    monkeypatch.setattr(writer.Writer, "_insert_bodies", fail_at_the_third)
    with pytest.raises(RuntimeError, match="the third portion"):
        refresh_location(session, location, NOW, reader=OFFLINE)
    session.rollback()
    assert len(calls) == 3
    assert session.scalar(select(func.count()).select_from(Entity)) == 0
    assert threads() == []
    assert sys.getswitchinterval() == pytest.approx(USUAL_TURN_SECONDS)


def test_a_portion_is_full_by_its_bytes_too(session, tmp_path, writes, monkeypatch):
    monkeypatch.setattr(storing, "PORTION_BYTES", 1_000)
    bring_in(session, files(tmp_path, all=company(COUNT)))
    assert len(writes) > COUNT * 100 // 1_000
    assert len(stored(session)) == COUNT + 1


def test_documents_on_the_shelf_are_what_they_were(monkeypatch):
    monkeypatch.setattr(shelf, "IN_MEMORY", 100)
    one = shelf.Shelf()
    documents = [compact(f"component:default/c{number}", number, entity(number)) for number in range(20)]
    waiting = [shelf.shelved(document, one) for document in documents]
    for before, after in reversed(list(zip(documents, waiting, strict=True))):
        assert (after.ref, after.index, after.digest, after.body) == (
            before.ref, before.index, before.digest, before.body,
        )  # fmt: skip
        assert after.declared() == before.declared() == [["ownedBy", "ownerOf", "group:default/team-a"]]
    one.close()


@pytest.mark.parametrize("awkward", ["a\tb", "a\nb", "a\\b", "\\N", "a\rb", 'say "x"', "\\.", "\x7f\u2028", "é"])
def test_texts_come_through_copy_as_they_are(session, tmp_path, awkward):
    text = "---\n".join(
        component(f"c{number}", metadata=f"  annotations: {{note: {orjson.dumps(awkward + str(number)).decode()}}}\n")
        for number in range(3)
    )
    bring_in(session, files(tmp_path, all=text))
    key = select(SearchKey.id).where(SearchKey.name == "metadata.annotations.note").scalar_subquery()
    values = session.scalars(select(SearchRow.value).where(SearchRow.key_id == key)).all()
    assert sorted(values) == [f"{awkward}{number}".lower() for number in range(3)]
    rows = [(number, f"{awkward}{number}", "x") for number in range(3)]
    lines = copy_text(rows).decode().split("\n")
    assert [len(line.split("\t")) for line in lines] == [3, 3, 3, 1]


def entity(number: int) -> dict[str, object]:
    return {
        "apiVersion": "backstage.io/v1alpha1", "kind": "Component",
        "metadata": {"name": f"c{number}", "namespace": "default"}, "spec": {"owner": "team-a"},
    }  # fmt: skip


def test_the_history_of_what_leaves_goes_on_from_the_form_that_the_same_read_gave_it(session, tmp_path):
    leaning = component("b", spec="  dependsOn: [component:a]\n")
    bring_in(session, files(tmp_path, a=component("a"), b=leaning))
    (tmp_path / "a.yaml").write_text(component("c"))
    (tmp_path / "b.yaml").write_text(component("b"))
    assert bring_in(session, tmp_path, allow_removals=True).removed_refs == {"component:default/a"}
    removed, renewed, added = list_changes(session, "component:default/a", 10).items
    assert [change["kind"] for change in (removed, renewed, added)] == ["removed", "changed", "added"]
    assert (removed["from_etag"], renewed["from_etag"]) == (renewed["to_etag"], added["to_etag"])


def test_relations_between_portions_are_shown_at_both_ends_and_go_with_what_says_so(session, tmp_path, monkeypatch):
    monkeypatch.setattr(storing, "PORTION", 2)

    def shown() -> dict[str, set[tuple[str, str]]]:
        bodies = session.execute(select(Entity.ref, EntityBody.body).join(EntityBody).where(Entity.kind == "component"))
        return {
            ref: {(one["type"], one["targetRef"]) for one in orjson.loads(body)["relations"]} for ref, body in bodies
        }

    def round_of(count: int, step: int) -> str:
        return "---\n".join(
            component(f"n{one}", spec=f"  dependsOn: [component:n{(one + step) % count}]\n") for one in range(count)
        )

    for step in (1, 4, 1):
        bring_in(session, files(tmp_path, all=round_of(9, step)))
        owned = ("ownedBy", "group:default/team-a")
        assert shown() == {
            f"component:default/n{one}": {
                owned,
                ("dependsOn", f"component:default/n{(one + step) % 9}"),
                ("dependencyOf", f"component:default/n{(one - step) % 9}"),
            }
            for one in range(9)
        }
        assert session.scalar(select(func.count()).select_from(RelationRow)) == 4 * 9
