"""The fact store, on every database."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from plugins.contract import Fact
from scorecards.facts import forget, readings, store
from scorecards.models import EntityFacts, FactChange
from tests.scorecards.samples import DAY, MAX_AGE, NOW, SPECS

REF = "component:default/shakespeare"
OTHER = "component:default/quill"


def fact(value=4, key="runtime.replicas", age=timedelta(), ref=REF):
    return Fact(ref, key, value, NOW - age)


def keep(session, *facts, source="prometheus", now=NOW, whole=()):
    return store(session, source, facts, SPECS, now, whole)


def held(session, key="runtime.replicas", ref=REF):
    return [(one.source, one.value, one.observed_at) for one in readings(session, [ref])[ref].get(key, [])]


def history(session, ref=REF):
    query = (
        select(FactChange.key, FactChange.value)
        .where(FactChange.entity_ref == ref)
        .order_by(FactChange.observed_at, FactChange.key)
    )
    return [tuple(row) for row in session.execute(query)]


def test_a_new_value_is_kept_with_when_it_was_seen_and_enters_the_history(session):
    report = keep(session, fact(4, age=timedelta(minutes=1)))
    assert report.changed == {REF}
    assert held(session) == [("prometheus", 4, NOW - timedelta(minutes=1))]
    assert history(session) == [("runtime.replicas", 4)]


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("runtime.resources.set", True, True),
        ("runtime.replicas", 3, 3),
        ("runtime.cpu.p95_30d", 0.5, 0.5),
        ("runtime.cpu.p95_30d", 1, 1),
        ("slo.owner", "bards", "bards"),
        ("docs.design.updated_at", "2026-06-01T02:00:00+02:00", "2026-06-01T00:00:00Z"),
        ("slo.metrics", ["b", "a", "b"], ["a", "b"]),
    ],
)
def test_every_type_of_value_comes_back_as_it_was(session, key, value, kept):
    keep(session, fact(value, key))
    assert held(session, key)[0][1] == kept


def test_a_number_that_always_moves_leaves_a_row_a_day_and_its_last_value_is_not_lost(session):
    key, minute = "runtime.cpu.p95_30d", timedelta(minutes=1)
    for step, value in enumerate((0.50, 0.51, 0.52)):
        keep(session, fact(value, key, age=timedelta(days=2) - step * minute))
    assert history(session) == [(key, 0.50)]
    assert held(session, key)[0][1] == 0.52
    keep(session, fact(0.52, key, age=timedelta(hours=23)))
    assert history(session) == [(key, 0.50), (key, 0.52)]


def test_what_seldom_moves_is_recorded_at_every_change(session):
    for step, value in enumerate((3, 4, 3)):
        keep(session, fact(value, age=timedelta(minutes=10 - step)))
    assert [value for _, value in history(session)] == [3, 4, 3]


def test_repeating_a_batch_changes_nothing(session):
    keep(session, fact(4), fact(0.5, "runtime.cpu.p95_30d"))
    session.commit()
    before = session.execute(select(EntityFacts.document, EntityFacts.updated_at)).all()
    report = keep(session, fact(4), fact(0.5, "runtime.cpu.p95_30d"), now=NOW + DAY)
    assert report.changed == set()
    assert session.execute(select(EntityFacts.document, EntityFacts.updated_at)).all() == before
    assert len(history(session)) == 2


def test_the_same_value_seen_again_is_fresher_but_no_change(session):
    keep(session, fact(4, age=timedelta(hours=1)))
    report = keep(session, fact(4))
    assert report.changed == set()
    assert held(session) == [("prometheus", 4, NOW)]
    assert history(session) == [("runtime.replicas", 4)]


def test_the_same_value_seen_again_after_it_had_grown_stale_asks_for_a_new_judgement(session):
    keep(session, fact(4, age=MAX_AGE + timedelta(minutes=1)))
    assert keep(session, fact(4)).changed == {REF}
    assert len(history(session)) == 1


def test_true_and_one_are_different_values(session):
    specs = SPECS | {"x": SPECS["slo.metrics"]}
    store(session, "s", [Fact(REF, "x", ["1"], NOW)], specs, NOW)
    report = store(session, "s", [Fact(REF, "x", ["true"], NOW + timedelta(seconds=1))], specs, NOW + DAY)
    assert report.changed == {REF}


def test_an_older_observation_never_replaces_a_newer_one(session):
    keep(session, fact(4))
    report = keep(session, fact(2, age=timedelta(minutes=1)))
    assert report.changed == set()
    assert held(session) == [("prometheus", 4, NOW)]
    assert history(session) == [("runtime.replicas", 4)]


def test_within_a_batch_the_latest_observation_counts_whatever_its_place(session):
    keep(session, fact(4), fact(2, age=timedelta(minutes=1)))
    assert held(session) == [("prometheus", 4, NOW)]


def test_what_a_batch_lacks_stays(session):
    keep(session, fact(4), fact(0.5, "runtime.cpu.p95_30d"))
    keep(session, fact(5, age=-timedelta(minutes=1)), now=NOW + timedelta(minutes=1))
    assert held(session, "runtime.cpu.p95_30d") == [("prometheus", 0.5, NOW)]


def test_what_a_whole_observation_no_longer_says_is_withdrawn(session):
    keep(session, fact("T1", "catalog.criticality"), fact("a@b", "catalog.contact"), source="catalog")
    report = keep(session, fact("a@b", "catalog.contact"), source="catalog", whole={REF})
    assert report.changed == {REF}
    assert held(session, "catalog.criticality") == []
    assert len(held(session, "catalog.contact")) == 1
    assert keep(session, fact("a@b", "catalog.contact"), source="catalog", whole={REF}).changed == set()


def test_sources_keep_their_observations_apart(session):
    keep(session, fact(4), source="eu")
    keep(session, fact(2), source="us")
    assert sorted(held(session)) == [("eu", 4, NOW), ("us", 2, NOW)]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("runtime.replicas", True, "true or false, not a whole number"),
        ("runtime.replicas", 2.5, "not a whole number"),
        ("runtime.replicas", 2**70, "beyond 64 bits"),
        ("runtime.cpu.p95_30d", float("nan"), "not a finite number"),
        ("runtime.cpu.p95_30d", float("inf"), "not a finite number"),
        ("runtime.resources.set", 1, "not true or false"),
        ("slo.owner", None, "nothing, not text"),
        ("slo.owner", "\ud800", "not clean Unicode"),
        ("docs.design.updated_at", "2026-06-01T00:00:00", "RFC 3339"),
        ("docs.design.updated_at", "yesterday", "RFC 3339"),
        ("slo.metrics", "http_requests_total", "not a list of texts"),
        ("slo.metrics", [1], "not text"),
    ],
)
def test_a_value_of_the_wrong_type_is_reported_and_kept_as_such(session, key, value, words):
    report = keep(session, fact(value, key))
    (rejected,) = report.rejected
    assert words in rejected.fault
    assert report.changed == {REF}
    (reading,) = readings(session, [REF])[REF][key]
    assert (reading.value, reading.fault) == (None, rejected.fault)
    assert history(session) == []


def test_a_wrong_value_replaces_the_good_one_until_a_good_one_comes_again(session):
    keep(session, fact(4))
    keep(session, fact("four"), now=NOW)
    assert readings(session, [REF])[REF]["runtime.replicas"][0].fault
    assert keep(session, fact(4, age=-timedelta(minutes=1)), now=NOW + DAY).changed == {REF}
    assert held(session)[0][1] == 4


def test_a_fact_without_a_zone_from_the_future_or_that_nobody_declares_is_left_out(session):
    naive = Fact(REF, "runtime.replicas", 4, datetime(2026, 11, 22))  # noqa: DTZ001
    report = keep(session, naive, fact(4, age=-DAY), fact(4, "no.such.fact"))
    assert [rejected.fault.split(",")[0] for rejected in report.rejected] == [
        "was observed at a time without a UTC offset",
        "was observed in the future",
        "no connector declares a fact of this key",
    ]
    assert readings(session, [REF]) == {REF: {}}


def test_a_clock_that_is_a_little_ahead_counts_as_now(session):
    keep(session, fact(4, age=-timedelta(minutes=2)))
    assert held(session) == [("prometheus", 4, NOW)]


def test_a_thousand_services_are_stored_and_read_in_few_statements(session):
    facts = [fact(i, ref=f"component:default/s{i}") for i in range(1200)]
    assert len(keep(session, *facts).changed) == 1200
    assert session.scalar(select(func.count()).select_from(EntityFacts)) == 1200
    found = readings(session, [one.ref for one in facts])
    assert all(found[f"component:default/s{i}"]["runtime.replicas"][0].value == i for i in range(1200))


def test_forgetting_an_entity_leaves_the_others(session):
    keep(session, fact(4), fact(5, ref=OTHER))
    forget(session, [REF])
    assert readings(session, [REF, OTHER])[REF] == {}
    assert len(readings(session, [OTHER])[OTHER]) == 1
    assert history(session) == []


CPU = "runtime.cpu.p95_30d"
MINUTE = timedelta(minutes=1)


def stored(session):
    return session.execute(select(EntityFacts.document, EntityFacts.batch_observed_at)).one()


def again(session, *values, after=MINUTE, observed=None):
    """Store a batch of facts at a later time."""
    now = NOW + after
    batch = [Fact(REF, key, value, observed or now) for key, value in values]
    return store(session, "prometheus", batch, SPECS, now)


def test_a_batch_that_repeats_the_last_one_renews_its_times_and_leaves_the_document_alone(session):
    keep(session, fact(4), fact(0.5, CPU), fact("bards", "slo.owner"))
    document, _ = stored(session)
    report = again(session, (CPU, 0.5), ("slo.owner", "bards"), ("runtime.replicas", 4))
    assert (report.changed, report.rejected) == (set(), [])
    session.expire_all()
    assert stored(session) == (document, NOW + MINUTE)
    assert held(session) == [("prometheus", 4, NOW + MINUTE)]
    assert held(session, "slo.owner") == [("prometheus", "bards", NOW + MINUTE)]
    assert readings(session, [REF])[REF][CPU][0].collected_at == NOW + MINUTE
    assert len(history(session)) == 3


def test_what_a_repetition_does_not_hold_stays_as_old_as_it_was(session):
    keep(session, fact(4), fact("bards", "slo.owner"))
    again(session, ("runtime.replicas", 4))
    again(session, ("runtime.replicas", 4), after=2 * MINUTE)
    assert held(session) == [("prometheus", 4, NOW + 2 * MINUTE)]
    assert held(session, "slo.owner") == [("prometheus", "bards", NOW)]


def test_a_change_after_repetitions_is_a_change_and_the_others_keep_their_renewed_time(session):
    keep(session, fact(4), fact("bards", "slo.owner"))
    again(session, ("runtime.replicas", 4), ("slo.owner", "bards"))
    report = again(session, ("runtime.replicas", 5), after=2 * MINUTE)
    assert report.changed == {REF}
    assert held(session) == [("prometheus", 5, NOW + 2 * MINUTE)]
    assert held(session, "slo.owner") == [("prometheus", "bards", NOW + MINUTE)]


def test_an_older_repetition_changes_no_time(session):
    keep(session, fact(4))
    again(session, ("runtime.replicas", 4), observed=NOW - MINUTE)
    assert held(session) == [("prometheus", 4, NOW)]


def test_a_repetition_of_what_had_grown_stale_asks_for_a_judgement(session):
    keep(session, fact(4))
    assert again(session, ("runtime.replicas", 4), after=MAX_AGE + MINUTE).changed == {REF}


def test_a_repeated_rejection_is_told_each_time(session):
    keep(session, fact("four"))
    assert len(again(session, ("runtime.replicas", "four")).rejected) == 1
    assert len(again(session, ("no.such.fact", 1), after=2 * MINUTE).rejected) == 1


def test_a_number_that_moved_within_its_day_is_recorded_when_the_day_is_over_though_it_is_repeated(session):
    keep(session, fact(0.5, CPU))
    again(session, (CPU, 0.6))
    again(session, (CPU, 0.6), after=2 * MINUTE)
    assert [value for _, value in history(session)] == [0.5]
    again(session, (CPU, 0.6), after=DAY + 3 * MINUTE)
    assert [value for _, value in history(session)] == [0.5, 0.6]
    again(session, (CPU, 0.6), after=DAY + 4 * MINUTE)
    assert len(history(session)) == 2


@pytest.mark.parametrize(("first", "second"), [(1, True), (4, 4.0)])
def test_a_repetition_is_one_of_the_same_type_of_value(session, first, second):
    keep(session, fact(first))
    assert len(again(session, ("runtime.replicas", second)).rejected) == 1
    assert held(session) == [("prometheus", None, NOW + MINUTE)]


def test_two_batches_of_one_moment_do_not_renew_each_other(session):
    keep(session, fact(4))
    keep(session, fact("bards", "slo.owner"))
    again(session, ("slo.owner", "bards"))
    assert held(session) == [("prometheus", 4, NOW)]
    assert held(session, "slo.owner") == [("prometheus", "bards", NOW + MINUTE)]
