"""The history: append-only, idempotent, gap-free, in order."""

import random
import threading
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engagements import history
from engagements.history import HistoryFilter, NewEvent
from engagements.models import HistoryEvent, HistoryHead
from plugins.contract import Event
from portal_backend.core.db import db
from portal_backend.core.errors import InvalidInput
from portal_backend.core.pagination import encode_cursor

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
CHECKOUT = "component:default/checkout"
CART = "component:default/cart"


def deploy(number, ref=CHECKOUT, source="argocd", minutes=None, **more):
    return NewEvent(
        entity_ref=ref,
        kind=more.pop("kind", "deploy.finished"),
        occurred_at=NOW - timedelta(minutes=number if minutes is None else minutes),
        source=source,
        source_event_id=f"app/{number}",
        summary=f"Deployment {number}",
        **more,
    )


def sequences(session, ref=CHECKOUT):
    query = select(HistoryEvent.sequence).where(HistoryEvent.entity_ref == ref).order_by(HistoryEvent.sequence)
    return list(session.scalars(query))


def walk(session, ref=CHECKOUT, limit=7, **options):
    cursor, found = None, []
    while True:
        page = history.read(session, ref, cursor=cursor, limit=limit, **options)
        found += page.items
        assert len(page.items) <= limit
        if page.next_cursor is None:
            return found
        cursor = page.next_cursor


def test_events_are_numbered_per_service_and_keep_all_they_came_with(session):
    event = deploy(1, link="https://argocd.example/app", actor="ann", details={"revision": "abc"})
    assert history.record(session, [event, deploy(2), deploy(3, ref=CART)], NOW) == 3
    assert sequences(session) == [1, 2]
    assert sequences(session, CART) == [1]
    newest = history.read(session, CHECKOUT).items[0]
    assert (newest.actor, newest.link, newest.details) == ("ann", "https://argocd.example/app", {"revision": "abc"})
    assert (newest.kind, newest.summary, newest.source) == ("deploy.finished", "Deployment 1", "argocd")
    assert (newest.occurred_at, newest.recorded_at) == (NOW - timedelta(minutes=1), NOW)


def test_the_actor_is_the_source_when_nobody_is_named(session):
    history.record(session, [deploy(1)], NOW)
    assert history.read(session, CHECKOUT).items[0].actor == "argocd"


def test_repeated_events_enter_once_and_leave_no_gap(session):
    history.record(session, [deploy(1), deploy(2)], NOW)
    assert history.record(session, [deploy(2), deploy(3), deploy(1), deploy(3)], NOW) == 1
    assert history.record(session, [deploy(n) for n in (1, 2, 3)], NOW) == 0
    assert sequences(session) == [1, 2, 3]


def test_of_two_events_with_one_id_in_a_batch_the_first_is_taken(session):
    history.record(session, [deploy(1, details={"n": "first"}), deploy(1, details={"n": "second"})], NOW)
    assert [event.details for event in history.read(session, CHECKOUT).items] == [{"n": "first"}]


def test_the_same_id_from_another_source_is_another_event(session):
    assert history.record(session, [deploy(1), deploy(1, source="argocd-eu")], NOW) == 2


def test_an_id_recorded_under_one_service_never_enters_under_another(session):
    history.record(session, [deploy(1)], NOW)
    assert history.record(session, [deploy(1, ref=CART), deploy(2, ref=CART)], NOW) == 1
    assert sequences(session, CART) == [1]


def test_late_events_land_where_they_belong(session):
    history.record(session, [deploy(10), deploy(1)], NOW)
    history.record(session, [deploy(5)], NOW + timedelta(hours=1))
    assert [event.source_event_id for event in history.read(session, CHECKOUT).items] == ["app/1", "app/5", "app/10"]


def test_events_of_one_moment_are_ordered_by_sequence(session):
    for number in (3, 1, 2):
        history.record(session, [deploy(number, minutes=0)], NOW)
    assert [event.sequence for event in history.read(session, CHECKOUT).items] == [3, 2, 1]


def test_pages_lose_and_repeat_nothing_even_at_equal_times(session):
    shuffled = [deploy(n, minutes=n // 9) for n in range(100)]
    random.Random(7).shuffle(shuffled)
    for start in range(0, 100, 13):
        history.record(session, shuffled[start : start + 13], NOW)
    found = walk(session)
    assert sorted(event.sequence for event in found) == list(range(1, 101))
    places = [(event.occurred_at, event.sequence) for event in found]
    assert places == sorted(places, reverse=True)


def test_a_page_that_ends_with_the_list_has_no_next(session):
    history.record(session, [deploy(n) for n in range(4)], NOW)
    first = history.read(session, CHECKOUT, limit=2)
    second = history.read(session, CHECKOUT, cursor=first.next_cursor, limit=2)
    assert (len(second.items), second.next_cursor) == (2, None)


def test_filters_combine(session):
    history.record(session, [deploy(n, kind="alert.fired" if n % 2 else "deploy.finished") for n in range(20)], NOW)
    history.record(session, [deploy(n, source="other") for n in range(20)], NOW)
    wanted = HistoryFilter(
        kinds=["alert.fired"], sources=["argocd"], since=NOW - timedelta(minutes=9), until=NOW - timedelta(minutes=3)
    )
    found = walk(session, limit=2, wanted=wanted)
    assert [event.source_event_id for event in found] == ["app/5", "app/7", "app/9"]


@pytest.mark.parametrize(
    "cursor", ["", "x", "e30", "WzEsMl0", "WyIyMDI2IiwxXQ", "WyIyMDI2LTAxLTAxVDAwOjAwOjAwWiIsdHJ1ZV0"]
)
def test_a_foreign_cursor_is_refused(session, cursor):
    with pytest.raises(InvalidInput):
        history.read(session, CHECKOUT, cursor=cursor)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"kind": "deploy.finnished"}, "events[1].kind"),
        ({"entity_ref": ""}, "events[1].entity_ref"),
        ({"source": ""}, "events[1].source"),
        ({"source_event_id": ""}, "events[1].source_event_id"),
        ({"occurred_at": datetime(2026, 1, 1)}, "events[1].occurred_at"),  # noqa: DTZ001
        ({"kind": "event.corrected"}, "events[1].details.corrects"),
        ({"kind": "event.corrected", "details": {"corrects": True}}, "events[1].details.corrects"),
    ],
)
def test_a_faulty_event_is_refused_with_its_place_and_nothing_is_recorded(session, change, path):
    faulty = NewEvent(**{**deploy(2).__dict__, **change})
    with pytest.raises(InvalidInput) as refused:
        history.record(session, [deploy(1), faulty], NOW)
    assert [fault.path for fault in refused.value.faults] == [path]
    assert sequences(session) == []


def test_a_correction_is_an_event_of_its_own(session):
    history.record(session, [deploy(1)], NOW)
    history.record(session, [deploy(2, source="portal", kind="event.corrected", details={"corrects": 1})], NOW)
    assert [(e.kind, e.sequence) for e in history.read(session, CHECKOUT).items] == [
        ("deploy.finished", 1),
        ("event.corrected", 2),
    ]


def test_a_rolled_back_transaction_leaves_nothing(app, session):
    with app.app_context(), pytest.raises(RuntimeError), Session(db.engine) as other, other.begin():
        history.record(other, [deploy(1)], NOW)
        raise RuntimeError
    assert sequences(session) == []
    assert session.scalar(select(func.count()).select_from(HistoryHead)) == 0


def test_the_number_of_statements_does_not_grow_with_the_batch(session):
    counts = []
    for size in (1, 400):
        statements = []

        def count(*args, into=statements):
            into.append(args[2])

        engine = session.get_bind()
        sqlalchemy_event.listen(engine, "before_cursor_execute", count)
        events = [deploy(f"{size}-{n}", minutes=n, ref=f"component:default/s{n}") for n in range(size)]
        history.record(session, events, NOW)
        sqlalchemy_event.remove(engine, "before_cursor_execute", count)
        counts.append(len(statements))
    assert counts[0] == counts[1]


def test_what_a_connector_saw_keeps_its_fields():
    seen = Event(CHECKOUT, "app/1", "deploy.finished", NOW, "Deployed", "https://x.example", {"revision": "a"})
    assert history.from_source("argo", [seen]) == [
        NewEvent(
            CHECKOUT, "deploy.finished", NOW, "argo", "app/1", "Deployed", "", "https://x.example", {"revision": "a"}
        )
    ]


def test_odd_text_from_a_source_costs_no_other_event(session):
    seen = [Event(CHECKOUT, f"a\0{n}", "deploy.finished", NOW, "bad \0 \ud800", "x\0") for n in range(2)]
    assert history.record(session, history.from_source("argo", [*seen, seen[0]]), NOW) == 2
    assert "bad" in history.read(session, CHECKOUT).items[0].summary


@pytest.mark.parametrize("place", [["0001-01-01T00:00:00+14:00", 1], ["2026-11-22T10:00:00Z", 2**40], [None, 1]])
def test_a_cursor_out_of_range_is_refused(session, place):
    with pytest.raises(InvalidInput):
        history.read(session, CHECKOUT, cursor=encode_cursor(place))


def run_at_once(app: Flask, batches):
    """Record each list of batches in its own thread and transactions; return how many events each thread recorded."""
    barrier, results, errors = threading.Barrier(len(batches)), [0] * len(batches), []

    def write(index):
        try:
            with app.app_context():
                engine = db.engine
            barrier.wait(10)
            for batch in batches[index]:
                with Session(engine) as own, own.begin():
                    results[index] += history.record(own, batch, NOW)
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=write, args=(index,)) for index in range(len(batches))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    return results


def test_writers_at_the_same_time_neither_lose_nor_repeat_an_event(app, session):
    refs = [f"component:default/s{n}" for n in range(5)]

    def batches(thread):
        for start in range(0, 40, 8):
            own = [deploy(f"{thread}-{n}", ref=refs[n % 5], minutes=n) for n in range(start, start + 8)]
            shared = [deploy(f"shared-{n}", ref=refs[n % 5], minutes=n) for n in range(start, start + 8)]
            yield own + shared

    results = run_at_once(app, [list(batches(thread)) for thread in range(4)])
    assert sum(results) == 4 * 40 + 40
    for ref in refs:
        numbers = sequences(session, ref)
        assert numbers == list(range(1, len(numbers) + 1))
        assert session.get(HistoryHead, ref).last_sequence == len(numbers)
    assert session.scalar(select(func.count()).select_from(HistoryEvent)) == 200


def test_an_id_lost_to_another_service_at_the_same_time_costs_no_other_event_and_no_gap(app, session):
    for round_number in range(15):
        contested = [f"{round_number}-c{n}" for n in range(6)]

        def batch(ref, ids=contested, number=round_number):
            own = [deploy(f"{number}-{ref}-{n}", ref=ref, minutes=2 * n + 1) for n in range(6)]
            return [own + [deploy(name, ref=ref, minutes=2 * n) for n, name in enumerate(ids)]]

        results = run_at_once(app, [batch(CHECKOUT), batch(CART)])
        assert sum(results) == 6 + 6 + 6
    for ref in (CHECKOUT, CART):
        numbers = sequences(session, ref)
        assert numbers == list(range(1, len(numbers) + 1))
