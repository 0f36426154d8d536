"""Lists of a long history go along an index: neither the table nor a whole history is read and sorted."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text, tuple_

from engagements import history
from engagements.history_reading import HistoryFilter, conditions, corrections_of
from engagements.incident_view.queries import selects
from engagements.incident_view.settings import IncidentSettings
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


@pytest.mark.parametrize("name", ["own", "theirs", "past", "mending", "postmortems"])
def test_each_query_of_the_incident_view_that_reads_events(plan_of, session, name):
    is_postgresql = session.get_bind().dialect.name == "postgresql"
    query = getattr(selects(is_postgresql, ["service"], IncidentSettings()), name)
    read = [line for line in plan_of(query.params(ref=CHECKOUT)) if "history_event" in line]
    assert read
    assert not any("SCAN history_event" in line or "Seq Scan on history_event" in line for line in read)
