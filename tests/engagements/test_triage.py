"""Triage of candidates, and what it is fed with from the database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event as sqlalchemy_event

from engagements import history, support
from engagements.history import NewEvent
from engagements.support import SupportRecord
from engagements.tiers import Tier
from engagements.triage.candidates import Frameworks, onboard_row
from engagements.triage.directions import Direction, direction_of
from engagements.triage.hand_back_terms import State
from engagements.triage.settings import TriageSettings
from engagements.triage.signals import Known, Record, Unknown
from engagements.triage_inputs import HAND_BACK_FACTS, ONBOARDING_FACTS, gather
from engagements.triage_lists.reading import read
from engagements.triage_lists.refresh import refresh
from portal_backend.core.errors import InvalidInput
from tests.engagements.conftest import MANAGER, component, ref
from tests.engagements.conftest import NOW as TODAY
from tests.engagements.test_onboarding import FACTS, readiness, service

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
SETTINGS = TriageSettings()


def row(evidence, *others):
    return onboard_row(evidence, Frameworks.of([evidence, *others]), SETTINGS, NOW)


def reason(evidence, rule):
    return next(reason for reason in row(evidence).reasons if reason.rule == rule)


@pytest.mark.parametrize(
    ("now", "launch", "half_year", "state"),
    [
        (100.0, 10.0, 90.0, State.MET),
        (100.0, 11.0, 50.0, State.MET),
        (100.0, 11.0, 51.0, State.NOT_MET),
        (100.0, None, 51.0, State.UNKNOWN),
        (100.0, None, 50.0, State.MET),
        (100.0, 10.0, None, State.MET),
        (None, 10.0, 10.0, State.UNKNOWN),
        (100.0, None, 0.0, State.UNKNOWN),
    ],
)
def test_r1_is_tenfold_since_launch_or_double_in_180_days(now, launch, half_year, state):
    facts = {"traffic.rps_now": now, "traffic.rps_at_launch": launch, "traffic.rps_180d_ago": half_year}
    assert reason(service(facts), "R1").state is state


@pytest.mark.parametrize(
    ("dependents", "before", "state"),
    [
        (("T2",) * 6, 1, State.MET),
        (("T2",) * 6, 2, State.NOT_MET),
        (("T2",) * 6, None, State.UNKNOWN),
        ((*("T2",) * 9, "T1"), 10, State.MET),
        ((*("T2",) * 9, "T1"), None, State.MET),
        (("T2",) * 10, 10, State.NOT_MET),
        ((*("T2",) * 8, "T0"), 9, State.NOT_MET),
        (("T0",) * 4, None, State.NOT_MET),
        (("T0",) * 5, None, State.UNKNOWN),
        ((), None, State.NOT_MET),
    ],
)
def test_r2_is_five_more_in_90_days_or_ten_with_an_important_one(dependents, before, state):
    earlier = {} if before is None else {NOW - timedelta(days=90): before}
    begins = NOW - timedelta(days=10 if before is None else 200)
    evidence = service(
        {"dependents.count": len(dependents)},
        dependents=dependents,
        records={"dependents.count": Record("catalog", begins, earlier=earlier)},
    )
    assert reason(evidence, "R2").state is state


def test_r2_says_how_many_can_be_new_where_the_record_is_short():
    few, enough = service(dependents=("T2",) * 4, records={}), service(dependents=("T2",) * 5, records={})
    assert "4 dependents, no T0 or T1 among them (in 90 days: at most 4)" in reason(few, "R2").sentence
    assert "never recorded" not in reason(few, "R2").sentence
    assert "in 90 days: unknown" in reason(enough, "R2").sentence
    assert "never recorded" in reason(enough, "R2").sentence


QUIET = {
    "traffic.rps_now": 10.0, "traffic.rps_at_launch": 10.0, "traffic.rps_180d_ago": 10.0, "dependents.count": 6,
    "slo.availability.budget_left": 1.0, "incidents.sev12_90d": 0, "alerts.paging.per_shift_30d": 0.0,
    "incidents.repeated_causes_90d": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "change", "verdict", "act"),
    [
        ({}, {}, "candidate", "Talk with group:default/bards"),
        ({}, {"readiness": readiness(failing=["er.runbook"])}, "candidate", "failing blockers: er.runbook"),
        ({}, {"owner": None}, "barred", "Name its owning team"),
        ({}, {"criticality": "T3"}, "barred", "Leave it in documentation"),
        ({"slo.availability.target": 0.95}, {}, "barred", "0.95"),
        (QUIET, {"dependents": ("T2",)}, "stay", "look again"),
        (
            dict.fromkeys(FACTS),
            {"dependents": (), "records": {}},
            "undecided",
            "Find out",
        ),
    ],
)
def test_a_verdict_comes_with_the_next_act(facts, change, verdict, act):
    found = row(service(facts, **change))
    assert (found.verdict, act in found.next_act) == (verdict, True), found.next_act


def test_what_is_missing_most_weighs_most_also_where_nothing_is_wholly_unknown():
    settings = TriageSettings(weights={"criticality": 1, "dependents": 2, "contribution": 10})
    evidence = service(QUIET, readiness=readiness(percent=1.0, coverage=5.0), records={}, dependents=())
    found = onboard_row(evidence, Frameworks.of([evidence]), settings, NOW)
    assert (found.verdict, {term.known for term in found.terms}) == ("undecided", {1.0, 0.05})
    assert "what is missing most: What SRE can add" in found.next_act


def test_supported_and_ending_services_are_no_candidates():
    tiers = [service(tier=tier, ref=tier.value) for tier in Tier]
    ending = [service(lifecycle=word, ref=word) for word in ("deprecation", "abandoned", "unsupported", "limited")]
    found = [each.ref for each in (*tiers, *ending) if direction_of(each) is Direction.ONBOARD]
    assert sorted(found) == ["consultation", "documentation", "limited"]


def test_only_what_sre_runs_may_be_handed_back():
    assert [tier for tier in Tier if direction_of(service(tier=tier)) is Direction.HAND_BACK] == [Tier.FULL_SRE]


def test_equal_values_are_ordered_by_reference_below_higher_ones(session, judging, catalog_of):
    catalog_of(*(component(name) for name in "dbca"), component("z", annotations={"criticality": "T0"}))
    refresh(session, judging, None, NOW)
    found = read(session, NOW, direction=Direction.ONBOARD)[Direction.ONBOARD].items
    assert [each["ref"][-1] for each in found] == ["z", "a", "b", "c", "d"]


def test_the_cost_follows_the_book():
    simple = row(service()).cost
    assert (simple.model, simple.sre_quarters, simple.stack) == ("simple_prr", (4, 9), "unknown")
    on_platform = service(ref="p", tier=Tier.PLATFORM, framework="stage")
    framed = row(service(framework="stage"), on_platform).cost
    assert (framed.model, framed.sre_quarters, framed.stack) == ("framework", (1, 1), "known")
    assert row(service(framework="own"), on_platform).cost.stack == "new"
    assert row(service(lifecycle="design")).cost.model == "early"
    assert row(service({"alerts.paging.per_shift_30d": None})).cost.pages_per_shift is None


# From here on with the database.

SEEN = {
    "traffic.rps_now": 300.0, "traffic.rps_180d_ago": 100.0, "traffic.peak_rps_30d": 400.0,
    "slo.availability.target": 0.999, "slo.availability.actual_28d": 0.9995, "slo.availability.budget_left": 0.5,
    "alerts.paging.count_30d": 60, "runtime.zones": 3,
}  # fmt: skip


@pytest.fixture
def company(catalog_of, observe, observe_catalog, session):
    catalog_of(
        component(
            "globe",
            annotations={"criticality": "T1", "business-value": "8", "oncall-coverage": "24x7", "framework": "stage"},
            dependsOn=["component:rose"],
        ),
        component("rose", annotations={"criticality": "T0", "business-value": "eleven"}, owner="players"),
        component("folio", annotations={"criticality": "T2"}),
        component("swan", lifecycle="deprecated"),
        component("site", kind="website", annotations={"criticality": "T0"}, dependsOn=["component:globe"]),
    )
    observe_catalog()
    observe({"globe": SEEN})
    evidence = {"prr_completed_at": "2026-01-01T00:00:00Z"}
    support.adopt(
        session,
        [SupportRecord(ref("folio"), Tier.FULL_SRE, NOW, "mia", "simple_prr", "active", 100.0, evidence)],
        MANAGER,
        NOW,
    )
    session.commit()


def gathered(session, judging, now=NOW):
    return {evidence.name: evidence for evidence in gather(session, judging, SETTINGS, now)}


def test_the_evidence_joins_catalog_facts_scorecards_and_support(company, session, judging, scored):
    scored({"globe": {"level": "L1", "change_level": "L1", "change_percent": 40.0, "change_coverage": 90.0,
                      "statuses": {"er.runbook": ["fail", 1], "obs.burn_alert": ["unknown", 1],
                                   "arch.owner": ["pass", 1], "er.page_load": ["fail", 1]}}})  # fmt: skip
    found = gathered(session, judging)
    assert sorted(found) == ["folio", "globe", "rose", "swan"]
    globe = found["globe"]
    assert (globe.criticality, globe.lifecycle, globe.owner, globe.framework) == (
        "T1",
        "ga",
        "group:default/bards",
        "stage",
    )
    assert globe.business_value == Known(8.0, "catalog", NOW)
    assert globe.dependents == ("T0",)  # a website counts, though it is no service
    assert globe.signal("alerts.paging.per_shift_30d").value == 1.0
    assert globe.signal("traffic.rps_now") == Known(300.0, "prometheus", NOW - timedelta(minutes=5), simulated=True)
    assert (globe.readiness.failing_blockers, globe.readiness.unknown_blockers) == (
        ("er.runbook",),
        ("obs.burn_alert",),
    )
    assert globe.readiness.axes["change"].coverage == 90.0
    assert isinstance(found["rose"].business_value, Unknown)
    assert "eleven" in found["rose"].business_value.cause
    assert (found["folio"].tier, found["folio"].usage_forecast_rps) == (Tier.FULL_SRE, 100.0)
    assert found["rose"].dependents == ("T1",)


def test_a_fact_that_nobody_supplies_says_so(company, session, judging):
    users = gathered(session, judging)["globe"].signal("users.active_30d")
    assert "users.active_30d (people who used it within 30 days)" in users.cause
    assert "Have a product analytics system push users.active_30d" in users.cause
    rose = gathered(session, judging)["rose"].signal("traffic.rps_now")
    assert (
        "The source prometheus has not finished a run yet. Wait for its first run, or start it: `portal" in rose.cause
    )


def test_every_fact_that_triage_asks_for_is_declared_so_that_it_can_be_pushed(judging):
    assert {*ONBOARDING_FACTS, *HAND_BACK_FACTS} <= judging.specs.keys()


def test_a_stale_fact_is_unknown_with_its_age(company, session, judging):
    later = gathered(session, judging, NOW + timedelta(days=30))["globe"].signal("traffic.rps_now")
    assert isinstance(later, Unknown)
    assert "2026-11-22" in later.cause


def test_the_history_of_facts_gives_lowest_highest_and_earlier_values(company, session, judging, observe):
    start = NOW - timedelta(days=200)
    for days, value in ((0, 5.0), (30, 80.0), (60, 7.5), (150, 6.0)):
        then = start + timedelta(days=days)
        observe({"folio": {"traffic.peak_rps_30d": value, "slo.availability.budget_left": value / 10}}, now=then)
    record = gathered(session, judging)["folio"].records["traffic.peak_rps_30d"]
    assert (record.lowest, record.highest) == (5.0, 80.0)  # 5 still held when the two quarters began
    assert record.begins_at == start - timedelta(minutes=5)
    budget = gathered(session, judging)["folio"].records["slo.availability.budget_left"]
    assert budget.earlier[NOW - timedelta(days=28)] == 0.6
    assert budget.earlier[NOW - timedelta(days=56)] == 0.75


def test_new_dependents_are_counted_from_the_record(company, session, judging, observe_catalog):
    assert isinstance(gathered(session, judging)["globe"].records["dependents.count"], Record)
    later = NOW + timedelta(days=91)
    observe_catalog(now=later)
    record = gathered(session, judging, later)["globe"].records["dependents.count"]
    assert record.earlier[later - timedelta(days=90)] == 1


def test_a_changed_criticality_is_on_record(company, session, judging, catalog_of, observe_catalog):
    later = NOW + timedelta(days=3)
    observe_catalog()
    from plugins.contract import Fact
    from scorecards import facts as fact_store

    fact_store.store(session, "catalog", [Fact(ref("folio"), "catalog.criticality", "T3", later)], judging.specs, later)
    record = gathered(session, judging, later)["folio"].records["catalog.criticality"]
    assert (record.lowest, record.highest) == ("T2", "T3")


def test_the_pager_and_the_plan_are_seen_in_the_history(company, session, judging):
    event = NewEvent(ref("folio"), "pager.returned", NOW - timedelta(days=3), "portal", "p1", "Pager returned")
    history.record(session, [event], NOW)
    assert gathered(session, judging)["folio"].last_events == {"pager.returned": NOW - timedelta(days=3)}


def test_the_number_of_queries_does_not_grow_with_the_services(session, judging, catalog_of, observe_catalog):
    counts = []
    for size in (2, 60):
        catalog_of(*(component(f"s{n}", dependsOn=[f"component:s{n + 1}"]) for n in range(size)))
        observe_catalog()
        statements = []

        def count(*args, into=statements):
            into.append(args[2])

        engine = session.get_bind()
        sqlalchemy_event.listen(engine, "before_cursor_execute", count)
        assert len(gather(session, judging, SETTINGS, TODAY)) == size
        sqlalchemy_event.remove(engine, "before_cursor_execute", count)
        counts.append(len(statements))
    assert counts[0] == counts[1]


def test_both_lists_or_one_are_read(company, session, judging):
    refresh(session, judging, None, NOW)
    both = read(session, NOW)
    names = {direction: [each["ref"].rpartition("/")[2] for each in page.items] for direction, page in both.items()}
    assert names == {Direction.ONBOARD: ["globe", "rose"], Direction.HAND_BACK: ["folio"]}
    assert list(read(session, NOW, direction=Direction.HAND_BACK)) == [Direction.HAND_BACK]


def test_a_cursor_without_or_of_another_direction_is_refused(company, session, judging):
    refresh(session, judging, None, NOW)
    cursor = read(session, NOW, direction=Direction.ONBOARD, limit=1)[Direction.ONBOARD].next_cursor
    for direction in (None, Direction.HAND_BACK):
        with pytest.raises(InvalidInput):
            read(session, NOW, direction=direction, cursor=cursor)


def test_a_row_never_rests_on_what_another_service_has():
    alone, together = row(service()), row(service(), replace(service(), ref="component:default/other"))
    assert (alone.value, alone.terms) == (together.value, together.terms)
