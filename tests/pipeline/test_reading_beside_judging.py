"""Files are read while services are judged, and what is due is judged once, by whoever comes first."""

import threading

import pytest
from sqlalchemy import func, select, update

from catalog.models import Location
from plugins.models import Source
from portal_backend import catalog_refresh, judgement, pipeline
from portal_backend.core import clock
from portal_backend.core.db import reading, transaction
from portal_backend.pipeline import Outcome
from scorecards import scorecard
from scorecards.models import Scorecard
from tests.pipeline.conftest import CATALOG, REF

WAIT_SECONDS = 30


def judged() -> set[str]:
    with reading() as session:
        return set(session.scalars(select(Scorecard.entity_ref)))


class HeldUp:
    """Judging that stands still until it is let go, in a thread that pulls the catalog."""

    def __init__(self, portal, monkeypatch) -> None:
        self.under_way, self.released, self.calls = threading.Event(), threading.Event(), 0
        judge_in_batches = judgement.judge_in_batches

        def hold_up(*arguments, **more):
            self.calls += 1
            self.under_way.set()
            assert self.released.wait(WAIT_SECONDS)
            return judge_in_batches(*arguments, **more)

        def pull() -> None:
            with portal.app_context():
                pipeline.refresh("catalog")

        monkeypatch.setattr(judgement, "judge_in_batches", hold_up)
        self.thread = threading.Thread(target=pull)
        self.thread.start()
        assert self.under_way.wait(WAIT_SECONDS)

    def let_go(self) -> None:
        self.released.set()
        self.thread.join(WAIT_SECONDS)


@pytest.fixture
def held_up(portal, monkeypatch):
    held = HeldUp(portal, monkeypatch)
    yield held
    held.let_go()


def test_the_catalog_is_read_while_another_thread_judges_which_judges_the_new_service_too(held_up, tmp_path):
    (tmp_path / "catalog.yaml").write_text(CATALOG.replace("name: basket", "name: wish-list"))
    report = pipeline.refresh("catalog")
    assert (report.outcome, report.levels) == (Outcome.DONE, [])
    assert judged() == set()
    held_up.let_go()
    assert held_up.calls == 2  # it looked again, since somebody had asked
    assert judged() == {REF, "component:default/wish-list"}


def test_a_service_that_another_process_has_judged_meanwhile_is_not_judged_again(held_up):
    with transaction() as session:
        judgement.judge(session, {REF}, clock.now())
        before = session.scalar(select(func.max(Scorecard.evaluated_at)))
    held_up.let_go()
    with reading() as session:
        evaluated = dict(session.execute(select(Scorecard.entity_ref, Scorecard.evaluated_at)).all())
    assert evaluated[REF] == before < evaluated["component:default/basket"]


def test_what_is_expired_is_judged_although_it_was_judged_a_moment_before(held_up):
    with transaction() as session:
        judgement.judge(session, {REF}, clock.now())
        before = session.scalar(select(Scorecard.evaluated_at))
        scorecard.expire(session, {REF}, clock.now())
    held_up.let_go()
    with reading() as session:
        assert session.get(Scorecard, REF).evaluated_at > before


def test_a_service_whose_facts_are_not_stored_yet_is_not_judged_before(portal, monkeypatch):
    reports = catalog_refresh.read_locations(lambda _: None)
    assert judgement.rejudge_due() == []
    assert judged() == set()
    catalog_refresh.follow(reports)
    assert judged() == {REF, "component:default/basket"}


def test_a_location_that_a_killed_run_had_claimed_is_read_as_soon_as_its_lease_ends(portal, tmp_path):
    pipeline.refresh("catalog")
    with transaction() as session:  # as a process leaves it that is killed while it reads
        session.execute(update(Location).values(due_at=clock.now() + catalog_refresh.CLAIM))
        session.execute(
            update(Source)
            .where(Source.name == "catalog")
            .values(cursor=catalog_refresh.READING, lease_until=clock.now())
        )
    (tmp_path / "catalog.yaml").write_text(CATALOG.replace("name: basket", "name: wish-list"))
    assert "catalog" in pipeline.due()
    pipeline.refresh("catalog", only_due=True)
    assert judged() == {REF, "component:default/wish-list"}
    assert "catalog" not in pipeline.due()
