"""Scorecards of other products read into checks: rules where both can say the same, facts to be supplied where not."""

import pytest
import yaml

from portal_backend.core.errors import InvalidInput
from scorecards.checks.catalogue import load_catalogue
from scorecards.importing.cql import Untranslatable, translate
from scorecards.importing.drafts import Outcome
from scorecards.importing.making import Options
from scorecards.importing.reading import prefix_of, read_draft
from scorecards.importing.writing import as_yaml
from tests.conftest import shared
from tests.scorecards.importing.test_checklists import DEFAULTS, KNOWN
from tests.scorecards.samples import SPECS


def draft_of(content, name="card.yaml"):
    text = content if isinstance(content, str) else yaml.safe_dump(content)
    return read_draft(name, text, Options(prefix_of(name), KNOWN), DEFAULTS)


def checks_of(draft, folder):
    (folder / "import.yaml").write_text(as_yaml(draft, DEFAULTS))
    catalogue = load_catalogue([folder / "import.yaml"], SPECS)
    return [catalogue.checks[one.check] for one in draft.said]


def leaf(fact, operator, value):
    return {"fact": fact, "operator": operator, "value": value}


@pytest.mark.parametrize(
    ("name", "format_", "count"),
    [
        ("broadinstitute__dsp-backstage__soundcheck-soundcheck-checks.yaml", "a Soundcheck file", 6),
        ("broadinstitute__dsp-backstage__soundcheck-scm-facts-collectors.yaml", "a Soundcheck file", 0),
        ("broadinstitute__dsp-backstage__soundcheck-github-facts-collectors.yaml", "a Soundcheck file", 0),
        ("josh-uvi-tw__BackStage-Starter__soundcheck-programs.yaml", "a Soundcheck file", 1),
        (
            "cortexapps__cli__cortexapps_cli-solutions-ai-skills-scorecards-ai-skills-quality.yaml",
            "a Cortex scorecard",
            8,
        ),
        ("port-labs__ocean__integrations-amplication-.port-resources-scorecards.json", "a Port scorecard", 3),
    ],
)
def test_every_rule_of_a_public_scorecard_is_answered_by_facts(name, format_, count, tmp_path):
    draft = draft_of(shared("corpus", "scorecards", name).read_text(), name)
    assert draft.format == format_
    assert [one.outcome for one in draft.said] == [Outcome.AUTOMATIC] * count
    assert all(check.rule for check in checks_of(draft, tmp_path))
    assert count or draft.notes


@pytest.mark.parametrize(
    ("expression", "tree"),
    [
        ("git.codeCoverage() > 80", leaf("git.code_coverage", "greaterThan", 80)),
        ("oncall.numOfEscalations() >= 2", leaf("oncall.escalation.levels", "greaterThanInclusive", 2)),
        ("slos().length > 0", leaf("slo.count", "greaterThan", 0)),
        ("ownership.allOwners().length > 1", leaf("ownership.all_owners", "hasAtLeast", 2)),
        ("entity.description.length > 10", leaf("entity.metadata.description", "lengthAtLeast", 11)),
        ('custom("tier") == "gold"', leaf("custom.tier", "equal", "gold")),
        ('jq(custom("deep"), "not")', leaf("custom.deep", "equal", False)),
        ('jq(custom("x"), ".a.b") > 3', leaf("custom.x.a.b", "greaterThan", 3)),
        ('git.lastCommit().freshness < duration("P30D")', leaf("git.last_commit", "youngerThan", "30d")),
        ('git.lastCommit().fromNow() > duration("P-2W")', leaf("git.last_commit", "youngerThan", "14d")),
        ('git.lastCommit().freshness > duration("PT6H")', leaf("git.last_commit", "olderThan", "6h")),
        ("k8s != null", leaf("cortex.k8s.present", "equal", True)),
        ("entity.description() == null", {"not": leaf("entity.metadata.description", "exists", True)}),
        ('git.fileExists("README.md")', leaf("git.file_exists.README_md", "equal", True)),
        ('entity.tag().startsWith("svc-")', leaf("entity.metadata.name", "startsWith", "svc-")),
        (
            'custom("a") AND NOT (custom("b") OR custom("c"))',
            {
                "all": [
                    leaf("custom.a", "equal", True),
                    {"not": {"any": [leaf("custom.b", "equal", True), leaf("custom.c", "equal", True)]}},
                ]
            },
        ),
    ],
)
def test_expressions_of_cortex_are_translated(expression, tree):
    assert translate(expression).tree == tree


@pytest.mark.parametrize(
    "expression",
    [
        "packages().filter((p) => p.old)",
        'jq(custom("x"), "map(.a) | add") > 3',
        "git.lastCommit().freshness",
        "a.b == ",
        "(a.b",
        "a.b # c",
        "a.length() > 1.5",
    ],
)
def test_expressions_that_say_more_are_named(expression):
    with pytest.raises(Untranslatable):
        translate(expression)


def test_a_cortex_ladder_places_its_rules_and_what_is_not_translated_is_supplied(tmp_path):
    draft = draft_of(
        {
            "name": "Ready",
            "ladder": {"levels": [{"name": "Gold", "rank": 2}, {"name": "Bronze", "rank": 1}]},
            "filter": {"types": {"include": ["service"]}},
            "rules": [
                {"title": "Owned", "expression": "ownership != null", "level": "Bronze", "weight": 50},
                {
                    "title": "Packages are new",
                    "expression": "packages().filter((p) => p.old).length == 0",
                    "level": "Gold",
                    "weight": 10,
                    "failureMessage": "Upgrade {them}.",
                    "effectiveFrom": "2027-01-01T00:00:00Z",
                },
            ],
        }
    )
    owned, packages = checks_of(draft, tmp_path)
    assert (owned.level, owned.weight, owned.applies_to.rule.facts) == (1, 5, ("type",))
    assert (packages.level, packages.weight, packages.how_to_fix) == (2, 1, ("Upgrade (them).",))
    assert packages.rule.tree == leaf("cortex.packages_are_new", "equal", True)
    assert packages.enforce_from.isoformat() == "2027-01-01"
    assert "says more than a rule of ours" in draft.said[1].why


def test_soundcheck_groups_negations_and_paths(tmp_path):
    rule = {"factRef": "scm:default/repo", "path": "$.stats.stars", "operator": "greaterThan", "value": 3}
    nested = {"any": [rule, {"not": {**rule, "operator": "equal", "value": 0}}]}
    odd = {**rule, "path": "$.items[?(@.x)]"}
    draft = draft_of([{"id": "stars", "rule": nested}, {"id": "odd", "rule": odd, "failedMessage": "No {x}"}])
    stars, pushed = checks_of(draft, tmp_path)
    assert stars.rule.facts == ("scm.repo.stats.stars",)
    assert (pushed.rule.facts, pushed.fails) == (("soundcheck.odd",), "No (x)")


def test_port_queries_with_groups_ranges_and_relations(tmp_path):
    def card(rule):
        return {"title": "R", "identifier": "r", "level": "Gold", "query": rule}

    conditions = [
        {"property": "on-call", "operator": "isNotEmpty"},
        {"property": "$team", "operator": "beginsWith", "value": "x"},
        {"property": "seen", "operator": "between", "value": {"preset": "lastMonth"}},
        {"combinator": "or", "conditions": [{"property": "n", "operator": "between", "value": [1, 5]}]},
    ]
    draft = draft_of(
        [
            {
                "blueprint": "Micro Service",
                "levels": ["Basic", "Silver", "Gold"],
                "rules": [
                    card({"combinator": "and", "conditions": conditions}),
                    card({"combinator": "and", "conditions": [{"relation": "x", "operator": "="}]}),
                ],
            }
        ]
    )
    whole, relation = checks_of(draft, tmp_path)
    assert whole.rule.facts == ("micro_service.on_call", "entity.spec.owner", "micro_service.seen", "micro_service.n")
    assert (whole.level, relation.rule.facts) == (2, ("port.r",))


def test_opslevel_checks_by_their_kinds(tmp_path):
    def check(kind, **spec):
        return {"kind": kind, "spec": {"name": kind, "category": "Reliability", "level": "silver", **spec}}

    draft = draft_of(
        [
            check("hasOwner"),
            check("tagDefined", tagKey="pci"),
            check("repositoryFile", filePaths=["README.md", "readme.md"]),
            check("hasRecentDeploy", days=7),
            check("manual", notes="A review was held."),
            check("generic", successCondition=".x | length > 1"),
        ],
        "ops.yaml",
    )
    checks = checks_of(draft, tmp_path)
    assert [one.outcome.value for one in draft.said] == ["existing", *["automatic"] * 3, "attested", "automatic"]
    assert checks[1].rule.tree == leaf("entity.metadata.labels.pci", "exists", True)
    assert checks[3].rule.tree == leaf("deploys.last_at", "youngerThan", "7d")
    assert (checks[4].confirms, checks[4].level, checks[4].axis) == ("A review was held.", 2, "architecture")
    assert checks[5].rule.facts == ("opslevel.generic",)


def test_tech_insights_checks_are_taken_as_they_stand(tmp_path):
    conditions = {"all": [{"fact": "hasOwner", "operator": "equal", "value": True}]}
    checks = {
        "owned": {"type": "json-rules-engine", "name": "Owned", "factIds": ["x"], "rule": {"conditions": conditions}}
    }
    draft = draft_of({"techInsights": {"factChecker": {"checks": checks}}})
    assert [check.id for check in checks_of(draft, tmp_path)] == ["owned"]


def test_a_rule_whose_fact_is_of_another_type_is_attested():
    rule = {"combinator": "and", "conditions": [{"property": "count", "operator": "=", "value": "many"}]}
    draft = draft_of(
        [{"blueprint": "slo", "levels": ["A", "B"], "rules": [{"title": "R", "level": "B", "query": rule}]}]
    )
    assert draft.said[0].outcome is Outcome.ATTESTED
    assert "does not load here" in draft.said[0].why


def test_what_is_no_yaml_is_refused():
    with pytest.raises(InvalidInput, match="cannot be read"):
        draft_of("a: [", "x.yaml")
