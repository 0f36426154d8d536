"""Answers about related entities: what one of them leaves open matters exactly where it would decide."""

from datetime import timedelta
from itertools import product

import pytest

from scorecards.checks.definitions import Subject
from scorecards.checks.fields import RuleSpecs
from scorecards.evidence.causes import Supply
from scorecards.evidence.observations import Observations
from scorecards.evidence.related import MAX_MEMBERS, Asker, Member, compiled
from scorecards.rules.related import called, read_which
from scorecards.rules.tree import Compiler
from tests.scorecards.samples import NOW

LEVELS = {True: {"level": 3}, False: {"level": 1}, None: {}}
KINDS = {True: {"spec.size": "big"}, False: {"spec.size": "small"}, None: {}}
RULES = [
    ("every related.dependsOn has (level >= L2)", all),
    ("any related.dependsOn has (level >= L2)", any),
    ("no related.dependsOn has (level >= L2)", lambda truths: not any(truths)),
    ("at least 2 of related.dependsOn has (level >= L2)", lambda truths: sum(truths) >= 2),
    ("at least 50% of related.dependsOn has (level >= L2)", lambda truths: 2 * sum(truths) >= len(truths)),
    ("not every related.dependsOn has (level >= L2)", lambda truths: not all(truths)),
]


def verdict(text, members):
    """Return what a rule says of a service with these related entities, and the evidence behind it."""
    specs = RuleSpecs({})
    compiler = Compiler(specs)
    rule = compiler.compile(text, "rule")
    assert rule, compiler.faults
    asker = Asker(compiled(rule.related, specs.of_related), Supply(specs, {}), NOW)
    facts = asker.facts(Subject("component:default/a", "a", related={"dependsOn": members}))
    truth, leaves = rule.evaluate(lambda key: facts[key](None), NOW)
    return truth, [leaf.evidence for leaf in leaves]


def member(number, fields, standing):
    return Member(f"component:default/m{number}", fields, Observations(), standing)


def completions(truths):
    """Return the truths as they may turn out to be."""
    return product(*[[True, False] if truth is None else [truth] for truth in truths])


@pytest.mark.parametrize(("text", "holds"), RULES)
def test_an_answer_is_known_exactly_when_what_is_open_cannot_change_it(text, holds):
    for size in range(5):
        for truths in product([True, False, None], repeat=size):
            members = tuple(member(number, {}, LEVELS[truth]) for number, truth in enumerate(truths))
            expected = {holds(one) for one in completions(truths)}
            assert verdict(text, members)[0] is (expected.pop() if len(expected) == 1 else None), truths


@pytest.mark.parametrize(("text", "holds"), [rule for rule in RULES if "%" not in rule[0]])
def test_whether_an_entity_is_meant_may_be_open_too(text, holds):
    asked = text.replace(" has", " where (spec.size is big) has")
    for size in range(3):
        for pairs in product(product([True, False, None], repeat=2), repeat=size):
            members = tuple(member(number, KINDS[meant], LEVELS[truth]) for number, (meant, truth) in enumerate(pairs))
            found = set()
            for all_meant in completions([meant for meant, _ in pairs]):
                kept = [truth for is_meant, (_, truth) in zip(all_meant, pairs, strict=True) if is_meant]
                found |= {holds(one) for one in completions(kept)}
            assert verdict(asked, members)[0] is (found.pop() if len(found) == 1 else None), pairs


def test_an_answer_says_of_whom_it_is_and_until_when_it_holds():
    members = (member(1, {}, {"level": 1}), member(2, {}, {}), member(3, None, {}))
    truth, [evidence] = verdict("every related.dependsOn has (level >= L2)", members)
    assert (truth, evidence.value) == (False, ("component:default/m1 (level L1)",))
    assert evidence.valid_until == NOW + timedelta(hours=1)
    truth, [evidence] = verdict("every related.dependsOn has (level >= L2)", members[1:])
    assert truth is None
    assert evidence.cause.sentence.startswith("component:default/m2: it has no scorecard yet")
    assert evidence.cause.sentence.endswith("(and 1 more of them)")
    assert called(evidence.key) == "related.dependsOn"


def test_of_too_many_nothing_is_asked():
    members = tuple(member(number, {}, {"level": 4}) for number in range(MAX_MEMBERS + 1))
    truth, [evidence] = verdict("every related.dependsOn has (level >= L2)", members)
    assert truth is None
    assert f"{MAX_MEMBERS + 1:,}".replace(",", "") in evidence.cause.sentence


@pytest.mark.parametrize(
    ("given", "read"), [("every", "every"), ("no", "no"), (3, 3), ("80%", 0.8), (0.25, 0.25), ("100 %", 1.0)]
)
def test_which_of_them_is_a_word_a_number_or_a_share(given, read):
    assert read_which(given) == read


@pytest.mark.parametrize("given", ["all", 0, -1, True, "0%", "120%", 1.5, 0.0, None, "many"])
def test_which_of_them_is_nothing_else(given):
    with pytest.raises(ValueError, match=r"."):
        read_which(given)
