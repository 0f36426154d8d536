"""What the history of facts keeps: changes, then one value a day, then only what still held."""

from datetime import UTC, datetime, timedelta

import pytest
from marshmallow import ValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from scorecards import fact_history
from scorecards.fact_history import Change
from scorecards.models import FactChange
from scorecards.retention import SERVICES_PER_STEP, RetentionSettings, RetentionSettingsSchema, prune_step

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
POLICY = RetentionSettings(changes_days=90, daily_days=400)
REF = "component:default/checkout"


def record(
    session: Session, *ages: timedelta, ref: str = REF, key: str = "runtime.replicas", source: str = "k8s"
) -> None:
    """Values that came so long ago; each is its place in the order given."""
    for value, age in enumerate(ages):
        at = NOW - age
        fact_history.record(session, [Change(ref, source, key, value, at)])


def kept(session: Session, **where: str) -> list[int]:
    query = select(FactChange.value).filter_by(**where).order_by(FactChange.observed_at)
    return list(session.scalars(query))


def as_of(session: Session, at: datetime) -> int | None:
    newest = select(FactChange.value).where(FactChange.observed_at <= at)
    return session.scalars(newest.order_by(FactChange.observed_at.desc()).limit(1)).one_or_none()


def prune_all(session: Session, limit: int = 1000) -> int:
    """Prune step by step, `limit` values in each; return how many values went."""
    gone, last = 0, ""
    while True:
        step = prune_step(session, POLICY, NOW, last, limit)
        gone += step.gone
        if step.last is None:
            return gone
        last = step.last


def test_every_change_of_the_last_90_days_stays(session):
    record(session, *(hours * HOUR for hours in range(89 * 24, 0, -6)))
    assert prune_all(session) == 0


def test_before_that_the_last_value_of_each_day_stays(session):
    noon = 100 * DAY
    record(session, noon + 3 * HOUR, noon + 2 * HOUR, noon, noon - DAY)
    assert prune_all(session) == 2
    assert kept(session) == [2, 3]


def test_past_the_horizon_only_the_last_value_stays(session):
    record(session, 700 * DAY, 500 * DAY, 401 * DAY, 399 * DAY)
    assert prune_all(session) == 2
    assert kept(session) == [2, 3]


def test_a_value_that_never_changed_stays_however_old_it_is(session):
    record(session, 3000 * DAY)
    assert prune_all(session) == 0
    assert as_of(session, NOW - 400 * DAY) == 0


def test_readings_at_the_end_of_each_kept_day_are_the_same_before_and_after(session):
    record(session, *(hours * HOUR for hours in range(500 * 24, 0, -7)))
    midnights = [NOW.replace(hour=0) - number * DAY for number in range(399)]
    before = [as_of(session, at - timedelta(seconds=1)) for at in midnights]
    assert prune_all(session, limit=50) > 500
    assert [as_of(session, at - timedelta(seconds=1)) for at in midnights] == before


def test_facts_services_and_sources_do_not_stand_in_for_each_other(session):
    record(session, 600 * DAY)
    record(session, 500 * DAY, ref="component:default/search")
    record(session, 500 * DAY, key="runtime.zones")
    record(session, 500 * DAY, source="k8s-2")
    assert prune_all(session) == 0


def test_of_two_values_at_one_moment_the_later_arrived_stays(session):
    record(session, 500 * DAY, 500 * DAY)
    assert prune_all(session) == 0
    assert kept(session) == [1]


def test_the_day_is_that_of_utc_whatever_the_connection_says(session):
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.set_config("TimeZone", "Pacific/Auckland", False)))
    midnight = NOW.replace(hour=0) - 100 * DAY
    record(session, NOW - (midnight - HOUR), NOW - (midnight + HOUR))
    assert prune_all(session) == 0


def test_a_call_deletes_no_more_than_its_limit_and_the_next_goes_on(session):
    record(session, *((1000 - number) * DAY for number in range(101)))
    assert [prune_step(session, POLICY, NOW, limit=40).gone for _ in range(4)] == [40, 40, 20, 0]
    assert kept(session) == [100]


def test_a_call_that_is_rolled_back_changes_nothing(session):
    record(session, 900 * DAY, 800 * DAY)
    session.commit()
    assert prune_all(session) == 1
    session.rollback()
    assert kept(session) == [0, 1]
    assert prune_all(session) == 1


def test_steps_go_from_service_to_service_until_none_is_left(session):
    refs = [f"component:default/s-{number:03}" for number in range(SERVICES_PER_STEP + 5)]
    for ref in refs:
        record(session, 900 * DAY, 800 * DAY, ref=ref)
    first = prune_step(session, POLICY, NOW)
    assert (first.gone, first.last) == (SERVICES_PER_STEP, refs[SERVICES_PER_STEP - 1])
    cut = prune_step(session, POLICY, NOW, first.last, limit=2)
    assert (cut.gone, cut.last) == (2, first.last)
    last = prune_step(session, POLICY, NOW, cut.last)
    assert (last.gone, last.last) == (3, None)
    assert prune_all(session) == 0


def test_the_settings_are_checked():
    assert RetentionSettingsSchema().load({}) == POLICY
    assert RetentionSettingsSchema().load({"changes_days": 7}).changes_days == 7
    for wrong in ({"changes_days": 0}, {"daily_days": 10}, {"changes": 1}, {"daily_days": 10**9}):
        with pytest.raises(ValidationError):
            RetentionSettingsSchema().load(wrong)
