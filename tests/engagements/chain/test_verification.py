"""The chain of hashes: whatever is done to the rows behind the portal's back is found, and its place is told."""

import hashlib
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy import event as sqlalchemy_event

from engagements import history
from engagements.chain import append_only
from engagements.chain.chaining import chain_existing
from engagements.chain.links import FIRST, link
from engagements.chain.verification import anchors, place_after, verify, verify_against
from engagements.models import HistoryEvent, HistoryHead
from tests.engagements.test_history import CART, CHECKOUT, NOW, deploy, run_at_once

ODD_DETAILS = {"z": 1, "a": [1.5, 1e16, -0.0, True, None, "Straße \u2028 ☂"], "nested": {"b": {}, "a": 10**15}}


@pytest.fixture
def behind_our_back(session):
    """Do what no part of the portal does: change rows, with the triggers lifted."""

    def act(*statements):
        append_only.unprotect(session.connection())
        for statement in statements:
            session.execute(statement)
        append_only.protect(session.connection())
        session.commit()

    return act


@pytest.fixture(autouse=True)
def two_histories(session):
    history.record(session, [deploy(n, details=ODD_DETAILS) for n in range(6, 0, -1)], NOW)
    history.record(session, [deploy(n, ref=CART, source="other") for n in range(3, 0, -1)], NOW)
    session.commit()


def event(sequence, ref=CHECKOUT):
    return (HistoryEvent.entity_ref == ref) & (HistoryEvent.sequence == sequence)


def found(session, **options):
    session.expire_all()
    return [(fault.entity_ref, fault.sequence, fault.kind.value) for fault in verify(session, **options).faults]


def test_what_was_only_recorded_holds_together(session):
    report = verify(session)
    assert (report.faults, report.events, report.services, report.last) == ([], 9, 2, None)


def test_anybody_can_recompute_the_chain_from_its_description(session):
    """The text of docs/history.md, followed by hand."""
    previous = ""
    for row in session.scalars(select(HistoryEvent).where(HistoryEvent.entity_ref == CART).order_by("sequence")):
        values = [
            1, previous, row.entity_ref, row.sequence, row.kind, row.occurred_at.isoformat().replace("+00:00", "Z"),
            row.recorded_at.isoformat().replace("+00:00", "Z"), row.actor, row.source, row.source_event_id,
            row.simulated, row.schema_version, row.summary, row.link, row.details,
        ]  # fmt: skip
        previous = "1:" + hashlib.sha256(orjson.dumps(values, option=orjson.OPT_SORT_KEYS)).hexdigest()
        assert row.hash == previous


def test_the_form_of_a_link_stays_as_it_is():
    row = {
        "entity_ref": CHECKOUT, "sequence": 1, "kind": "deploy.finished", "occurred_at": NOW, "recorded_at": NOW,
        "actor": "ann", "source": "argocd", "source_event_id": "a/1", "simulated": False, "schema_version": 1,
        "summary": "Deployed", "link": "", "details": {"b": 1.5, "a": ["ä"]},
    }  # fmt: skip
    written = (
        '[1,"","component:default/checkout",1,"deploy.finished","2026-11-22T10:00:00Z","2026-11-22T10:00:00Z","ann",'
        '"argocd","a/1",false,1,"Deployed","",{"a":["ä"],"b":1.5}]'
    )
    assert link(FIRST, row) == "1:" + hashlib.sha256(written.encode()).hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        {"summary": "nothing happened"},
        {"kind": "deploy.failed"},
        {"occurred_at": NOW - timedelta(days=3)},
        {"recorded_at": NOW - timedelta(days=3)},
        {"actor": "mallory"},
        {"source": "elsewhere"},
        {"source_event_id": "app/99"},
        {"simulated": True},
        {"schema_version": 2},
        {"link": "https://elsewhere.example"},
        {"details": {**ODD_DETAILS, "z": 2}},
        {"hash": "1:" + "0" * 64},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_event_is_found_whatever_was_changed(session, behind_our_back, change):
    behind_our_back(update(HistoryEvent).where(event(3)).values(**change))
    assert (CHECKOUT, 3, "changed") in found(session)
    assert all(ref == CHECKOUT for ref, *_ in found(session))


def test_a_changed_event_with_a_hash_made_to_fit_shows_at_the_next_one(session, behind_our_back):
    rows = session.execute(select(HistoryEvent.__table__).where(HistoryEvent.entity_ref == CHECKOUT)).mappings().all()
    second, third = (next(dict(row) for row in rows if row["sequence"] == n) for n in (2, 3))
    third["summary"] = "nothing happened"
    fitting = link(second["hash"], third)
    behind_our_back(update(HistoryEvent).where(event(3)).values(summary="nothing happened", hash=fitting))
    assert found(session) == [(CHECKOUT, 4, "changed")]


def test_removed_events_are_found(session, behind_our_back):
    behind_our_back(delete(HistoryEvent).where(event(2) | event(3)))
    faults = verify(session).faults
    assert [(fault.sequence, fault.kind.value) for fault in faults] == [(2, "missing")]
    assert "events 2 to 3 are gone" in faults[0].message


def test_the_first_event_removed_is_found(session, behind_our_back):
    behind_our_back(delete(HistoryEvent).where(event(1)))
    assert found(session) == [(CHECKOUT, 1, "missing")]


def test_a_tail_cut_off_is_found(session, behind_our_back):
    behind_our_back(delete(HistoryEvent).where(event(5) | event(6)))
    assert found(session) == [(CHECKOUT, 5, "truncated")]


def test_a_whole_history_removed_is_found_by_its_head(session, behind_our_back):
    behind_our_back(delete(HistoryEvent).where(HistoryEvent.entity_ref == CART))
    assert found(session) == [(CART, 1, "truncated")]


def test_a_removed_head_is_found(session, behind_our_back):
    behind_our_back(delete(HistoryHead).where(HistoryHead.entity_ref == CART))
    assert found(session) == [(CART, 0, "head")]


def test_a_tail_cut_off_together_with_its_head_shows_against_the_anchors_of_before(session, behind_our_back):
    kept = anchors(session)
    hash_of_4 = session.scalar(select(HistoryEvent.hash).where(event(4)))
    shorter = update(HistoryHead).where(HistoryHead.entity_ref == CHECKOUT)
    behind_our_back(
        delete(HistoryEvent).where(event(5) | event(6)), shorter.values(last_sequence=4, last_hash=hash_of_4)
    )
    assert found(session) == []
    assert [(f.entity_ref, f.sequence, f.kind.value) for f in verify_against(session, kept)] == [
        (CHECKOUT, 6, "anchor")
    ]


def test_what_was_appended_since_agrees_with_the_anchors_of_before(session):
    kept = anchors(session)
    history.record(session, [deploy(50), deploy(51, ref=CART)], NOW)
    assert verify_against(session, kept) == []


def test_an_event_put_in_past_the_head_is_found(session, behind_our_back):
    row = dict(session.execute(select(HistoryEvent.__table__).where(event(6))).mappings().one())
    row |= {"sequence": 7, "source_event_id": "made up", "id": 1000}
    row["hash"] = link(row["hash"], row)
    behind_our_back(insert(HistoryEvent).values(**row))
    assert found(session) == [(CHECKOUT, 7, "inserted")]


def test_an_event_put_in_before_the_first_is_found(session, behind_our_back):
    row = dict(session.execute(select(HistoryEvent.__table__).where(event(1))).mappings().one())
    behind_our_back(insert(HistoryEvent).values(**{**row, "sequence": 0, "source_event_id": "made up", "id": 1000}))
    assert (CHECKOUT, 0, "inserted") in found(session)


def test_two_events_that_changed_places_are_found(session, behind_our_back):
    moves = [update(HistoryEvent).where(event(a)).values(sequence=b) for a, b in ((2, 90), (4, 2), (90, 4))]
    behind_our_back(*moves)
    assert {(CHECKOUT, 2, "changed"), (CHECKOUT, 4, "changed")} <= set(found(session))


def test_an_event_moved_to_another_service_is_found(session, behind_our_back):
    behind_our_back(update(HistoryEvent).where(event(6)).values(entity_ref=CART, sequence=4))
    assert set(found(session)) >= {(CHECKOUT, 6, "truncated"), (CART, 4, "inserted"), (CART, 4, "changed")}


@pytest.mark.parametrize("column", ["details", "occurred_at"])
def test_a_row_that_cannot_even_be_read_is_found(session, behind_our_back, column):
    if session.get_bind().dialect.name != "sqlite":
        pytest.skip("PostgreSQL keeps only times and JSON in these columns")
    behind_our_back(text(f"UPDATE history_event SET {column} = 'gone' WHERE sequence = 3 AND source = 'argocd'"))
    assert found(session) == [(CHECKOUT, 3, "changed")]


def test_a_database_without_its_triggers_is_told(session):
    append_only.unprotect(session.connection())
    assert found(session) == [("", 0, "unprotected")]
    session.rollback()


def test_one_service_can_be_checked_alone(session, behind_our_back):
    behind_our_back(update(HistoryEvent).where(event(3)).values(summary="nothing happened"))
    assert found(session, ref=CART) == []
    assert found(session, ref=CHECKOUT) == [(CHECKOUT, 3, "changed")]


@pytest.mark.parametrize("size", [1, 2, 4, 9])
def test_a_check_in_parts_finds_what_a_whole_one_finds(session, behind_our_back, size):
    behind_our_back(update(HistoryEvent).where(event(3)).values(summary="nothing happened"))
    place, faults, events = None, [], 0
    while True:
        report = verify(session, after=place, at_most=size)
        faults += report.faults
        events += report.events
        if report.last is None:
            break
        place = place_after(session, report.last.entity_ref, report.last.sequence)
    assert ([(fault.sequence, fault.kind.value) for fault in faults], events) == ([(3, "changed")], 9)


def test_many_faults_are_told_in_part(session, behind_our_back):
    history.record(session, [deploy(n) for n in range(100, 250)], NOW)
    session.commit()
    behind_our_back(update(HistoryEvent).values(summary="nothing happened"))
    report = verify(session)
    assert (len(report.faults), report.more_faults) == (100, True)


def test_batches_of_a_long_history_follow_each_other(session, monkeypatch):
    monkeypatch.setattr("engagements.chain.verification.BATCH", 4)
    report = verify(session)
    assert (report.faults, report.events) == ([], 9)


def test_writers_at_the_same_time_leave_whole_chains(app, session):
    run_at_once(
        app,
        [
            [
                [deploy(f"{thread}-{part}-{n}", ref=(CHECKOUT, CART)[n % 2], minutes=n) for n in range(6)]
                for part in range(4)
            ]
            for thread in range(3)
        ],
    )
    session.rollback()
    report = verify(session)
    assert (report.faults, report.events) == ([], 9 + 72)


def test_a_savepoint_that_was_taken_back_leaves_a_whole_chain(session):
    with session.begin_nested() as nested:
        history.record(session, [deploy(70)], NOW)
        nested.rollback()
    history.record(session, [deploy(71)], NOW)
    assert found(session) == []


def test_events_recorded_before_there_was_a_chain_get_one(session, behind_our_back, monkeypatch):
    monkeypatch.setattr("engagements.chain.chaining.BATCH", 4)
    before = anchors(session)
    history.lock(session, ["component:default/idle"])
    behind_our_back(update(HistoryEvent).values(hash=""), update(HistoryHead).values(last_hash=""))
    assert found(session) != []
    append_only.unprotect(session.connection())
    assert chain_existing(session.connection()) == 9
    assert chain_existing(session.connection()) == 9
    append_only.protect(session.connection())
    assert (found(session), anchors(session)) == ([], before)


def test_the_number_of_statements_of_a_check_does_not_grow_with_services(session):
    counts = []
    for size in (1, 300):
        history.record(
            session, [deploy(f"{size}-{n}", ref=f"component:default/s{n}", minutes=n) for n in range(size)], NOW
        )
        statements = []

        def count(*args, into=statements):
            into.append(args[2])

        sqlalchemy_event.listen(session.get_bind(), "before_cursor_execute", count)
        assert verify(session).ok
        sqlalchemy_event.remove(session.get_bind(), "before_cursor_execute", count)
        counts.append(len(statements))
    assert counts[0] == counts[1]


json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcäé", max_size=3), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(st.text("abcäé", max_size=3), json, max_size=3))
def test_details_have_the_same_hash_before_they_are_stored_and_after(details):
    row = dict.fromkeys(("entity_ref", "kind", "actor", "source", "source_event_id", "summary", "link"), "x")
    row |= {"sequence": 1, "schema_version": 1, "simulated": False}
    row |= {"occurred_at": datetime(2026, 1, 1, 0, 0, 0, 5, UTC), "recorded_at": NOW}
    stored = orjson.loads(orjson.dumps(details))
    assert link(FIRST, {**row, "details": details}) == link(FIRST, {**row, "details": stored})


def test_what_json_writes_otherwise_than_it_was_given_still_has_its_hash(session):
    details = {"at": NOW, "kind": history.PORTAL, "some": (1, 2), "nothing": float("nan")}
    history.record(session, [deploy(80, details=details)], NOW)
    session.commit()
    assert session.scalar(select(func.count()).select_from(HistoryEvent)) == 10
    assert found(session) == []
