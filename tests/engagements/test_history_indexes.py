"""Lists of a long history go along an index: neither the table nor a whole history is read and sorted."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text, tuple_

from engagements import history
from engagements.history_reading import HistoryFilter, conditions, corrections_of
from engagements.incident_view.newest import _of_patterns, _statement
from engagements.models import HistoryEvent
from tests.engagements.test_history import CART, CHECKOUT, NOW, deploy

PLACE = (HistoryEvent.occurred_at, HistoryEvent.sequence)


@pytest.fixture
def plan_of(session):
    """Return how the database would run a query, given that it may choose."""
    for ref in (CHECKOUT, CART):
        events = [
            deploy(f"{ref}{n}", minutes=n, ref=ref, kind=kind, source=kind, details={"alert": f"A{n % 7}"})
            for kind in ("deploy.finished", "alert.fired")
            for n in range(300)
        ]
        history.record(session, events, NOW)
    session.commit()

    def explain(query):
        statement = str(query.compile(session.get_bind(), compile_kwargs={"literal_binds": True}))
        if session.get_bind().dialect.name == "sqlite":
            return [row.detail for row in session.execute(text(f"EXPLAIN QUERY PLAN {statement}"))]
        for setting in ("enable_seqscan", "enable_sort", "enable_bitmapscan"):
            session.execute(text(f"SET LOCAL {setting} = off"))
        session.execute(text("ANALYZE history_event"))
        return [row[0] for row in session.execute(text(f"EXPLAIN {statement}"))]

    return explain


def slow_steps(plan):
    slow = ("SCAN history_event", "TEMP B-TREE", "Seq Scan on history_event", "Sort ")
    return [line for line in plan if any(word in line for word in slow)]


@pytest.mark.parametrize(
    "wanted",
    [
        HistoryFilter(),
        HistoryFilter(kinds=["deploy.finished"]),
        HistoryFilter(since=NOW - timedelta(minutes=90), until=NOW),
        HistoryFilter(kinds=["alert.fired"], at=NOW),
    ],
    ids=["all", "of one kind", "of a time", "of one kind up to a moment"],
)
def test_a_page_of_a_history(plan_of, wanted):
    query = select(HistoryEvent.summary).where(HistoryEvent.entity_ref == CHECKOUT, *conditions(wanted))
    query = query.where(tuple_(*PLACE) < tuple_(NOW - timedelta(minutes=5), 7))
    assert slow_steps(plan_of(query.order_by(*(column.desc() for column in PLACE)).limit(51))) == []


def test_the_corrections_of_a_page(plan_of, session):
    plan = plan_of(corrections_of(CHECKOUT))
    assert slow_steps(plan) == []
    assert "kind" in " ".join(plan), plan


def test_the_newest_events_of_some_kinds_of_several_services(plan_of, session):
    has_lateral = session.get_bind().dialect.name == "postgresql"
    query = _statement(has_lateral, ("deploy.finished", "alert.fired"), 10).params(refs=[CHECKOUT, CART])
    assert slow_steps(plan_of(query)) == []


def test_the_newest_events_of_some_patterns(plan_of, session):
    has_lateral = session.get_bind().dialect.name == "postgresql"
    query = _of_patterns(has_lateral, 2, ("alert.fired",), 10).params(pattern_0="A1", pattern_1="A2")
    assert slow_steps(plan_of(query)) == []
