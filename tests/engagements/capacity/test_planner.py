"""The plan against every assignment there is, on small cases; and what it says of its choices."""

import itertools
from dataclasses import asdict, replace

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engagements.capacity.limits import TeamKind, TeamLimits
from engagements.capacity.planner import greedy, optimum
from engagements.capacity.planner.assignment import Assignment
from engagements.capacity.planner.plan import Method, make_plan
from engagements.capacity.planner.problem import Option, Pin, PlanInput, PlanService, PlanTeam, build
from engagements.capacity.settings import CapacitySettings
from tests.engagements.capacity.drawn import inputs

SRE = "group:default/sre"
STORAGE = "group:default/storage-sre"

needs_solver = pytest.mark.skipif(optimum.solver_version() is None, reason="the extra [planner] is not installed")


def team(ref=SRE, **more):
    more = {"headcount": 8} | more
    return PlanTeam(TeamLimits(ref, **more))


def service(name, value=50.0, **more):
    more = {"pages_per_shift": 0.2, "owner": "group:default/bards", "criticality": "T1"} | more
    return PlanService(f"component:default/{name}", value, **more)


def given_of(services, teams=None, **numbers):
    return PlanInput(tuple(services), tuple(teams or [team()]), CapacitySettings(**numbers))


def row_of(plan, name):
    return next(row for row in plan.rows if row.service.ref == f"component:default/{name}")


def best_of_all(problem):
    """Try every assignment."""
    states = (Assignment(problem, picks) for picks in itertools.product(*(range(len(few)) for few in problem.choices)))
    return max(state.gain for state in states if state.feasible())


@needs_solver
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(inputs())
def test_the_optimum_is_the_best_of_all_assignments_and_the_greedy_plan_is_never_infeasible(given_input):
    problem, start = greedy.repaired(build(given_input))
    quick, best = greedy.solve(problem, start), best_of_all(problem)
    solved = optimum.solve(problem, quick, 5.0)
    assert start.feasible()
    assert quick.feasible()
    assert solved.assignment.feasible()
    assert (solved.assignment.gain, solved.gap) == (best, 0.0)
    assert start.gain <= quick.gain <= best


@needs_solver
def test_the_greedy_plan_reaches_most_of_the_optimum():
    """Scarce teams and lumpy costs, as the book has them: 24 random companies of 30 services."""
    shares = []
    for seed in range(24):
        problem, start = greedy.repaired(build(company(seed, 30, 2)))
        quick = greedy.solve(problem, start)
        solved = optimum.solve(problem, quick, 2.0)
        shares.append(quick.gain / solved.assignment.gain)
    assert min(shares) >= 0.85, shares
    assert sum(shares) / len(shares) >= 0.95, shares


def company(seed, count, teams):
    from benchmarks.planner import company as made

    return made(seed, count, teams)


@settings(max_examples=60, deadline=None)
@given(inputs(), st.randoms(use_true_random=False))
def test_the_same_input_in_any_order_gives_the_same_bytes(given_input, random):
    services, teams = list(given_input.services), list(given_input.teams)
    random.shuffle(services)
    random.shuffle(teams)
    shuffled = replace(given_input, services=tuple(services), teams=tuple(teams))
    assert _bytes(make_plan(given_input)) == _bytes(make_plan(shuffled))


@needs_solver
@settings(max_examples=20, deadline=None)
@given(inputs())
def test_the_optimum_gives_the_same_bytes_again(given_input):
    assert _bytes(make_plan(given_input, Method.OPTIMUM)) == _bytes(make_plan(given_input, Method.OPTIMUM))


def _bytes(plan):
    return orjson.dumps(asdict(plan), option=orjson.OPT_NON_STR_KEYS)


@settings(max_examples=80, deadline=None)
@given(inputs())
def test_what_people_pinned_stands_and_t0_is_never_dropped(given_input):
    plan = make_plan(given_input, one_more=False)
    for row in plan.rows:
        if row.service.pin:
            assert (row.option, row.team) == (row.service.pin.option, row.service.pin.team)
        elif row.service.criticality == "T0" and row.service.current is Option.FULL and not row.service.hand_back_rules:
            assert row.option is Option.FULL
        if not row.service.pin and row.option is not row.service.current:
            assert not row.service.gates.get(row.option)


def test_of_equal_services_the_first_reference_wins():
    small = [team(project_sres=1.0)]
    gates = {Option.PLATFORM: ("no framework",)}
    plan = make_plan(given_of([service(name, gates=gates) for name in "bac"], small))
    assert [row.option for row in plan.rows if row.option is Option.FULL] == [Option.FULL]
    assert row_of(plan, "a").option is Option.FULL
    two = [team(project_sres=2.0)]
    plan = make_plan(given_of([service("c", 90, gates=gates), *(service(name, gates=gates) for name in "ba")], two))
    assert [row.service.ref.rpartition("/")[2] for row in plan.rows if row.option is Option.FULL] == ["a", "c"]


@pytest.mark.parametrize(
    ("services", "teams", "numbers", "binding"),
    [
        ([service("a", 90), service("b", 80)], [team(project_sres=1.0)], {}, "project_sres"),
        (
            [service("a", 90, pages_per_shift=1.9), service("b", 80, pages_per_shift=1.9)],
            [team(headcount=30, sites=5)],
            {},
            "pages_per_shift",
        ),
        (
            [service("a", 90, pages_per_shift=1.4), service("b", 80, pages_per_shift=1.4)],
            [team(headcount=7, pages_per_shift_limit=9.0, project_sres=7.0)],
            {},
            "operations_hours",
        ),
        (
            [service("a", 90, stack="go"), service("b", 80, stack="java")],
            [team(headcount=30, max_stacks=1)],
            {},
            "stacks",
        ),
        ([service("a", 90), service("b", 80)], [team()], {"moves_per_quarter": 1, "horizon_quarters": 1}, "moves"),
        ([service("a", 90), service("b", 80, gates={Option.FULL: ("nobody asked its owner",)})], [team()], {}, "gate"),
        ([service("a", 90), service("b", 1.9)], [team()], {}, "switch_cost"),
    ],
)
def test_a_rejection_names_the_limit_that_binds(services, teams, numbers, binding):
    plan = make_plan(given_of(services, teams, **numbers))
    assert row_of(plan, "a").option is Option.FULL
    refused = next(each for each in row_of(plan, "b").rejected if each.option is Option.FULL)
    assert binding in refused.binding, refused


def test_a_more_valuable_service_takes_the_place_of_a_lesser_one():
    lesser = service("old", 20, current=Option.FULL, current_team=SRE, pages_per_shift=1.8, criticality="T2")
    better = service("new", 90, pages_per_shift=1.8)
    plan = make_plan(given_of([lesser, better]))
    assert (row_of(plan, "new").option, row_of(plan, "new").act) == (Option.FULL, "start")
    assert row_of(plan, "old").act in {"lower", "hand_back"}


def test_a_team_over_its_limit_hands_back_what_loses_least():
    heavy = [
        service(f"s{n}", 10.0 * (n + 1), current=Option.FULL, current_team=SRE, pages_per_shift=1.5) for n in range(3)
    ]
    plan = make_plan(given_of(heavy))
    assert plan.value_today is None
    assert [row.option is Option.FULL for row in plan.rows] == [False, False, True]


def test_what_stands_may_pass_a_limit_and_the_plan_says_so():
    pinned = [
        service(f"s{n}", 50, current=Option.FULL, current_team=SRE, criticality="T0", pages_per_shift=1.5)
        for n in range(2)
    ]
    plan = make_plan(given_of([*pinned, service("more", 90)]))
    assert row_of(plan, "more").option is not Option.FULL
    assert [row.option for row in plan.rows[1:]] == [Option.FULL, Option.FULL]
    assert any("pages in a shift" in said and "what stands takes 3" in said for said in plan.overruns)
    basis = {limit.limit: limit.basis for limit in plan.limits}
    assert basis["pages_per_shift"].endswith(", raised to what stands")
    assert "raised" not in basis["project_sres"]


def test_when_nobody_may_give_way_the_limit_is_passed_and_told():
    stuck = service(
        "stuck", current=Option.FULL, current_team=SRE, pages_per_shift=3.0,
        gates=dict.fromkeys((Option.NONE, Option.CONSULT, Option.PLATFORM), ("rejected by mia",)),
    )  # fmt: skip
    also = service("also", current=Option.FULL, current_team=SRE, pages_per_shift=0.1)
    plan = make_plan(given_of([stuck, also]))
    assert row_of(plan, "stuck").option is Option.FULL
    assert plan.overruns


def test_one_more_sre_buys_what_projects_barred():
    plan = make_plan(given_of([service("a", 90), service("b", 80)], [team(project_sres=1.0)]))
    bought = plan.one_more[0]
    assert (bought.team, bought.services) == (SRE, ("component:default/b",))
    assert bought.gain > 0


def test_one_more_sre_buys_nothing_where_no_service_is_left():
    plan = make_plan(given_of([service("a", 90)]))
    assert plan.one_more[0].gain == 0
    assert "nothing" in plan.one_more[0].sentence


def test_a_running_engagement_is_planned_around_and_costs_no_project_twice():
    running = service("a", 90, engaged=True, pin=Pin(Option.FULL, SRE, "An engagement with it is running."))
    busy = [PlanTeam(TeamLimits(SRE, headcount=8, project_sres=1.0), committed_sre_quarters=0.0)]
    plan = make_plan(given_of([running, service("b", 80)], busy))
    assert (row_of(plan, "a").option, row_of(plan, "b").option, plan.moves) == (Option.FULL, Option.FULL, 1)


def test_supported_services_of_an_unknown_team_are_left_alone():
    plan = make_plan(given_of([service("a", 10, current=Option.FULL, current_team=None)]))
    row = row_of(plan, "a")
    assert (row.option, row.act) == (Option.FULL, "keep")
    assert "not known" in row.stands


def test_platform_support_goes_to_a_platform_team_where_there_is_one():
    platform = PlanTeam(TeamLimits("group:default/stage", kind=TeamKind.PLATFORM, headcount=3))
    gates = {Option.FULL: ("no consent",)}
    plan = make_plan(given_of([service("a", 60, gates=gates)], [team(), platform]))
    assert (row_of(plan, "a").option, row_of(plan, "a").team) == (Option.PLATFORM, "group:default/stage")


def test_consultation_is_bounded_by_the_owners_hours():
    gates = {Option.FULL: ("no consent",), Option.PLATFORM: ("no framework",)}
    plan = make_plan(given_of([service(f"s{n}", 60 + n, gates=gates) for n in range(6)]))
    assert [row.option for row in plan.rows].count(Option.CONSULT) == 4
    assert "consultation_hours" in row_of(plan, "s0").rejected[0].binding
