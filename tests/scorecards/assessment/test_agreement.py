"""The fast judgement of many services says what the explaining judgement of one says, verdict by verdict."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from plugins.contract import FactSpec, FactType
from portal_backend.core.clock import format_time
from scorecards.assessment.assess import Assessor, Given
from scorecards.assessment.evidence import Reader
from scorecards.assessment.plan import Plan
from scorecards.checks.definitions import Axis, CheckCatalogue, Condition, Criticality, Effort
from scorecards.checks.fields import FieldSpecs, RuleSpecs, service_fields
from scorecards.evidence.causes import Supply
from scorecards.evidence.derivations import derivations, entity_facts
from scorecards.evidence.observations import Observations
from scorecards.evidence.view import View
from scorecards.exceptions.in_force import Attestation, InForce, Inheritance, Waiver
from scorecards.grading import next_steps
from scorecards.holding import HeldVerdict, Hold
from scorecards.rules.tree import Compiler
from scorecards.scorecard import grade_service
from scorecards.standing import STATUSES
from tests.scorecards.known_checks import known_checks
from tests.scorecards.samples import HEALTHY, NOW, OFFERS, QUILL, SPECS, state, subject
from tests.scorecards.test_grading import check as make_check

DAY = timedelta(days=1)
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
"""Shrinking a whole catalogue takes minutes; the failing check and its sentence tell enough."""
KEYS = {
    "n": FactType.NUMBER,
    "i": FactType.INTEGER,
    "b": FactType.BOOLEAN,
    "s": FactType.STRING,
    "d": FactType.DATETIME,
    "m": FactType.SET,
}
RANDOM_SPECS = {
    f"x.{letter}{number}": FactSpec(f"x.{letter}{number}", kind, "", "A fact", timedelta(days=1 + number))
    for letter, kind in KEYS.items()
    for number in range(2)
}
VALUES = {
    "n": st.sampled_from([0.5, 0.9, 1, 2.5]),
    "i": st.integers(0, 4),
    "b": st.booleans(),
    "s": st.sampled_from(["", "T0", "T2", "odd"]),
    "d": st.integers(-800, 100).map(lambda hours: format_time(NOW + timedelta(hours=hours))),
    "m": st.lists(st.sampled_from(["a", "b", "c"]), unique=True).map(sorted),
}
OPERANDS = {
    "n": [("greaterThanInclusive", 0.9), ("lessThan", {"fact": "x.n1"}), ("equal", {"fact": "x.i1"}), ("in", [1, 0.5])],
    "i": [("lessThanInclusive", 2), ("notEqual", 3), ("greaterThan", {"fact": "x.n0"})],
    "b": [("equal", True), ("notEqual", True)],
    "s": [("notEqual", ""), ("in", ["T0", "T1"]), ("atLeastAsCriticalAs", {"fact": "x.s1"})],
    "d": [
        ("youngerThan", "10d"),
        ("olderThan", "2d"),
        ("lessThan", {"fact": "x.d1"}),
        ("lessThan", {"fact": "x.d1", "plus": "2h"}),
        ("isAhead", "1h"),
    ],
    "m": [("contains", "a"), ("subsetOf", ["a", "b"]), ("subsetOf", {"fact": "x.m1"}), ("someFact:in", ["b"])],
}


@st.composite
def leaves(draw):
    letter = draw(st.sampled_from(sorted(KEYS)))
    operator, value = draw(st.sampled_from(OPERANDS[letter]))
    return {"fact": f"x.{letter}{draw(st.integers(0, 1))}", "operator": operator, "value": value}


trees = st.recursive(
    leaves(),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda nodes: {"all": nodes}),
        st.lists(inner, min_size=1, max_size=3).map(lambda nodes: {"any": nodes}),
        inner.map(lambda node: {"not": node}),
    ),
    max_leaves=4,
)


def compiled(tree, specs=RANDOM_SPECS, word="fact"):
    compiler = Compiler(specs, word)
    rule = compiler.compile(tree, "rule")
    assert rule is not None, compiler.faults
    return rule


@st.composite
def checks(draw, number):
    rule = compiled(draw(trees)) if draw(st.integers(0, 9)) else None
    needs = Condition(compiled(draw(leaves())), "Too few.", draw(st.sampled_from(["", "Do."])))
    tag = {"field": "tags", "operator": "contains", "value": draw(st.sampled_from(["go", "java"]))}
    lifecycle = {"field": "lifecycle", "operator": "equal", "value": draw(st.sampled_from(["ga", "limited"]))}
    where = Condition(compiled(draw(st.sampled_from([tag, lifecycle])), FieldSpecs(), "field"), "Not for it.")
    made = replace(
        make_check(
            f"chk.c{number}", draw(st.sampled_from(list(Axis))), draw(st.integers(1, 4)), draw(st.integers(1, 5))
        ),
        criticality=draw(st.sampled_from(list(Criticality))),
        effort=draw(st.sampled_from(list(Effort))),
        rule=rule,
        needs=needs if rule and draw(st.booleans()) else None,
        applies_to=where if draw(st.integers(0, 3)) == 0 else None,
        attested_for=draw(st.sampled_from([None, 30 * DAY])) if rule else 30 * DAY,
        enforce_from=draw(st.sampled_from([None, None, None, date(2026, 12, 1), date(2026, 1, 1)])),
        enforce_until=draw(st.sampled_from([None, None, None, date(2026, 12, 15), date(2026, 2, 1)])),
    )
    facts = made.facts
    if facts and draw(st.booleans()):
        made = replace(made, max_age={facts[0]: timedelta(hours=draw(st.integers(1, 60)))})
    return made


@st.composite
def catalogues(draw):
    made = [draw(checks(number)) for number in range(draw(st.integers(1, 8)))]
    return CheckCatalogue({one.id: one for one in made}, "v")


@st.composite
def documents(draw):
    found = []
    for source in draw(st.lists(st.sampled_from(["alpha", "beta", "gone"]), unique=True)):
        document = {}
        for key in draw(st.lists(st.sampled_from(sorted(RANDOM_SPECS)), unique=True)):
            at = format_time(NOW - timedelta(hours=draw(st.integers(0, 80))))
            entry = {"value": draw(VALUES[key[2]]), "observed_at": at, "collected_at": at}
            if draw(st.integers(0, 15)) == 0:
                entry = {"fault": "is odd", "observed_at": at, "collected_at": at}
            elif draw(st.integers(0, 15)) == 0:
                entry["value"] = {"odd": 1}
            document[key] = entry
        found.append((source, document))
    return found


@st.composite
def exceptions(draw, catalogue):
    ids = list(catalogue.checks)
    ends = NOW + timedelta(hours=draw(st.integers(1, 5000)))
    waivers, attestations, inherited = {}, {}, {}
    for check in ids:
        kind = draw(st.integers(0, 7))
        if kind in (0, 3):
            waivers[check] = Waiver("w", check, "It is old", "We look", "a", "b", NOW - DAY, ends)
        if kind in (1, 3):
            given_at = NOW - draw(st.integers(0, 40)) * DAY
            version = draw(st.sampled_from([1, 1, 2]))
            attestations[check] = Attestation("a", check, version, draw(st.booleans()), "So", None, "a", given_at, ends)
        if kind in (2, 3):
            inherited[check] = Inheritance(check, "base", "2.1", draw(st.sampled_from([None, ends])))
    return InForce(attestations, waivers, inherited)


def source(name, facts, outage):
    failing = {"state": "failing", "failure_kind": "timeout", "failure_message": "no answer"}
    last = {None: None, 1: NOW - DAY, 2: NOW - 5 * DAY}[outage] if outage is not False else NOW
    values = failing if outage is not False else {}
    return replace(state("prometheus"), name=name, plugin=name, facts=frozenset(facts), last_success_at=last, **values)


@st.composite
def supplies(draw):
    keys = sorted(RANDOM_SPECS)
    sources = {}
    for name in draw(st.permutations(["alpha", "beta"])):
        outage = draw(st.sampled_from([False, False, None, 1, 2]))
        sources[name] = source(name, draw(st.sets(st.sampled_from(keys))), outage)
    return Supply(RANDOM_SPECS, sources, {})


def assess(catalogue, specs, supply, observations, service, neighbours, in_force, hold):
    view = View(observations, supply, NOW, derivations(service, neighbours))
    plan = Plan(catalogue, specs)
    reader = Reader(plan, supply, NOW)
    seen = reader.read(observations, view, [key for key in view.derive if key in plan.slots_of])
    fields = service_fields(service, view.observed())
    return plan, Assessor(plan, reader, NOW).assess([Given(fields, seen, in_force, hold)])[0], view


def assert_agreement(catalogue, specs, supply, observations, service, neighbours, in_force, hold=None):
    plan, fast, view = assess(catalogue, specs, supply, observations, service, neighbours, in_force, hold)
    told = grade_service(service, view, catalogue, NOW, in_force, hold)
    by_check = {result.check.id: result for result in told.results}
    for prepared in plan.checks:
        result = by_check[prepared.check.id]
        assert STATUSES[fast.codes[prepared.number]] is result.status, (prepared.check.id, result.sentence)
        kind = fast.kinds.get(prepared.number)
        assert kind is None or kind is result.evidence
        assert (kind is None) is (result.evidence in (None, "measured"))
        assert (prepared.number in {*fast.first_group}) <= (not result.shadow)
    standings = [told.overall, *told.axes.values()]
    assert list(fast.levels) == [standing.level for standing in standings]
    assert [one.percent for one in (fast.overall, *fast.axes)] == [standing.percent for standing in standings]
    assert [one.coverage for one in (fast.overall, *fast.axes)] == [standing.coverage for standing in standings]
    assert set(fast.held) == set(told.held)
    steps = next_steps(told.results, told.gains)
    assert (fast.first is None) is (not steps)
    if steps:
        group = {plan.checks[number].check.id for number in fast.first_group}
        assert group == set(steps[0].checks)
    moments = [result.changes_at for result in told.results if result.changes_at]
    moments += [end for end in (in_force.changes_at,) if end] + [one.until for one in told.held.values()]
    assert fast.valid_until == min(moments, default=None)
    waiting = any(cause.kind == "stale" for result in told.results if result.status != "not_applicable"
                  for cause in result.causes)  # fmt: skip
    assert fast.awaits_evidence is waiting
    for number in fast.unknowns:
        result = by_check[plan.checks[number].check.id]
        if result.status == "unknown":
            dark = any(cause.kind == "stale" or cause.party == "portal_operators" for cause in result.causes)
            assert fast.unknowns.is_dark(number) is dark


@settings(max_examples=120, deadline=None, phases=NO_SHRINKING)
@given(st.data())
def test_both_judgements_agree_on_random_catalogues_and_facts(data):
    catalogue = data.draw(catalogues())
    supply = data.draw(supplies())
    observations = Observations(data.draw(documents()))
    in_force = data.draw(exceptions(catalogue))
    passing = data.draw(st.sets(st.sampled_from(list(catalogue.checks))))
    held = {check: HeldVerdict("alpha", NOW - 2 * DAY, NOW + DAY) for check in passing if data.draw(st.booleans())}
    hold = data.draw(st.sampled_from([None, Hold(passing, held)]))
    service = subject(
        tags=data.draw(st.sampled_from([(), ("go",)])), lifecycle=data.draw(st.sampled_from(["ga", None]))
    )
    assert_agreement(catalogue, RANDOM_SPECS, supply, observations, service, {}, in_force, hold)


@settings(max_examples=30, deadline=None, phases=NO_SHRINKING)
@given(st.data())
def test_services_judged_together_stand_as_each_one_judged_alone(data):
    catalogue = data.draw(catalogues())
    plan, supply = Plan(catalogue, RANDOM_SPECS), data.draw(supplies())
    reader = Reader(plan, supply, NOW)
    services = [
        Given(
            service_fields(subject(tags=data.draw(st.sampled_from([(), ("go",), ("java",)]))), ()),
            reader.read(Observations(data.draw(documents()))),
            data.draw(exceptions(catalogue)),
            data.draw(st.sampled_from([None, Hold(frozenset(catalogue.checks), {})])),
        )
        for _ in range(4)
    ]
    together = Assessor(plan, reader, NOW).assess(services)
    for one, found in zip(services, together, strict=True):
        (alone,) = Assessor(plan, reader, NOW).assess([one])
        assert alone.codes == found.codes
        assert (alone.levels, alone.kinds, alone.held) == (found.levels, found.kinds, found.held)
        assert (alone.valid_until, alone.awaits_evidence) == (found.valid_until, found.awaits_evidence)
        assert (alone.first, alone.first_group) == (found.first, found.first_group)
        assert dict(alone.unknowns) == dict(found.unknowns)


@pytest.mark.parametrize("value", ["2026-11-20T00:00:00Z", 3, True, None, ["a"], "no time"])
@pytest.mark.parametrize(
    ("operator", "operand"), [("youngerThan", "10d"), ("contains", "a"), ("equal", "3"), ("exists", True)]
)
def test_both_judgements_read_fields_of_the_entity_alike(operator, operand, value):
    specs = RuleSpecs(RANDOM_SPECS)
    rule = compiled({"fact": "entity.spec.odd", "operator": operator, "value": operand}, specs)
    catalogue = CheckCatalogue({"chk.f": replace(make_check("chk.f"), rule=rule)}, "v")
    supply, service = Supply(specs, {}, {}), subject(fields={} if value is None else {"spec.odd": value})
    view = View(Observations(), supply, NOW, entity_facts(service, ["spec.odd"], supply))
    plan = Plan(catalogue, specs)
    reader = Reader(plan, supply, NOW)
    assert plan.derived == ("entity.spec.odd",)
    (fast,) = Assessor(plan, reader, NOW).assess([Given({}, reader.read(Observations(), view, plan.derived))])
    told = grade_service(service, view, catalogue, NOW)
    assert STATUSES[fast.codes[0]] is told.results[0].status


def test_services_that_differ_only_in_true_and_1_are_told_apart():
    where = Condition(compiled({"field": "spec.odd", "operator": "equal", "value": 2}, FieldSpecs(), "field"), "No.")
    rule = compiled({"fact": "x.b0", "operator": "equal", "value": True})
    catalogue = CheckCatalogue({"chk.f": replace(make_check("chk.f"), rule=rule, applies_to=where)}, "v")
    plan, supply = Plan(catalogue, RANDOM_SPECS), Supply(RANDOM_SPECS, {}, {})
    reader = Reader(plan, supply, NOW)
    services = [
        Given(service_fields(subject(fields={"spec.odd": odd}), ()), reader.read(Observations())) for odd in (1, True)
    ]
    together = [found.codes for found in Assessor(plan, reader, NOW).assess(services)]
    alone = [Assessor(plan, reader, NOW).assess([one])[0].codes for one in services]
    assert together == alone
    assert alone[0] != alone[1]


spoilt = st.sampled_from([None, timedelta(days=30), "other"])


@settings(max_examples=40, deadline=None, phases=NO_SHRINKING)
@given(st.data())
def test_both_judgements_agree_on_the_default_checks_and_the_sample_service(data):
    from tests.scorecards.samples import DECLARED

    found = []
    for name, rows in DECLARED.items():
        document = {}
        for key, *_, value in rows:
            age = data.draw(st.sampled_from([timedelta(minutes=1)] * 6 + [timedelta(days=30), None]))
            if age is None:
                continue
            at = format_time(NOW - age)
            other = data.draw(st.sampled_from([value] * 5 + [0, False, []]))
            document[key] = {"value": other, "observed_at": at, "collected_at": at}
        found.append((name, document))
    sources = dict(HEALTHY)
    if data.draw(st.booleans()):
        sources["prometheus"] = state("prometheus", state="failing", failure_kind="timeout", last_success_at=NOW - DAY)
    supply = Supply(SPECS, sources, OFFERS)
    at = format_time(NOW)
    neighbour = {"slo.availability.target": {"value": 0.9999, "observed_at": at, "collected_at": at}}
    around = {QUILL: View(Observations([("openslo", neighbour)]), supply, NOW)} if data.draw(st.booleans()) else {}
    catalogue = known_checks()
    in_force = data.draw(exceptions(catalogue))
    assert_agreement(catalogue, SPECS, supply, Observations(found), subject(), around, in_force)


def test_no_rule_of_the_default_catalogue_is_left_to_the_slow_way():
    plan = Plan(known_checks(), SPECS)
    slow = [one.check.id for one in plan.checks if one.rule and len(one.rule.leaves) < len(one.rule.slots) / 2]
    assert slow == []


@pytest.mark.parametrize("value", [True, 1, 1.0, "1", [], None])
def test_both_judgements_read_odd_values_alike(value):
    at = format_time(NOW)
    document = {key: {"value": value, "observed_at": at, "collected_at": at} for key in RANDOM_SPECS}
    made = {
        f"chk.{key[2:]}": replace(
            make_check(f"chk.{key[2:]}"),
            rule=compiled({"fact": key, "operator": OPERANDS[key[2]][0][0], "value": OPERANDS[key[2]][0][1]}),
        )
        for key in RANDOM_SPECS
    }
    supply = Supply(RANDOM_SPECS, {}, {})
    assert_agreement(
        CheckCatalogue(made, "v"), RANDOM_SPECS, supply, Observations([("alpha", document)]), subject(), {}, InForce()
    )
