"""Small companies, drawn at random: teams, services, what stands, and how many moves there are."""

from dataclasses import replace

from hypothesis import strategies as st

from engagements.capacity.limits import TeamKind, TeamLimits
from engagements.capacity.planner.problem import Option, Pin, PlanInput, PlanService, PlanTeam
from engagements.capacity.settings import CapacitySettings

teams_drawn = st.lists(
    st.builds(
        lambda headcount, kind, stacks, pages: TeamLimits(
            "", kind=kind, headcount=headcount, max_stacks=stacks, pages_per_shift_limit=pages
        ),
        st.integers(0, 12),
        st.sampled_from([TeamKind.SERVICE, TeamKind.SERVICE, TeamKind.PLATFORM]),
        st.integers(1, 2),
        st.sampled_from([0.5, 1.0, 2.0]),
    ),
    min_size=1,
    max_size=2,
).map(lambda found: tuple(PlanTeam(replace(each, ref=f"group:default/t{n}")) for n, each in enumerate(found)))

service_drawn = st.fixed_dictionaries(
    {
        "value": st.floats(0, 100).map(lambda value: round(value, 2)),
        "pages_per_shift": st.sampled_from([None, 0.0, 0.3, 0.7, 1.3]),
        "stack": st.sampled_from([None, "go", "java", "rust"]),
        "current": st.sampled_from([Option.NONE, Option.NONE, *Option]),
        "on_platform": st.booleans(),
        "criticality": st.sampled_from(["T0", "T1", "T2"]),
        "hand_back_rules": st.sampled_from([(), ("D1",)]),
        "owner": st.sampled_from([None, "group:default/a", "group:default/b"]),
        "gates": st.dictionaries(st.sampled_from([Option.FULL, Option.PLATFORM]), st.just(("no consent",)), max_size=1),
        "pinned": st.sampled_from([None, None, None, *Option]),
    }
)


@st.composite
def inputs(draw):
    teams = draw(teams_drawn)
    services = []
    for number, drawn in enumerate(draw(st.lists(service_drawn, min_size=1, max_size=5))):
        pinned = drawn.pop("pinned")
        some = draw(st.sampled_from([each.limits.ref for each in teams]))
        current_team = None if drawn["current"] is Option.NONE else some
        pin = pinned and Pin(pinned, None if pinned is Option.NONE else some, "decided")
        services.append(PlanService(f"component:default/s{number}", current_team=current_team, pin=pin, **drawn))
    numbers = {"horizon_quarters": draw(st.integers(1, 2)), "moves_per_quarter": draw(st.integers(1, 3))}
    return PlanInput(tuple(services), teams, CapacitySettings(**numbers))
