"""Large locations: read and prepared by several processes, and of a changed file only the documents that changed."""

from dataclasses import replace

import orjson
import pytest
from sqlalchemy import select

from catalog.format import yaml_documents
from catalog.format.yaml_documents import read_documents
from catalog.ingestion import following, storing
from catalog.ingestion.file_readings import KnownFile
from catalog.ingestion.following import read_location
from catalog.ingestion.judging import judge_files
from catalog.ingestion.reading import Reader
from catalog.models import Entity, EntityBody, RelationRow, SearchKey, SearchRow
from tests.catalog.samples import bring_in, component, files, remembered
from tests.conftest import shared

AWKWARD = "a\\tb\t\\N \\\\ c"
LOCATION = "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: more}\nspec: {target: ./more.txt}\n"


def company(count: int) -> str:
    return "---\n".join(
        component(
            f"c{number}",
            metadata=f"  annotations: {{note: {orjson.dumps(AWKWARD + str(number)).decode()}}}\n",
            spec=f"  dependsOn: [component:c{(number + 1) % count}]\n",
        )
        for number in range(count)
    )


def stored(session) -> dict[str, tuple]:
    """All that is stored of every entity, without what differs from one database to the next."""
    joined = select(Entity.ref, EntityBody.body).join(EntityBody, EntityBody.id == Entity.id)
    bodies = dict(session.execute(joined).all())
    rows = session.execute(
        select(Entity.ref, SearchKey.kind, SearchKey.name, SearchRow.position, SearchRow.value, SearchRow.original)
        .join(SearchRow, SearchRow.entity_id == Entity.id)
        .join(SearchKey, SearchKey.id == SearchRow.key_id)
    ).all()
    edges = session.execute(select(RelationRow.source_ref, RelationRow.type, RelationRow.target_ref)).all()
    found = {}
    for ref, body in bodies.items():
        entity = orjson.loads(body)
        for name in ("uid", "etag"):
            del entity["metadata"][name]
        mine = sorted(row[1:] for row in rows if row[0] == ref)
        found[ref] = entity, mine, sorted(tuple(edge) for edge in edges if edge[0] == ref)
    return found


@pytest.fixture
def in_parts(monkeypatch):
    """Let what is large be small."""
    monkeypatch.setattr(following, "BATCH_BYTES", 300)
    monkeypatch.setattr(storing, "PORTION", 4)


def test_two_processes_store_what_one_does(session, tmp_path, in_parts, monkeypatch):
    for number, text in enumerate(company(40).split("---\n")):
        files(tmp_path, **{f"f{number:02}": text})
    monkeypatch.setenv("PORTAL_PROCESSES", "2")
    report = bring_in(session, tmp_path)
    assert (report.added, report.faults) == (40, ())
    by_two = stored(session)
    monkeypatch.setenv("PORTAL_PROCESSES", "1")
    for number, text in enumerate(company(40).split("---\n")):
        files(tmp_path, **{f"f{number:02}": text.replace("production", "experimental")})
    assert bring_in(session, tmp_path).changed == 40
    for number, text in enumerate(company(40).split("---\n")):
        files(tmp_path, **{f"f{number:02}": text})
    assert bring_in(session, tmp_path).changed == 40
    assert stored(session) == by_two
    assert by_two["component:default/c3"][0]["metadata"]["annotations"]["note"] == f"{AWKWARD}3"
    assert ("component", "metadata.annotations.note", f"{AWKWARD}3".lower(), f"{AWKWARD}3") in {
        (kind, name, value, original) for kind, name, _, value, original in by_two["component:default/c3"][1]
    }


def test_of_a_changed_file_only_the_changed_documents_are_judged(session, tmp_path, monkeypatch):
    texts = company(5).split("---\n")
    bring_in(session, files(tmp_path, all="---\n".join(texts)))
    before = stored(session)
    texts[2] = texts[2].replace("production", "deprecated")
    read_anew = []
    compose = yaml_documents._read_document
    monkeypatch.setattr(
        yaml_documents, "_read_document", lambda index, *more: read_anew.append(index) or compose(index, *more)
    )
    report = bring_in(session, files(tmp_path, all="---\n".join(texts)))
    assert (report.changed, report.unchanged, read_anew) == (1, 4, [2])
    changed = stored(session)
    assert {ref for ref in before if before[ref] != changed[ref]} == {"component:default/c2"}
    assert bring_in(session, files(tmp_path, all="---\n".join(texts[:4]))).orphaned_refs == {"component:default/c4"}
    assert bring_in(session, files(tmp_path, all="---\n".join(["# one more\n", *texts]))).faults == ()
    assert {row[0] for row in session.execute(select(Entity.ref).where(Entity.orphaned_at.is_(None)))} == set(before)


def test_a_changed_file_with_a_fault_is_judged_whole(tmp_path):
    texts = company(3).split("---\n")
    target = files(tmp_path, all="---\n".join(texts))
    known = remembered(read_location(Reader(), "file", str(target), {}))
    files(tmp_path, all="---\n".join([*texts, "kind: Component\n"]))
    (file,) = read_location(Reader(), "file", str(target), known).files
    assert (len(file.good), file.known_documents, file.recall) == (3, frozenset(), "")


def test_a_location_entity_that_did_not_change_still_leads_on(tmp_path):
    files(tmp_path, all=LOCATION + "---\n" + component("a"))
    (tmp_path / "more.txt").write_text(component("b"))
    target = str(tmp_path / "all.yaml")
    known = remembered(read_location(Reader(), "file", target, {}))
    files(tmp_path, all=LOCATION + "---\n" + component("c"))
    again = read_location(Reader(), "file", target, known)
    assert [file.place.target for file in again.files] == [target, str(tmp_path / "more.txt")]
    assert (again.files[0].known_documents, again.files[1].unchanged) == (frozenset({0}), True)
    once_more = remembered(again)[target]
    assert [nested.ref for nested in once_more.nested] == ["location:default/more"]


def test_what_an_earlier_release_remembered_of_a_file_still_counts():
    known = KnownFile.recalled("digest", None, [["file", "/a.yaml", False, "location:default/a"], ["$basis", "b"]])
    assert (known.documents, known.basis, [one.target for one in known.nested]) == ("", "b", ["/a.yaml"])


def test_files_with_placeholders_are_left_to_the_process_that_may_read_others():
    text = component("a").replace("type: service", "type: {$text: ./type.txt}")
    known = replace(following.judging.Content(component("b").encode()), known=())
    left, judged = judge_files((), False, [following.judging.Content(text.encode()), known])
    assert left is None
    assert [document.ref for document in judged.good] == ["component:default/b"]


ODD = (
    b"a: [x]#",
    b"'a': 1\n\"a\": 2",
    b"? [a]\n: b",
    b"a: &x 1\nb: *x",
    b"- |#c\n x",
    b"a:\n|\n x\n",
    b"{a: 1, a: 2}",
    b'a: "\\0"',
    b"a: 'x'#c",
    b"a: [\n1]",
    b"- !!str 1",
    b"1: 2",
    b"[" * 200 + b"]" * 200,
)


def test_the_quick_composer_reads_what_the_careful_one_does(monkeypatch):
    contents = [*ODD, *(path.read_bytes() for path in sorted(shared("corpus").rglob("*.y*ml")))]
    quick = [list(read_documents(content)) for content in contents]

    def give_up(*_, **__):
        raise yaml_documents.Unusual

    monkeypatch.setattr(yaml_documents, "compose_plainest", give_up)
    assert quick == [list(read_documents(content)) for content in contents]
    monkeypatch.setattr(yaml_documents, "compose_ordinary", give_up)
    assert quick == [list(read_documents(content)) for content in contents]
