"""Connectors that fail, block or bring what they may not: the run says so, and what it brought before is kept."""

import threading
import time
from dataclasses import replace

from sqlalchemy import select

from engagements import history
from plugins import sources
from plugins.contract import Batch, Connector, Event, FailureKind, PullFailed
from plugins.health import health
from plugins.http_client import Limits
from plugins.models import SourceRun
from portal_backend import pipeline
from portal_backend.core import clock
from portal_backend.core.db import reading, transaction
from portal_backend.pipeline import Outcome
from tests.pipeline.conftest import REF, verdicts


class Misbehaving(Connector):
    """A connector that does what a test tells it."""

    name = "openslo"
    title = "Misbehaving"

    def __init__(self, behaviour):
        self.behaviour = behaviour

    def check(self, context):
        return "ok"

    def pull(self, context):
        return self.behaviour(context)


def use(monkeypatch, behaviour):
    monkeypatch.setattr("plugins.registry.connector", lambda _name: Misbehaving(behaviour))


def test_a_run_that_was_taken_over_stores_nothing_more(portal, monkeypatch):
    pipeline.refresh("catalog")

    def slow(_context):
        with transaction() as session:
            session.execute(sources.Source.__table__.update().values(lease_token="somebody-else"))
        yield Batch(cursor="late")

    use(monkeypatch, slow)
    assert pipeline.refresh("slo").outcome is Outcome.SUPERSEDED
    with reading() as session:
        assert session.get(sources.Source, "slo").cursor is None


def test_a_run_that_has_brought_nothing_yet_shows_what_it_asks(portal, monkeypatch):
    pipeline.refresh("catalog")
    shown = []

    def failing_late(context):
        context.client.requests_made = 7
        for _ in range(100):
            with reading() as session:
                shown.append(session.scalars(select(SourceRun).where(SourceRun.source == "slo")).one())
            if shown[-1].requests:
                raise PullFailed(FailureKind.TIMEOUT, "it was silent for 60 s")
            time.sleep(0.05)
        yield Batch()

    use(monkeypatch, failing_late)
    monkeypatch.setattr(pipeline, "BEATS_A_LEASE", 300)
    assert pipeline.refresh("slo").outcome is Outcome.FAILED
    assert (shown[-1].state, shown[-1].requests, shown[-1].targets) == ("running", 7, 2)
    with reading() as session:
        ended = session.scalars(select(SourceRun).where(SourceRun.source == "slo")).one()
    assert (ended.state, ended.requests, ended.failure_kind) == ("failed", 7, "timeout")


def test_a_fault_of_ours_ends_the_run_and_is_told(portal, monkeypatch):
    pipeline.refresh("catalog")
    monkeypatch.setattr("scorecards.facts.store", lambda *_: 1 / 0)
    report = pipeline.refresh("slo")
    assert report.outcome is Outcome.FAILED
    with reading() as session:
        told = health(session, clock.now())["slo"]
    assert (told.state, told.failure_kind) == ("failing", "internal")


def test_a_connector_that_raises_is_a_failed_pull(portal, monkeypatch):
    pipeline.refresh("catalog")
    use(monkeypatch, lambda _context: iter([1 / 0]))
    report = pipeline.refresh("slo")
    assert isinstance(report.failure, PullFailed)
    waiting = verdicts()
    assert waiting["obs.slo.defined"] == "unknown"


def test_a_connector_that_yields_no_batch_is_told_from_a_fault_of_ours(portal, monkeypatch):
    pipeline.refresh("catalog")
    use(monkeypatch, lambda _context: ["a fact"])
    failure = pipeline.refresh("slo").failure
    assert (failure.kind, "yielded a str, and no Batch" in failure.message) == (FailureKind.BAD_ANSWER, True)


def test_a_connector_that_blocks_outside_its_client_costs_neither_the_lease_nor_the_worker(portal, monkeypatch):
    pipeline.refresh("catalog")
    released = threading.Event()

    def blocking(_context):
        yield Batch(cursor="so far")
        released.wait(60)

    use(monkeypatch, blocking)
    monkeypatch.setattr(pipeline, "_limits", lambda _config: Limits(total_seconds=0.2))
    monkeypatch.setattr(pipeline, "OWN_WORK_SECONDS", 0.2)
    try:
        report = pipeline.refresh("slo")
        again = pipeline.refresh("slo")
        with reading() as session:
            told = health(session, clock.now())["slo"]
            source = session.get(sources.Source, "slo")
    finally:
        released.set()
    assert (report.outcome, report.failure.kind) == (Outcome.FAILED, FailureKind.TIMEOUT)
    assert (source.lease_token, source.cursor) == (None, "so far")
    assert (told.state, told.consecutive_failures) == ("failing", 2)
    assert "is not started again" in again.failure.message


def test_what_a_simulated_source_reports_is_labelled_in_the_history(portal, monkeypatch):
    pipeline.refresh("catalog")
    deploy = Event(REF, "1", "deploy.finished", clock.now(), "Deployed 1")
    use(monkeypatch, lambda _context: iter([Batch(events=[deploy])]))
    config = pipeline.settings.current().config
    simulated = replace(config.sources[0], simulated=True)
    monkeypatch.setattr("portal_backend.pipeline.configured_sources", lambda _config: [simulated])
    pipeline.refresh("slo")
    with reading() as session:
        told = {event.kind: event.simulated for event in history.read(session, REF).items}
    assert told["deploy.finished"] is True
    assert told["service.registered"] is False


def test_an_event_of_an_unknown_kind_is_a_fault_and_costs_nothing_else(portal, monkeypatch):
    pipeline.refresh("catalog")
    events = [Event(REF, str(i), kind, clock.now(), "x") for i, kind in enumerate(("deploy.finished", "tea.brewed"))]
    use(monkeypatch, lambda _context: iter([Batch(events=events)]))
    report = pipeline.refresh("slo")
    assert (report.outcome, report.recorded) == (Outcome.DONE, 1)
    assert "tea.brewed" in report.progress.fault_sample[0].scope
