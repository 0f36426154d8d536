"""The pipeline on real databases: what is pulled is stored, judged and recorded once, whatever happens on the way."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import delete, select

from catalog.entities import get_entity
from catalog.locations import register_location
from catalog.models import Entity, Location, LocationFile
from catalog.registering.removal import remove_entity
from plugins import sources
from portal_backend import catalog_refresh, judgement, pipeline, pruning
from portal_backend.core import clock
from portal_backend.core.db import reading, transaction
from portal_backend.pipeline import Outcome
from scorecards import fact_history
from scorecards.fact_history import Change
from scorecards.models import Scorecard
from tests.pipeline.conftest import CATALOG, REF, SLO, kinds, verdicts


def test_one_line_from_files_to_verdicts_and_history(portal):
    assert pipeline.refresh("catalog").outcome is Outcome.DONE
    assert "service.registered" in kinds()
    assert verdicts()["arch.owner"] == "pass"
    assert verdicts()["obs.slo.defined"] == "unknown"
    assert pipeline.refresh("slo").outcome is Outcome.DONE
    assert verdicts()["obs.slo.defined"] == "pass"


def test_the_other_sources_wait_until_the_catalog_was_read_and_then_come_at_once(portal):
    assert pipeline.due() == ["catalog"]
    pipeline.refresh("catalog")
    assert pipeline.due() == ["slo"]
    pipeline.refresh("slo")
    assert pipeline.due() == []


def test_a_new_service_is_asked_about_at_once(portal, tmp_path):
    pipeline.refresh("catalog")
    pipeline.refresh("slo")
    (tmp_path / "catalog.yaml").write_text(CATALOG.replace("name: basket", "name: basket-2") + "---" + CATALOG)
    pipeline.refresh("catalog")
    assert pipeline.due() == ["slo"]


def test_a_repeated_refresh_changes_nothing(portal):
    for name in ("catalog", "slo", "catalog", "slo"):
        pipeline.refresh(name)
    before = kinds()
    for name in ("catalog", "slo"):
        report = pipeline.refresh(name)
        assert (report.recorded, report.levels) == (0, [])
    assert kinds() == before


def test_what_changes_in_the_catalog_enters_the_history(portal, tmp_path):
    pipeline.refresh("catalog")
    changed = CATALOG.replace("criticality: T1", "criticality: T0").replace("owner: shop}", "owner: other}")
    (tmp_path / "catalog.yaml").write_text(changed)
    pipeline.refresh("catalog")
    assert {"service.criticality_changed", "service.owner_changed"} <= set(kinds())
    assert verdicts()["arch.owner"] == "fail"


def test_a_service_that_leaves_keeps_its_history_and_loses_its_scorecard(portal, tmp_path, client):
    pipeline.refresh("catalog")
    (tmp_path / "catalog.yaml").write_text(CATALOG[: CATALOG.rindex("---")])
    pipeline.refresh("catalog")
    assert kinds("component:default/basket")[0] == "service.removed"
    assert client.get("/api/services/component/default/basket/scorecard").status_code == 404


def test_an_unreadable_catalog_keeps_everything_and_says_why(portal, tmp_path):
    pipeline.refresh("catalog")
    (tmp_path / "catalog.yaml").unlink()
    report = pipeline.refresh("catalog")
    assert report.progress.faults == 1
    assert verdicts()["arch.owner"] == "pass"


def test_a_run_that_died_between_reading_and_following_is_made_up_for(portal, monkeypatch):
    """Entities and facts are committed, the process dies before judging: the next run must not see 'unchanged'."""

    class Killed(BaseException):
        pass

    def die(_refs: object, **_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("portal_backend.judgement.judge_in_batches", die)
        with pytest.raises(Killed):
            pipeline.refresh("catalog")
    with transaction() as session:  # the lease of the dead runs out
        sources.sync_sources(session, [])
        session.execute(sources.Source.__table__.update().values(lease_token=None, lease_until=None))
    pipeline.prepare()
    assert pipeline.refresh("catalog").outcome is Outcome.DONE
    with reading() as session:
        assert session.get(Scorecard, REF) is not None


def test_of_two_refreshes_at_once_one_runs(portal):
    pipeline.refresh("catalog")
    outcomes = []
    barrier = threading.Barrier(2)

    def run():
        with portal.app_context():
            barrier.wait()
            outcomes.append(pipeline.refresh("slo").outcome)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert Outcome.DONE in outcomes
    assert set(outcomes) <= {Outcome.DONE, Outcome.BUSY}
    assert verdicts()["obs.slo.defined"] == "pass"


def stored(ref: str) -> dict[str, str]:
    with reading() as session:
        statuses = session.get(Scorecard, ref).statuses
    return {check: entry[0] for check, entry in statuses.items()}


def test_a_promise_that_is_lowered_is_judged_for_who_depends_on_it(portal, tmp_path):
    dependent = CATALOG.replace("owner: nobody", "owner: nobody, dependsOn: ['component:checkout']")
    (tmp_path / "catalog.yaml").write_text(dependent)
    both = SLO + "---" + SLO.replace("service: checkout", "service: basket").replace("name: checkout-", "name: basket-")
    (tmp_path / "slo.yaml").write_text(both)
    for name in ("catalog", "slo"):
        pipeline.refresh(name)
    assert stored("component:default/basket")["arch.deps_slo"] == "pass"
    (tmp_path / "slo.yaml").write_text(both.replace("0.999", "0.99", 1))
    pipeline.refresh("slo")
    assert stored("component:default/basket")["arch.deps_slo"] == "fail"


def test_a_source_that_went_dark_can_be_alerted_on(portal, tmp_path):
    for name in ("catalog", "slo"):
        pipeline.refresh(name)
    metrics = portal.test_client().get("/metrics").text
    assert 'portal_source_up{source="slo"} 1.0' in metrics
    assert 'portal_source_last_success_timestamp_seconds{source="slo"}' in metrics
    (tmp_path / "slo.yaml").unlink()
    pipeline.refresh("slo")
    assert 'portal_source_up{source="slo"} 0.0' in portal.test_client().get("/metrics").text


def test_judging_everything_again_moves_nothing(portal):
    for name in ("catalog", "slo"):
        pipeline.refresh(name)
    assert judgement.judge_all() == []
    assert judgement.rejudge_due() == []


def test_pruning_goes_through_every_service_and_keeps_what_the_policy_keeps(portal):
    pipeline.refresh("catalog")
    pipeline.refresh("slo")
    assert pruning.prune_facts() == 0
    with transaction() as session:
        long_ago = clock.now() - timedelta(days=1000)
        steps = [(days, long_ago + timedelta(days=days)) for days in range(5)]
        fact_history.record(session, [Change(REF, "slo", "slo.count", days, at) for days, at in steps])
    assert pruning.prune_facts() == 4  # the last before the horizon stays
    assert pruning.prune_facts() == 0


def test_the_worker_reads_a_location_when_its_time_has_come_and_at_once_when_somebody_waits(portal, tmp_path):
    pipeline.refresh("catalog")
    pipeline.refresh("slo")
    more = tmp_path / "more.yaml"
    more.write_text(CATALOG.replace("name: basket", "name: wish-list").replace("name: checkout", "name: gifts"))
    with transaction() as session:
        register_location(session, "file", str(more), clock.now())
    assert pipeline.due() == ["catalog"]
    report = pipeline.refresh("catalog", only_due=True)
    assert (report.outcome, report.progress.requests) == (Outcome.DONE, 1)
    assert kinds("component:default/gifts")[-1] == "service.registered"
    assert "catalog" not in pipeline.due()


def test_a_service_that_a_person_takes_away_leaves_with_the_next_run(portal):
    pipeline.refresh("catalog")
    with transaction() as session:
        uid = get_entity(session, "component:default/basket")["metadata"]["uid"]
        remove_entity(session, uid, "ann", clock.now())
        session.execute(delete(LocationFile))
        location = session.scalars(select(Location)).one()
        location.due_at = clock.now() + timedelta(days=1)
    pipeline.refresh("catalog", only_due=True)
    assert "service.removed" in kinds("component:default/basket")


def test_a_location_that_is_taken_away_while_it_is_read_leaves_nothing_behind(portal, monkeypatch):
    look = catalog_refresh.read

    def look_while_it_goes(ingestion, *more):
        look(ingestion, *more)
        with transaction() as session:
            session.delete(session.get_one(Location, ingestion.location_id))

    monkeypatch.setattr(catalog_refresh, "read", look_while_it_goes)
    assert pipeline.refresh("catalog").outcome is Outcome.DONE
    with reading() as session:
        assert session.scalars(select(Entity)).all() == []
