"""Conditions on members, lengths, times ahead, versions of other facts, and on other facts with something more."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings

from plugins.contract import FactSpec, FactType
from scorecards.assessment.rules import compile_rule
from scorecards.evidence.view import Evidence, EvidenceState
from scorecards.rules.tree import Compiler
from tests.scorecards.test_rules import SPECS as TREE_SPECS
from tests.scorecards.test_rules import facts, trees

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SPECS = {
    key: FactSpec(key, kind, unit, "", timedelta(days=1))
    for key, kind, unit in (
        ("runtime.images", FactType.SET, ""),
        ("runtime.versions", FactType.SET, ""),
        ("runtime.region", FactType.STRING, ""),
        ("slo.regions", FactType.SET, ""),
        ("repo.description", FactType.STRING, ""),
        ("repo.reviewers", FactType.SET, ""),
        ("lib.version", FactType.STRING, ""),
        ("lib.oldest", FactType.STRING, ""),
        ("cert.expires_at", FactType.DATETIME, ""),
        ("incident.closed_at", FactType.DATETIME, ""),
        ("postmortem.at", FactType.DATETIME, ""),
        ("tests.passed", FactType.INTEGER, "count"),
        ("tests.total", FactType.INTEGER, "count"),
        ("latency.p99", FactType.NUMBER, "seconds"),
        ("latency.target", FactType.NUMBER, "seconds"),
    )
}
IMAGES = ("registry.example/a:1.2", "registry.example/b:latest")


def evaluated(text, thresholds=None, **values):
    compiler = Compiler(SPECS, thresholds=thresholds)
    rule = compiler.compile(text, "rule")
    assert [fault.message for fault in compiler.faults] == []
    given_values = {key.replace("__", "."): value for key, value in values.items()}

    def lookup(key):
        if key not in given_values:
            return Evidence(key, EvidenceState.MISSING)
        return Evidence(key, EvidenceState.FRESH, value=given_values[key])

    return rule.evaluate(lookup, NOW)


def days(number):
    return NOW + timedelta(days=number)


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("every member of runtime.images starts with 'registry.example/'", {"runtime__images": IMAGES}, True),
        ("no member of runtime.images ends with ':latest'", {"runtime__images": IMAGES}, False),
        ("any member of runtime.images matches '*:latest'", {"runtime__images": IMAGES}, True),
        ("no member of runtime.images ends with ':latest'", {}, None),
        ("every member of runtime.images is x", {"runtime__images": ()}, True),
        ("every member of runtime.versions at least version 17", {"runtime__versions": ("17.1", "21")}, True),
        ("every member of runtime.versions at least version 17", {"runtime__versions": ("17.1", "odd")}, None),
        ("every member of runtime.versions at least version 17", {"runtime__versions": ("11", "odd")}, False),
        ("every member of runtime.versions in ['17', '21']", {"runtime__versions": ("17",)}, True),
        ("every member of runtime.versions =~ '^[0-9]+$'", {"runtime__versions": ("17",)}, True),
        ("count(repo.reviewers) >= 2", {"repo__reviewers": ("a",)}, False),
        ("count(repo.reviewers) > 1", {"repo__reviewers": ("a", "b")}, True),
        ("count(repo.reviewers) < $most", {"repo__reviewers": ("a", "b")}, True),
        ("count(repo.reviewers) == 2", {"repo__reviewers": ("a", "b")}, True),
        ("count(repo.reviewers) != 2", {"repo__reviewers": ("a", "b")}, False),
        ("count(repo.reviewers) != 2", {}, None),
        ("length(repo.description) >= 40", {"repo__description": "x" * 39}, False),
        ("length(repo.description) at most 1024", {"repo__description": "x" * 1024}, True),
        ("runtime.region in slo.regions", {"runtime__region": "eu", "slo__regions": ("eu", "us")}, True),
        ("runtime.region in slo.regions", {"runtime__region": "eu"}, None),
        ("slo.regions overlaps ['eu', 'as']", {"slo__regions": ("eu", "us")}, True),
        ("slo.regions contains value of runtime.region", {"runtime__region": "as", "slo__regions": ("eu",)}, False),
        ("repo.description =~ '(?i)^checkout'", {"repo__description": "Checkout of carts"}, True),
        ("repo.description does not match regex 'todo|tbd'", {"repo__description": "tbd"}, False),
        ("lib.version at least version lib.oldest", {"lib__version": "2.10.0", "lib__oldest": "v2.9"}, True),
        ("lib.version below version lib.oldest", {"lib__version": "2.10.0", "lib__oldest": "v2.9"}, False),
        ("lib.version at least version lib.oldest", {"lib__version": "2.10.0", "lib__oldest": "none"}, None),
        ("cert.expires_at at least 30d ahead", {"cert__expires_at": days(31)}, True),
        ("until(cert.expires_at) >= 30d", {"cert__expires_at": days(29)}, False),
        ("until(cert.expires_at) < 30d", {"cert__expires_at": days(29)}, True),
        ("cert.expires_at less than 30d from now", {"cert__expires_at": days(-1)}, True),
        ("age(postmortem.at) at most 30d", {"postmortem__at": days(-31)}, False),
        (
            "postmortem.at <= incident.closed_at + 14d",
            {"postmortem__at": days(-10), "incident__closed_at": days(-25)},
            False,
        ),
        (
            "incident.closed_at >= postmortem.at - 14d",
            {"postmortem__at": days(-10), "incident__closed_at": days(-20)},
            True,
        ),
        ("tests.passed >= 95% of tests.total", {"tests__passed": 95, "tests__total": 100}, True),
        ("tests.passed >= 95% of tests.total + 1", {"tests__passed": 95, "tests__total": 100}, False),
        ("latency.p99 <= latency.target * 2 + 100ms", {"latency__p99": 0.49, "latency__target": 0.2}, True),
        ("tests.total at least 100 and tests.passed is more than 10", {"tests__passed": 9, "tests__total": 100}, False),
    ],
)
def test_conditions_say_what_checklists_ask(text, values, expected):
    assert evaluated(text, {"most": 3}, **values)[0] is expected


def test_members_that_fail_are_named():
    _, (seen,) = evaluated("every member of runtime.images =~ ':[0-9]'", runtime__images=IMAGES)
    assert seen.missing == ("registry.example/b:latest",)


def test_a_time_ahead_says_when_it_comes_too_near():
    _, (seen,) = evaluated("until(cert.expires_at) >= 30d", cert__expires_at=days(40))
    assert seen.changes_at == days(10)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("length(runtime.images) >= 2", "lengthAtLeast does not fit runtime.images, a set"),
        ("count(repo.description) >= 2", "hasAtLeast does not fit repo.description, a string"),
        ("every member of repo.description is x", "does not fit repo.description, a string"),
        ("every member of runtime.images older than 3d", "of members one asks"),
        ("runtime.region in repo.description", "they cannot be compared by in; expected a list"),
        ("lib.version at least version tests.total", "cannot be compared by versionAtLeast"),
        ("postmortem.at <= incident.closed_at + 14", "a duration where times are compared"),
        ("tests.passed >= tests.total + 3d", "does not fit the unit"),
        ("repo.description =~ '('", "is no regular expression of RE2: missing )"),
        ("count(repo.reviewers) >= 2 ahead", "expected `and`, `or` or the end"),
        ("until(cert.expires_at) == 3d", "what is left is compared with"),
        ("runtime.region == lib.version + 1", "neither a number nor a time"),
    ],
)
def test_what_does_not_fit_is_named(text, words):
    compiler = Compiler(SPECS)
    assert compiler.compile(text, "rule") is None
    assert words in " ".join(fault.message for fault in compiler.faults)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(trees, facts)
def test_many_services_are_judged_by_every_operator_as_one_is(tree, values):
    rule = Compiler(TREE_SPECS).compile(tree, "rule")
    if rule is None:
        return
    slots = {}
    compiled = compile_rule(rule, TREE_SPECS, lambda key: slots.setdefault(key, len(slots)))

    def lookup(key):
        state = EvidenceState.MISSING if values[key] is None else EvidenceState.FRESH
        return Evidence(key, state, value=values[key])

    columns = [[values[key]] for key in slots]
    assert compiled.test(columns, NOW)[0] is rule.evaluate(lookup, NOW)[0]
