"""The rules of handing back: each decides by its own terms, and what is unknown decides nothing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engagements.tiers import Tier
from engagements.triage.hand_back import hand_back_row, judge_rules
from engagements.triage.hand_back_terms import State
from engagements.triage.settings import TriageSettings
from engagements.triage.signals import AxisReadiness, Evidence, Known, Readiness, Record, Unknown

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
SETTINGS = TriageSettings()
LONG_AGO = NOW - timedelta(days=300)
MET, NOT_MET, UNKNOWN = State.MET, State.NOT_MET, State.UNKNOWN


def known(value, simulated=False):
    return Known(value, "prometheus", NOW - timedelta(minutes=5), simulated)


def readiness(level="L3", failing=(), unknown=()):
    return Readiness(level, {"change": AxisReadiness(level, 100.0, 100.0)}, tuple(failing), tuple(unknown), NOW)


def record(lowest, highest, begins_at=LONG_AGO, **earlier):
    return Record(
        "prometheus", begins_at, lowest, highest, {NOW - timedelta(days=int(d[1:])): v for d, v in earlier.items()}
    )


def service(signals=None, records=None, **more):
    """A quiet, well-kept service that SRE runs, used a tenth of what was forecast."""
    facts = {
        "slo.availability.target": 0.999,
        "slo.availability.actual_28d": 0.9999,
        "slo.availability.budget_left": 0.9,
        "alerts.paging.per_shift_30d": 0.1,
        "traffic.peak_rps_30d": 10.0,
        "traffic.rps_180d_ago": 9.0,
        "improvements.overdue_30d": 0,
        "sre.operations_share_90d": 0.2,
        **(signals or {}),
    }
    base = Evidence(
        ref="component:default/folio",
        name="folio",
        owner="group:default/bards",
        criticality="T2",
        lifecycle="ga",
        tier=Tier.FULL_SRE,
        usage_forecast_rps=100.0,
        signals={key: known(value) for key, value in facts.items() if value is not None},
        records={
            "slo.availability.actual_28d": record(0.9995, 1.0),
            "slo.availability.budget_left": record(0.5, 1.0, d28=0.9, d56=0.8),
            "traffic.peak_rps_30d": record(5.0, 20.0),
            "catalog.criticality": record("T2", "T2"),
            **(records or {}),
        },
        readiness=readiness(),
    )
    return replace(base, **more)


def rule(evidence, wanted):
    return next(rule for rule in judge_rules(evidence, SETTINGS, NOW) if rule.id == wanted)


def states(evidence, wanted):
    return {term.signal: term.state for term in rule(evidence, wanted).terms}


def row(evidence):
    return hand_back_row(evidence, SETTINGS, NOW)


def test_the_rules_stay_apart_and_name_their_outcomes():
    assert [(rule.id, rule.outcome) for rule in judge_rules(service(), SETTINGS, NOW)] == [
        ("D1", "graduated"),
        ("D2", "usage_below_forecast"),
        ("D3", "importance_fell"),
        ("D4", "neglected"),
        ("D5", "mostly_operations"),
    ]


def test_all_that_can_be_measured_speaks_for_a_stable_service_but_only_people_know_the_rest():
    graduated = rule(service(), "D1")
    assert [term.signal for term in graduated.terms if term.state is not MET] == ["development_able"]
    assert graduated.state is UNKNOWN
    assert "bards" in graduated.terms[-1].cause
    assert "All that can be measured" in graduated.sentence


@pytest.mark.parametrize(
    ("change", "signal"),
    [
        ({"records": {"slo.availability.actual_28d": record(0.998, 1.0)}}, "slo.availability.met_two_quarters"),
        ({"signals": {"slo.availability.actual_28d": 0.99}}, "slo.availability.met_two_quarters"),
        ({"signals": {"slo.availability.budget_left": 0.49}}, "slo.availability.budget_left"),
        ({"signals": {"alerts.paging.per_shift_30d": 0.26}}, "alerts.paging.per_shift_30d"),
        ({"readiness": readiness("L2")}, "scorecard.level"),
        ({"readiness": readiness(failing=["er.runbook"])}, "scorecard.failing_blockers"),
    ],
)
def test_one_term_that_is_not_met_keeps_the_service(change, signal):
    kept = service(**change)
    assert states(kept, "D1")[signal] is NOT_MET
    assert rule(kept, "D1").state is NOT_MET


@pytest.mark.parametrize(
    ("change", "signal", "cause"),
    [
        (
            {"signals": {"slo.availability.target": None}},
            "slo.availability.met_two_quarters",
            "slo.availability.target",
        ),
        (
            {"records": {"slo.availability.actual_28d": record(0.9995, 1.0, NOW - timedelta(days=20))}},
            "slo.availability.met_two_quarters",
            "reaches back 20 days; 182 are needed",
        ),
        ({"readiness": None}, "scorecard.level", "never judged"),
        ({"readiness": readiness(unknown=["er.runbook"])}, "scorecard.failing_blockers", "er.runbook"),
    ],
)
def test_an_unknown_term_says_why(change, signal, cause):
    term = next(term for term in rule(service(**change), "D1").terms if term.signal == signal)
    assert term.state is UNKNOWN
    assert cause in term.cause


def test_a_breach_on_record_decides_even_when_the_record_is_short():
    short = service(records={"slo.availability.actual_28d": record(0.99, 1.0, NOW - timedelta(days=20))})
    assert states(short, "D1")["slo.availability.met_two_quarters"] is NOT_MET


def test_a_measurement_over_180_days_stands_in_for_a_short_record():
    short = {"records": {"slo.availability.actual_28d": record(0.9995, 1.0, NOW - timedelta(days=20))}}
    good, bad = (service({"slo.availability.actual_180d": value}, **short) for value in (0.9995, 0.998))
    assert states(good, "D1")["slo.availability.met_two_quarters"] is MET
    assert states(bad, "D1")["slo.availability.met_two_quarters"] is NOT_MET


def test_a_service_used_below_half_its_forecast_for_two_quarters_meets_d2():
    little = rule(service(), "D2")
    assert (little.state, {term.threshold for term in little.terms}) == (MET, {50.0})
    assert row(service()).urgency == 0
    assert "used far less" in row(service()).next_act


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({"signals": {"traffic.peak_rps_30d": 60.0}}, NOT_MET),
        ({"signals": {"traffic.rps_180d_ago": 50.0}}, NOT_MET),
        ({"records": {"traffic.peak_rps_30d": record(5.0, 70.0)}}, NOT_MET),
        ({"records": {"traffic.peak_rps_30d": record(5.0, 20.0, NOW - timedelta(days=9))}}, UNKNOWN),
        ({"signals": {"traffic.rps_180d_ago": None}}, UNKNOWN),
        ({"usage_forecast_rps": None}, UNKNOWN),
        (
            {
                "signals": {"traffic.peak_rps_180d": 20.0},
                "records": {"traffic.peak_rps_30d": record(5.0, 20.0, NOW - timedelta(days=9))},
            },
            MET,
        ),
    ],
)
def test_usage_is_compared_with_the_forecast_throughout(change, state):
    assert rule(service(**change), "D2").state is state


def test_a_rule_that_is_open_in_one_point_only_is_called_likely_and_names_it():
    young = service(
        records={"traffic.peak_rps_30d": record(5.0, 20.0, NOW - timedelta(days=9))},
        readiness=readiness("L2"),
    )
    assert row(young).urgency == 1
    assert "reaches back 9 days" in row(young).next_act


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({"lifecycle": "deprecation"}, MET),
        ({"lifecycle": "unsupported"}, MET),
        ({"records": {"catalog.criticality": record("T0", "T2")}}, MET),
        ({"records": {"catalog.criticality": record("T2", "T3")}}, NOT_MET),
        ({"lifecycle": None}, UNKNOWN),
        ({"criticality": None}, UNKNOWN),
        ({"lifecycle": "deprecation", "criticality": None}, MET),
    ],
)
def test_importance_falls_with_the_lifecycle_or_the_criticality(change, state):
    signals = {"catalog.criticality": change.get("criticality", "T2")}
    assert rule(service(signals, **change), "D3").state is state


def exhausted(now, *earlier, **more):
    at = {f"d{28 * (index + 1)}": value for index, value in enumerate(earlier)}
    return service(
        {"slo.availability.budget_left": now, "improvements.overdue_30d": 2, **more.pop("signals", {})},
        {"slo.availability.budget_left": record(-1.0, 1.0, **at)},
        **more,
    )


@pytest.mark.parametrize(
    ("evidence", "state"),
    [
        (exhausted(-0.1, -0.2, 0.5), MET),
        (exhausted(0.5, 0.0, -0.2), MET),
        (exhausted(-0.1, 0.5, 0.5), NOT_MET),
        (exhausted(-0.1, -0.1), MET),
        (exhausted(-0.1), UNKNOWN),
        (exhausted(0.5), UNKNOWN),
        (exhausted(0.5, 0.4), NOT_MET),
        (exhausted(-0.1, -0.2, signals={"improvements.overdue_30d": None}), UNKNOWN),
        (exhausted(-0.1, -0.2, signals={"improvements.overdue_30d": 0}), UNKNOWN),
        (
            exhausted(-0.1, -0.2, signals={"improvements.overdue_30d": 0}, last_events={"plan.agreed": LONG_AGO}),
            NOT_MET,
        ),
        (exhausted(-0.1, -0.2, last_events={"plan.agreed": LONG_AGO}), MET),
    ],
)
def test_neglect_takes_used_up_budgets_and_no_plan_or_overdue_work(evidence, state):
    assert rule(evidence, "D4").state is state


def test_the_ladder_escalates_then_returns_the_pager_and_only_then_disengages():
    neglected = exhausted(-0.1, -0.2, -0.3)
    assert step_after(neglected) == "escalate"
    assert row(neglected).next_act.startswith("Escalate: named engineers")
    assert step_after(neglected, escalated=30) == "return_pager"
    assert step_after(neglected, escalated=30, returned=20) == "disengage"
    assert step_after(neglected, returned=20) == "escalate", "handing back asks for an escalation on record"
    assert step_after(neglected, escalated=30, returned=20, resumed=2) == "escalate", "the ladder starts anew"
    assert step_after(neglected, escalated=1, returned=20, resumed=2) == "return_pager"
    again = replace(neglected, supported_since=NOW - timedelta(days=25))
    assert step_after(again, escalated=30, returned=20) == "escalate", "that was before SRE took it over again"
    assert row(service()).ladder_step is None


def step_after(neglected, **days_ago):
    """Return the next step of the ladder after events of so many days ago."""
    kinds = {"escalated": "engagement.escalated", "returned": "pager.returned", "resumed": "pager.resumed"}
    events = {kinds[name]: NOW - timedelta(days=days) for name, days in days_ago.items()}
    return row(replace(neglected, last_events=events)).ladder_step


@pytest.mark.parametrize(("share", "state"), [(0.5, NOT_MET), (0.6, MET), (None, UNKNOWN)])
def test_mostly_operations_is_more_than_half(share, state):
    assert rule(service({"sre.operations_share_90d": share}), "D5").state is state


def test_an_ample_budget_of_a_service_that_stays_is_to_be_spent():
    busy = service(
        {"traffic.peak_rps_30d": 90.0, "alerts.paging.per_shift_30d": 1.0, "improvements.overdue_30d": 0},
        last_events={"plan.agreed": LONG_AGO},
        criticality="T2",
    )
    busy = replace(busy, signals={**busy.signals, "catalog.criticality": known("T2")})
    assert row(busy).urgency == 3
    assert "releasing faster" in row(busy).next_act


def test_nothing_known_meets_no_rule_and_every_term_says_why():
    nothing = Evidence("component:default/x", "x", tier=Tier.FULL_SRE)
    rules = judge_rules(nothing, SETTINGS, NOW)
    assert {each.state for each in rules} == {UNKNOWN}
    assert all(term.cause for each in rules for term in each.terms)


def test_forgetting_a_fact_never_meets_a_rule():
    whole = exhausted(-0.1, -0.2, -0.3)
    for evidence in (service(), whole):
        before = {each.id: each.state for each in judge_rules(evidence, SETTINGS, NOW)}
        for key in evidence.signals:
            forgotten = replace(evidence, signals={**evidence.signals, key: Unknown("gone")})
            for each in judge_rules(forgotten, SETTINGS, NOW):
                assert each.state is before[each.id] or each.state is UNKNOWN


def test_a_simulated_source_is_told_with_the_term():
    simulated = service()
    signals = {**simulated.signals, "traffic.peak_rps_30d": known(10.0, simulated=True)}
    assert rule(replace(simulated, signals=signals), "D2").terms[0].simulated


def test_what_a_rule_speaks_for_is_more_urgent_than_what_settled():
    settled = service({"traffic.peak_rps_30d": 90.0}, readiness=readiness("L1"), last_events={"plan.agreed": NOW})
    settled = replace(settled, signals={**settled.signals, "catalog.criticality": known("T2")})
    assert row(service()).urgency < row(settled).urgency


def test_what_is_being_handed_back_already_goes_on_with_it():
    going = hand_back_row(service(under_way="simple_prr, in disengaging"), SETTINGS, NOW)
    assert going.next_act == "Go on with handing it back (simple_prr, in disengaging)."
    running = hand_back_row(service(under_way="simple_prr, in active"), SETTINGS, NOW)
    assert "Go on" not in running.next_act
