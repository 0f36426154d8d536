"""The plan, timed: how long it takes, what it reaches, what the solver adds.

    python -m benchmarks.planner [SERVICES] [TEAMS]

Companies are random but the same on every machine. Compare within a run.
"""

import sys
import time
from random import Random

from engagements.capacity.limits import TeamKind, TeamLimits
from engagements.capacity.planner import optimum
from engagements.capacity.planner.plan import Method, Plan, make_plan
from engagements.capacity.planner.problem import Option, PlanInput, PlanService, PlanTeam

SERVICES, TEAMS = 500, 4
STACKS = ("go", "java", "python", "rust", "node", "php", None)


def company(seed: int, services: int, teams: int) -> PlanInput:
    """Return a random company: most services without SRE, some that SRE runs, teams that cannot take them all."""
    random = Random(seed)
    known = [
        PlanTeam(
            TeamLimits(f"group:default/sre-{number}", headcount=random.randint(6, 16), max_stacks=3),
            committed_sre_quarters=random.choice((0.0, 2.0, 4.0)),
        )
        for number in range(max(1, teams - 1))
    ]
    if teams > 1:
        known.append(PlanTeam(TeamLimits("group:default/platform", kind=TeamKind.PLATFORM, headcount=6)))
    refs = [team.limits.ref for team in known]
    return PlanInput(tuple(_service(random, number, refs) for number in range(services)), tuple(known))


def _service(random: Random, number: int, teams: list[str]) -> PlanService:
    current = random.choices((Option.NONE, Option.CONSULT, Option.PLATFORM, Option.FULL), (80, 8, 6, 6))[0]
    gates = {Option.FULL: ("no consent",)} if random.random() < 0.3 else {}
    stack = random.choice(STACKS)
    if stack is None:
        gates[Option.PLATFORM] = ("no framework",)
    return PlanService(
        ref=f"component:default/service-{number:04}",
        value=round(random.betavariate(2, 4) * 100, 2),
        owner=f"group:default/team-{number % 40}",
        criticality=random.choice(("T0", "T1", "T1", "T2", "T2", "T3")),
        current=current,
        current_team=None if current is Option.NONE else random.choice(teams),
        pages_per_shift=random.choice((None, 0.0, round(random.expovariate(4), 3))),
        stack=stack,
        on_platform=random.random() < 0.2,
        gates=gates,
        hand_back_rules=("D1",) if random.random() < 0.1 else (),
    )


def main() -> None:
    """Time both methods on a few companies."""
    services, teams = (int(text) for text in (*sys.argv[1:], *(str(SERVICES), str(TEAMS))[len(sys.argv) - 1 :]))
    print(f"{services} services, {teams} teams; solver {optimum.solver_version() or 'not installed'}")
    for seed in range(3):
        given = company(seed, services, teams)
        greedy, seconds = _timed(given, Method.GREEDY)
        print(f"company {seed}: greedy {seconds:.2f} s CPU, {greedy.value:.1f} points, {greedy.moves} moves")
        if optimum.solver_version():
            best, seconds = _timed(given, Method.OPTIMUM)
            share = greedy.value / best.value
            print(
                f"           optimum {seconds:.2f} s CPU, {best.value:.1f} points, gap {best.gap:.3%}; "
                f"greedy reaches {share:.1%}"
            )


def _timed(given: PlanInput, method: Method) -> tuple[Plan, float]:
    begin = time.process_time()
    plan = make_plan(given, method)
    return plan, time.process_time() - begin


if __name__ == "__main__":
    main()
