"""Reads of a location that are killed, overtaken, put off or large: nothing is lost, and nothing done twice."""

from datetime import timedelta

from sqlalchemy import select

from catalog.entities import get_entity
from catalog.ingestion import refresh
from catalog.ingestion.pacing import next_read
from catalog.ingestion.refresh import begin, read, refresh_location, write_some
from catalog.locations import register_location
from catalog.models import Entity, RelationRow, SearchRow
from catalog.settings import CatalogSettings
from tests.catalog.samples import NOW, OFFLINE, bring_in, component, files, numbered

LATER = NOW + timedelta(minutes=30)


def settled(session):
    """What a reader sees of all entities, without what differs from one run to the next."""
    return {
        ref: [(one["type"], one["targetRef"]) for one in get_entity(session, ref)["relations"]]
        for ref in session.scalars(select(Entity.ref).where(Entity.kind != "location"))
    }


def test_a_killed_writer_loses_nothing_and_doubles_nothing(session, tmp_path, monkeypatch):
    monkeypatch.setattr(refresh, "AT_ONCE", 10)
    location = register_location(session, "file", str(files(tmp_path, all=numbered(35))), NOW)
    session.commit()
    ingestion = begin(session, location, NOW + timedelta(minutes=2))
    read(ingestion, OFFLINE)
    for _ in range(2):
        write_some(session, ingestion, NOW, CatalogSettings())
        session.commit()
    assert ingestion.report is None
    assert len(settled(session)) == 19  # and the Location entity
    report = refresh_location(session, location, LATER, reader=OFFLINE)
    assert (report.added, report.unchanged) == (16, 19)
    broken = settled(session)
    assert len(broken["component:default/s0"]) == 37
    ids = set(session.scalars(select(Entity.id)))
    for column in (SearchRow.entity_id, RelationRow.declared_by):
        assert set(session.scalars(select(column))) <= ids


def test_a_file_that_is_given_back_after_a_killed_read_is_judged_again(session, tmp_path, monkeypatch):
    monkeypatch.setattr(refresh, "AT_ONCE", 10)
    location = register_location(session, "file", str(files(tmp_path, all=numbered(25))), NOW)
    refresh_location(session, location, NOW, reader=OFFLINE)
    session.commit()
    before = settled(session)
    files(tmp_path, all=numbered(25).replace("owner: ", "system: late\n  owner: "))
    ingestion = begin(session, location, NOW + timedelta(minutes=2))
    read(ingestion, OFFLINE)
    write_some(session, ingestion, NOW, CatalogSettings())
    session.commit()
    assert ingestion.report is None
    files(tmp_path, all=numbered(25))
    assert refresh_location(session, location, LATER, reader=OFFLINE).changed == 10
    assert settled(session) == before
    assert refresh_location(session, location, LATER, reader=OFFLINE).unchanged == 25


def test_a_writer_plans_anew_when_another_one_has_come_between(session, tmp_path, monkeypatch):
    monkeypatch.setattr(refresh, "AT_ONCE", 10)
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    location = register_location(session, "file", str(files(one, all=numbered(30))), NOW)
    ingestion = begin(session, location)
    read(ingestion, OFFLINE)
    write_some(session, ingestion, NOW, CatalogSettings())
    session.commit()
    late = "---\n".join(component(f"s{number}", owner="other") for number in range(20, 30))
    assert bring_in(session, files(two, late=late)).added == 10
    while ingestion.report is None:
        write_some(session, ingestion, NOW, CatalogSettings())
    assert ingestion.report.added == 20
    assert {fault.ref for fault in ingestion.report.faults} == {f"component:default/s{n}" for n in range(20, 30)}
    assert len(settled(session)) == 30


def test_a_location_that_was_moved_while_it_was_read_is_left_alone(session, tmp_path):
    location = register_location(session, "file", str(files(tmp_path, a=component("a"))), NOW)
    ingestion = begin(session, location)
    read(ingestion, OFFLINE)
    location.target = str(tmp_path / "elsewhere")
    session.flush()
    write_some(session, ingestion, NOW, CatalogSettings())
    assert (ingestion.report.added, settled(session)) == (0, {})


def test_a_read_sets_when_the_next_is_due_unless_somebody_asked_meanwhile(session, tmp_path):
    location = register_location(session, "file", str(files(tmp_path, a=component("a"))), NOW)
    settings = CatalogSettings(refresh_every=timedelta(minutes=10), jitter=0.5)
    claimed = NOW + timedelta(minutes=2)
    ingestion = begin(session, location, claimed)
    read(ingestion, OFFLINE)
    write_some(session, ingestion, NOW, settings)
    assert timedelta(minutes=10) <= location.due_at - NOW <= timedelta(minutes=15)
    ingestion = begin(session, location, claimed)
    read(ingestion, OFFLINE)
    location.due_at = None
    session.flush()
    write_some(session, ingestion, NOW, settings)
    assert location.due_at is None


def test_failing_reads_come_ever_more_seldom_and_chance_spreads_the_others():
    every = timedelta(minutes=10)

    def wait(failing, chance=0.0, jitter=0.0):
        since = None if failing is None else NOW - timedelta(minutes=failing)
        return next_read(every, jitter, "id", NOW, chance, since) - NOW

    assert [wait(minutes) / timedelta(minutes=1) for minutes in (0, 5, 40, 600)] == [1, 5, 40, 60]
    assert wait(None) == every
    assert every < wait(None, 0.0, 0.5) < wait(None, 1.0, 0.5) <= every * 1.5


def test_thousands_of_entities_in_one_file_are_taken_in_several_writes(session, tmp_path):
    count = 3_000
    report = bring_in(session, files(tmp_path, all="---\n".join(component(f"n{number}") for number in range(count))))
    assert report.added == count
    again = bring_in(session, tmp_path, LATER)
    assert (again.unchanged, again.changed_refs) == (count, frozenset())
