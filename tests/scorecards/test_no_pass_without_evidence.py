"""No result is ever a pass without evidence: the whole catalogue, of services of which nothing or little is known."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from scorecards.checks.definitions import Axis, Status
from scorecards.checks.vocabulary import VOCABULARY
from scorecards.evaluation import judge
from scorecards.evidence.causes import Supply
from scorecards.evidence.values import normalise
from scorecards.evidence.view import EvidenceState, Reading, View
from scorecards.grading import grade
from scorecards.settling import EvidenceKind
from tests.scorecards.checks.test_other_systems import GOOD as OF_OTHERS
from tests.scorecards.samples import GOOD, MINUTE, NOW, OFFERS, SPECS, catalogue, state, subject

SUPPLY = Supply({**VOCABULARY, **SPECS}, {plugin: state(plugin) for plugin in OFFERS}, OFFERS)
KNOWN = {**OF_OTHERS, **GOOD}
CHECKS = catalogue().checks
tags = st.lists(st.sampled_from(["stateful", "batch", "go"]), unique=True).map(tuple)
services = st.builds(
    lambda tagged, lifecycle, criticality, framework: subject(
        tags=tagged,
        lifecycle=lifecycle,
        criticality=criticality,
        fields={"annotations.sre.portal/framework": framework} if framework else {},
    ),
    tags,
    st.sampled_from([None, "design", "ga", "limited", "deprecation"]),
    st.sampled_from([None, "T0", "T3"]),
    st.sampled_from([None, "stagecraft"]),
)


def judged(of, observed):
    view = View(observed, SUPPLY, NOW)
    return [judge(check, of, view, NOW) for check in CHECKS.values()]


@settings(max_examples=40, deadline=None)
@given(services)
def test_of_a_service_of_which_nothing_is_known_no_check_passes_and_no_level_is_reached(of):
    results = judged(of, {})
    assert {result.status for result in results} <= {Status.UNKNOWN, Status.NOT_APPLICABLE}
    assert all(result.causes for result in results if result.status is Status.UNKNOWN)
    graded = grade(of, results, catalogue())
    assert graded.overall.level == 0
    assert graded.overall.percent == graded.overall.coverage == 0
    assert all(graded.axes[axis].level in {0, None} for axis in Axis)


@settings(max_examples=40, deadline=None)
@given(services, st.sets(st.sampled_from(sorted(KNOWN))), st.sets(st.sampled_from(sorted(KNOWN))))
def test_what_passes_rests_on_facts_that_are_known_and_fresh(of, known, old):
    ages = {key: timedelta(days=400) if key in old else MINUTE for key in known}
    observed = {key: [Reading("prometheus", KNOWN[key], NOW - age, NOW)] for key, age in ages.items()}
    for result in judged(of, observed):
        if result.status is not Status.PASS:
            continue
        fresh = [used for used in result.facts if used.evidence.state is EvidenceState.FRESH]
        assert fresh
        assert {used.evidence.key for used in fresh} <= known - old
        assert result.evidence is EvidenceKind.MEASURED


@settings(max_examples=40, deadline=None)
@given(services, st.sampled_from(sorted(KNOWN)))
def test_a_value_of_another_type_is_no_evidence(of, key):
    wrong = {"boolean": 1, "integer": "3", "number": True, "string": 7, "datetime": "soon", "set": "one"}
    kind = {**VOCABULARY, **SPECS}[key].type.value
    observed = {key: [Reading("prometheus", wrong[kind], NOW - MINUTE, NOW)]}
    for result in judged(of, observed):
        assert result.status in {Status.UNKNOWN, Status.NOT_APPLICABLE}


def test_the_known_values_are_of_their_types():
    specs = {**VOCABULARY, **SPECS}
    assert all(normalise(specs[key].type.value, value) is not None for key, value in KNOWN.items())
