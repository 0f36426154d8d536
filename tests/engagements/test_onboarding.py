"""The onboarding value: its arithmetic, and what it must never do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagements.tiers import Tier
from engagements.triage.candidates import Frameworks, onboard_row
from engagements.triage.onboarding import LABELS, confidence_of, onboarding_terms, value_of
from engagements.triage.settings import TriageSettings
from engagements.triage.signals import AxisReadiness, Evidence, Known, Readiness, Record, Unknown

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
OBSERVED = NOW - timedelta(minutes=5)
SETTINGS = TriageSettings()
AXES = ("architecture", "observability", "emergency", "capacity", "change", "performance")


def known(value, source="prometheus"):
    return Known(value, source, OBSERVED)


def readiness(percent=100.0, coverage=100.0, failing=(), unknown=(), level="L2"):
    axes = {axis: AxisReadiness("L2", percent, coverage) for axis in AXES}
    return Readiness(level, axes, tuple(failing), tuple(unknown), OBSERVED)


FACTS = {
    "users.active_30d": 1000.0,
    "traffic.rps_now": 100.0,
    "traffic.rps_at_launch": 20.0,
    "traffic.rps_180d_ago": 50.0,
    "dependents.count": 8,
    "slo.availability.budget_left": 0.25,
    "slo.availability.target": 0.999,
    "incidents.sev12_90d": 1,
    "alerts.paging.per_shift_30d": 1.0,
    "incidents.repeated_causes_90d": 1,
    "deps.count": 3,
    "runtime.zones": 2,
    "traffic.peak_rps_30d": 10.0,
}


def service(facts=None, **more):
    values = {**FACTS, **(facts or {})}
    base = Evidence(
        ref="component:default/globe",
        name="globe",
        owner="group:default/bards",
        criticality="T1",
        lifecycle="ga",
        business_value=Known(6.0, "catalog"),
        dependents=("T0", "T1", "T2", None, "T3", "T2", "T2", "T2"),
        signals={key: known(value) for key, value in values.items() if value is not None},
        records={"dependents.count": Record("catalog", NOW - timedelta(days=200), earlier={NOW - timedelta(90): 6})},
        readiness=readiness(percent=40.0, coverage=80.0),
    )
    return replace(base, **more)


def terms_of(evidence):
    return {term.signal: term for term in onboarding_terms(evidence, SETTINGS, NOW)}


def value(evidence):
    return value_of(onboarding_terms(evidence, SETTINGS, NOW))


def test_the_weights_are_those_of_the_domain():
    weights = SETTINGS.weights
    groups = {
        40: ("criticality", "business_value", "dependents", "users"),
        15: ("traffic_growth", "new_dependents"),
        25: ("budget_burn", "severe_incidents", "pages_per_shift", "repeated_causes"),
        12: ("contribution",),
        8: ("dependencies", "regions", "traffic_class"),
    }
    assert {total: sum(weights[name] for name in names) for total, names in groups.items()} == {n: n for n in groups}
    assert sum(weights.values()) == 100
    assert set(weights) == set(LABELS)


@pytest.mark.parametrize(
    ("signal", "share"),
    [
        ("criticality", 0.75),
        ("business_value", 0.6),
        ("dependents", 0.717),  # T0, T1, four T2 and two others: log2(1 + 11) of 5
        ("users", 0.5),
        ("traffic_growth", 0.699),  # five times the traffic at launch: log10(5)
        ("new_dependents", 0.4),
        ("budget_burn", 0.75),
        ("severe_incidents", 0.3333),
        ("pages_per_shift", 0.5),
        ("repeated_causes", 0.3333),
        ("contribution", 0.4),
        ("dependencies", 0.5),
        ("regions", 0.5),
        ("traffic_class", 0.3333),
    ],
)
def test_each_term_earns_the_share_that_its_scale_says(signal, share):
    term = terms_of(service())[signal]
    assert term.normalised == pytest.approx(share, abs=0.0001)
    assert term.points == pytest.approx(term.weight * term.normalised, abs=0.051)
    assert term.known in {1.0, 0.8}
    assert term.source in {"prometheus", "catalog", "scorecards"}
    assert term.sentence.startswith(LABELS[signal])


def test_the_value_is_the_sum_of_the_points_that_are_shown():
    terms = onboarding_terms(service(), SETTINGS, NOW)
    assert value_of(terms) == pytest.approx(sum(term.points for term in terms))
    assert 0 < value_of(terms) < 100


def test_a_service_of_which_all_is_known_and_full_has_the_value_100():
    full = service(
        {
            "users.active_30d": 2e6, "traffic.rps_now": 9000.0, "slo.availability.budget_left": -1.0,
            "incidents.sev12_90d": 5, "alerts.paging.per_shift_30d": 3.0, "incidents.repeated_causes_90d": 4,
            "deps.count": 30, "runtime.zones": 4, "traffic.peak_rps_30d": 20_000.0, "dependents.count": 20,
        },
        criticality="T0", business_value=Known(10.0, "catalog"), dependents=("T0",) * 20,
        readiness=readiness(percent=0.0),
    )  # fmt: skip
    assert value(full) == 100
    assert confidence_of(onboarding_terms(full, SETTINGS, NOW)) == 1


def test_a_service_of_which_nothing_is_known_has_no_value_and_says_why():
    nothing = Evidence("component:default/x", "x")
    terms = onboarding_terms(nothing, SETTINGS, NOW)
    assert value_of(terms) == 0
    assert confidence_of(terms) == pytest.approx(0.1)  # that nothing depends on it, the catalog knows
    assert all("unknown" in term.sentence for term in terms if term.signal != "dependents")
    assert all(term.raw is None for term in terms if term.signal != "dependents")


def test_confidence_is_the_share_of_the_weight_that_is_known():
    without_users = service({"users.active_30d": None})
    difference = confidence_of(onboarding_terms(service(), SETTINGS, NOW)) - confidence_of(
        onboarding_terms(without_users, SETTINGS, NOW)
    )
    assert difference == pytest.approx(0.05)


def test_a_partly_judged_scorecard_counts_as_partly_known():
    assert terms_of(service())["contribution"].known == 0.8
    assert terms_of(service(readiness=readiness(percent=0, coverage=0)))["contribution"].known == 0


def test_what_is_unknown_on_the_scorecard_is_no_gap():
    assert terms_of(service(readiness=readiness(percent=30, coverage=30)))["contribution"].points == 0


def test_only_the_axes_that_sre_can_improve_count():
    axes = {
        axis: AxisReadiness("L0", 0.0 if axis in {"architecture", "performance"} else 100.0, 100.0) for axis in AXES
    }
    assert terms_of(service(readiness=replace(readiness(), axes=axes)))["contribution"].points == 0


def test_without_a_record_of_90_days_new_dependents_are_unknown():
    young = service(records={"dependents.count": Record("catalog", NOW - timedelta(days=3))})
    term = terms_of(young)["new_dependents"]
    assert (term.points, term.known) == (0, 0)
    assert "2026-11-19" in term.sentence


def test_no_traffic_before_is_nothing_to_compare_with():
    fresh = service({"traffic.rps_180d_ago": 0.0, "traffic.rps_at_launch": None})
    assert terms_of(fresh)["traffic_growth"].known == 0


def test_a_simulated_source_is_told_with_the_term():
    simulated = service()
    signals = {**simulated.signals, "deps.count": Known(3, "demo", OBSERVED, simulated=True)}
    assert terms_of(replace(simulated, signals=signals))["dependencies"].simulated


numbers = st.floats(min_value=0, max_value=1e6, allow_nan=False)
facts = st.fixed_dictionaries(
    {
        key: st.none() | (st.integers(0, 500) if isinstance(sample, int) else numbers)
        for key, sample in FACTS.items()
        if key not in {"slo.availability.budget_left", "slo.availability.target"}
    }
    | {"slo.availability.budget_left": st.none() | st.floats(-5, 1), "slo.availability.target": st.just(0.999)}
)
services = st.builds(
    lambda facts, criticality, dependents, percent, coverage: service(
        facts,
        criticality=criticality,
        dependents=tuple(dependents),
        readiness=readiness(percent=min(percent, coverage), coverage=coverage),
    ),
    facts,
    st.sampled_from(["T0", "T1", "T2", "T3", None]),
    st.lists(st.sampled_from(["T0", "T1", "T2", "T3", None]), max_size=60),
    st.floats(0, 100),
    st.floats(0, 100),
)
RAISING = sorted(set(FACTS) - {"slo.availability.target", "slo.availability.budget_left", "traffic.rps_at_launch",
                               "traffic.rps_180d_ago"})  # fmt: skip


@given(services)
def test_the_value_lies_between_0_and_100_and_is_the_sum_of_its_terms(evidence):
    terms = onboarding_terms(evidence, SETTINGS, NOW)
    assert 0 <= value_of(terms) <= 100
    assert value_of(terms) == pytest.approx(sum(term.points for term in terms), abs=0.01)
    assert all(0 <= term.points <= term.weight and 0 <= term.normalised <= 1 for term in terms)
    assert 0 <= confidence_of(terms) <= 1


@given(services, st.sampled_from(RAISING), st.floats(0, 1e6))
def test_more_of_anything_never_lowers_the_value(evidence, key, more):
    before = evidence.signal(key)
    if isinstance(before, Unknown):
        return
    raised = replace(evidence, signals={**evidence.signals, key: known(before.value + more)})
    assert value(raised) >= value(evidence)


@given(services, st.sampled_from(["traffic.rps_at_launch", "traffic.rps_180d_ago"]), st.floats(0.01, 1))
def test_more_growth_never_lowers_the_value(evidence, key, factor):
    before = evidence.signal(key)
    if isinstance(before, Unknown) or before.value * factor <= 0:
        return
    grown = replace(evidence, signals={**evidence.signals, key: known(before.value * factor)})
    assert value(grown) >= value(evidence)


@given(services, st.sampled_from(sorted(FACTS)))
def test_forgetting_a_fact_never_raises_value_or_confidence(evidence, key):
    forgotten = replace(evidence, signals={name: signal for name, signal in evidence.signals.items() if name != key})
    assert value(forgotten) <= value(evidence)
    before, after = (onboarding_terms(one, SETTINGS, NOW) for one in (evidence, forgotten))
    assert confidence_of(after) <= confidence_of(before)


@given(services)
def test_forgetting_criticality_readiness_or_records_never_raises_the_value(evidence):
    for change in ({"criticality": None}, {"readiness": None}, {"records": {}}, {"business_value": Unknown("")}):
        assert value(replace(evidence, **change)) <= value(evidence)
    untold = replace(evidence, dependents=(None,) * len(evidence.dependents))
    assert value(untold) <= value(evidence)


@given(services, st.sampled_from(["spring", None]))
def test_cost_is_never_part_of_the_value(evidence, framework):
    framed = replace(evidence, framework=framework)
    other = replace(evidence, ref="component:default/other", tier=Tier.PLATFORM, framework="spring")
    alone, beside = (onboard_row(framed, Frameworks.of(some), SETTINGS, NOW) for some in ([framed], [framed, other]))
    assert alone.value == beside.value
    if framework:
        assert (alone.cost.stack, beside.cost.stack) == ("new", "known")


def test_the_frameworks_of_supported_services_are_known():
    found = Frameworks.of([service(framework="a", tier=Tier.FULL_SRE), service(framework="b", tier=Tier.PLATFORM)])
    assert (set(found.supported), set(found.platform)) == ({"a", "b"}, {"b"})
