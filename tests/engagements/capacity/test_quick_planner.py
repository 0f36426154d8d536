"""The quick way to the greedy plan and its questions gives what the plain way gives, at a fraction of the work."""

import time
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from benchmarks.planner import company
from engagements.capacity.planner import greedy, plan
from engagements.capacity.planner.assignment import Assignment
from engagements.capacity.planner.plan import make_plan
from engagements.capacity.planner.problem import POINT, build
from engagements.capacity.settings import CapacitySettings
from tests.engagements.capacity.drawn import inputs
from tests.engagements.capacity.plain_planner import plain_one_more, plain_solve


def assert_equals_the_plain_way(given_input):
    problem, start = greedy.repaired(build(given_input))
    plain = plain_solve(problem, start)
    made = make_plan(given_input)
    choices = [plain.choice(index) for index in range(len(plain.picks))]
    assert [(row.option, row.team) for row in made.rows] == [(choice.option, choice.team) for choice in choices]
    asked = plain_one_more(given_input, problem, plain)
    assert [(each.team, round(each.gain * POINT)) for each in made.one_more] == [each[:2] for each in asked]
    for each, (_, gain, picks) in zip(made.one_more, asked, strict=True):
        then = Assignment(problem, picks)
        more = [ref for index, ref in enumerate(problem.refs)
                if plan.ORDER[then.choice(index).option] > plan.ORDER[plain.choice(index).option]]  # fmt: skip
        assert list(each.services) == (more if gain else [])


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(inputs())
def test_of_any_small_company_both_ways_give_the_same_plan_and_the_same_answers(given_input):
    assert_equals_the_plain_way(given_input)


@pytest.mark.parametrize("moves", [2, 5, 50])
@pytest.mark.parametrize(("seed", "services", "teams"), [(0, 40, 2), (1, 60, 4), (2, 30, 8), (3, 90, 3)])
def test_of_larger_companies_too(seed, services, teams, moves):
    settled = replace(company(seed, services, teams), settings=CapacitySettings(moves_per_quarter=moves))
    assert_equals_the_plain_way(settled)


def test_a_question_costs_a_fraction_of_a_plan():
    """Sixty teams are asked about: that must not cost sixty plans, nor anything near it."""
    wanted = company(0, 100, 60)
    alone = min(_cpu_seconds(wanted, one_more=False) for _ in range(2))
    asked = min(_cpu_seconds(wanted, one_more=True) for _ in range(2))
    assert asked < 4 * alone, (asked, alone)


def _cpu_seconds(given_input, one_more):
    begin = time.process_time()
    make_plan(given_input, one_more=one_more)
    return time.process_time() - begin


def test_of_very_many_teams_those_nearest_to_a_limit_are_asked_about(monkeypatch):
    monkeypatch.setattr(plan, "MOST_ASKED", 2)
    wanted = company(1, 60, 6)
    fullest = sorted(make_plan(wanted, one_more=False).limits, key=lambda limit: -limit.used / max(limit.cap, 1e-9))
    asked = [each.team for each in make_plan(wanted).one_more]
    assert len(asked) == 2
    assert asked == sorted(asked)
    assert next(limit.whose for limit in fullest if limit.limit in {"pages_per_shift", "operations_hours",
                                                                  "project_sres"}) in asked  # fmt: skip
