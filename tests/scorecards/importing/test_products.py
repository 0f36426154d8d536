"""Scorecards of other products read into checks: rules where both can say the same, facts to be supplied where not."""

from datetime import timedelta

import pytest
import yaml

from plugins.contract import FactSpec, FactType
from portal_backend.core.errors import InvalidInput
from scorecards.checks.catalogue import load_catalogue
from scorecards.checks.files import read_text
from scorecards.importing.cql import translate
from scorecards.importing.cql_conditions import Untranslatable
from scorecards.importing.drafts import Outcome
from scorecards.importing.making import Options
from scorecards.importing.reading import prefix_of, read_draft
from scorecards.importing.writing import as_yaml
from tests.conftest import shared
from tests.scorecards.importing.test_checklists import DEFAULTS, KNOWN


def draft_of(content, name="card.yaml"):
    text = content if isinstance(content, str) else yaml.safe_dump(content)
    return read_draft(name, text, Options(prefix_of(name), KNOWN), DEFAULTS)


def checks_of(draft, folder):
    (folder / "import.yaml").write_text(as_yaml(draft, DEFAULTS))
    catalogue = load_catalogue([folder / "import.yaml"], KNOWN)
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
        ("ownership.allOwners().length > 1", leaf("entity.relations.ownedBy", "hasAtLeast", 2)),
        ("entity.description.length > 10", leaf("entity.metadata.description", "lengthAtLeast", 11)),
        ('custom("tier") == "gold"', leaf("custom.tier", "equal", "gold")),
        ('jq(custom("deep"), "not")', leaf("custom.deep", "equal", False)),
        ('jq(custom("x"), ".a.b") > 3', leaf("custom.x.a.b", "greaterThan", 3)),
        ('git.lastCommit().freshness < duration("P30D")', leaf("git.last_commit", "youngerThan", "30d")),
        ('git.lastCommit().fromNow() > duration("P-2W")', leaf("git.last_commit", "youngerThan", "14d")),
        ('git.lastCommit().freshness > duration("PT6H")', leaf("git.last_commit", "olderThan", "6h")),
        ("k8s != null", leaf("cortex.k8s.present", "equal", True)),
        ("oncall == null", {"not": leaf("oncall.schedule.id", "isEmpty", False)}),
        (
            'dependencies.out().any((one) => one.type == "bucket")',
            {"related": "dependsOn", "which": "any", "have": leaf("type", "equal", "bucket")},
        ),
        ("dependencies.in().length > 0", leaf("entity.relations.dependencyOf", "hasAtLeast", 1)),
        ("jira.tickets().length == 0", leaf("jira.tickets", "hasAtMost", 0)),
        ("entity.description() == null", {"not": leaf("entity.metadata.description", "exists", True)}),
        ('git.fileExists("README.md")', leaf("repo.file.readme_md", "equal", True)),
        ("git != null", leaf("entity.metadata.annotations.backstage.io/source-location", "exists", True)),
        ('hasGroup("pci")', leaf("entity.metadata.tags", "hasValue", "pci")),
        (
            'groups().any((group) => group.name.matchesIn("tier-"))',
            leaf("entity.metadata.tags", "someFact:matchesRegex", "tier-"),
        ),
        ('jira.tickets().all((t) => t.priority != "P1")', leaf("jira.tickets.priority", "everyFact:notIn", ["P1"])),
        (
            'jira.tickets().filter((t) => t.priority == "P1").length < 1',
            {"not": leaf("jira.tickets.priority", "someFact:in", ["P1"])},
        ),
        ('deploys(lookback=duration("P30D")).length > 0', leaf("deploys.last_at", "youngerThan", "30d")),
        (
            'spend(key="ai").map((m) => m.value).average() <= custom("budget") * 1.25',
            leaf("spend.ai.value.average", "lessThanInclusive", {"fact": "custom.budget", "times": 1.25}),
        ),
        ("slos().all((slo) => slo.passing)", leaf("cortex.slos.passing.all", "equal", True)),
        ("repos().any((one) => one.archived == false)", leaf("cortex.repos.archived.all", "equal", False)),
        ("slos().filter((slo) => slo.passing).length > 3", leaf("cortex.slos.passing.count", "greaterThan", 3)),
        ("k8s.deployments.all((d) => d.replicas > 1)", leaf("k8s.deployments.replicas.min", "greaterThan", 1)),
        ("k8s.pods.any((pod) => pod.restarts <= 3)", leaf("k8s.pods.restarts.min", "lessThanInclusive", 3)),
        ("k8s.pods.all((pod) => pod.restarts < 3)", leaf("k8s.pods.restarts.max", "lessThan", 3)),
        ('a.filter((x) => x.b == "c").length > 3', leaf("cortex.a.b.c.count", "greaterThan", 3)),
        ('custom("stage") in ["beta", "live"]', leaf("custom.stage", "in", ["beta", "live"])),
        ("apm.errorRate() * 100 < 5", leaf("apm.error_rate", "lessThan", 0.05)),
        ('links.exists(l, l.type == "runbook")', leaf("cortex.links.type", "someFact:in", ["runbook"])),
        ("links.size() > 0", leaf("entity.metadata.links", "hasAtLeast", 1)),
        ("owners.teams.size() >= 2", leaf("entity.relations.ownedBy", "hasAtLeast", 2)),
        ("entity.ownership().allOwners().length > 0", leaf("entity.relations.ownedBy", "hasAtLeast", 1)),
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
        'a.filter((x) => x.b == "c") == "d"',
        "a.all((x) => x.b == 3)",
        "a.b * 2",
        'a.b * 2 == "c"',
        "a.b * 0 > 1",
        "a.b in []",
        "a.any((x) => y.b)",
        "a.b > c.d * e.f",
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
                    "expression": "packages().filter((p) => p.old and p.used).length == 0",
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


def test_a_filter_of_cortex_tells_whom_the_checks_are_asked_of(tmp_path):
    def card(query):
        rules = [{"title": "Owned", "expression": "ownership != null"}]
        return draft_of(
            {"rules": rules, "filter": {"category": "SERVICE", "query": query, "types": {"exclude": ["lib"]}}}
        )

    (owned,) = checks_of(card('hasGroup("pci") and entity.tag() != "x"'), tmp_path)
    assert owned.applies_to.rule.facts == ("type", "metadata.tags", "metadata.name")
    draft = card('custom("a") > 1')
    assert draft.notes == [
        'The filter `custom("a") > 1` of the scorecard is not carried over (a check applies by what the catalog says, '
        "not by the fact custom.a): add it to `applies_to`."
    ]


def test_soundcheck_asks_members_of_lists(tmp_path):
    def rule(operator, value):
        return {
            "id": operator,
            "rule": {"factRef": "scm:default/x", "path": "$.tags", "operator": operator, "value": value},
        }

    draft = draft_of([rule("any:matches", "^v"), rule("all:equal", "a"), rule("all:greaterThan", 3)])
    assert [check.rule.tree for check in checks_of(draft, tmp_path)] == [
        leaf("scm.x.tags", "someFact:matchesRegex", "^v"),
        leaf("scm.x.tags", "everyFact:in", ["a"]),
        leaf("soundcheck.all_greaterthan", "equal", True),
    ]


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


OWN = {
    "axis": "change",
    "level": 2,
    "weight": 1,
    "criticality": "minor",
    "version": 1,
    "owner": "sre",
    "sources": ["public list"],
    "why": "The list asks for it.",
    "how_to_fix": ["See the list."],
    "guide": "https://list.example",
    "effort": "days",
}
OTHER_PRODUCTS = [
    # Soundcheck: factRef and JSONPath, operator, value
    ("repo_details.open_issues < 10", {"repo_details.open_issues": "number"}),
    ("repo_details.private == false", {"repo_details.private": "boolean"}),
    ("repo_details.default_branch == main", {"repo_details.default_branch": "string"}),
    ("foundation.readme_exists == true", {"foundation.readme_exists": "boolean"}),
    ("workflow.matches", {"workflow.matches": "boolean"}),
    # Cortex: CQL on relations, custom data and tags
    ("cortex.destinations has at least 1", {"cortex.destinations": "set"}),
    ("custom.lineCount <= 200", {"custom.lineCount": "number"}),
    ("not (entity.metadata.name matches '*claude*' or entity.metadata.name matches '*anthropic*')", {}),
    ("not custom.hasDeepReferences", {"custom.hasDeepReferences": "boolean"}),
    # Port: combinator, property, operator, value
    ("resource.new_alerts_count <= 2", {"resource.new_alerts_count": "number"}),
    ("resource.new_alerts_count = 0", {"resource.new_alerts_count": "number"}),
]


@pytest.mark.parametrize(("rule", "facts"), OTHER_PRODUCTS)
def test_rules_of_other_products_can_be_said(rule, facts, tmp_path):
    specs = {key: FactSpec(key, FactType(kind), "", key, timedelta(days=1)) for key, kind in facts.items()}
    check = OWN | {"id": "other.rule", "title": "x", "question": "x", "rule": rule, "passes": "x.", "fails": "y."}
    (tmp_path / "other.yaml").write_text(yaml.safe_dump([check]))
    assert load_catalogue([tmp_path / "other.yaml"], specs, None).checks["other.rule"].rule


def test_every_document_of_a_file_is_read_for_what_it_is(tmp_path):
    card = {"name": "Ready", "rules": [{"title": "SLOs", "expression": "slos().length > 0"}]}
    rule = {"factRef": "scm:default/readme", "path": "$.exists", "operator": "equal", "value": True}
    track = {"id": "basics", "levels": [{"ordinal": 1, "checks": [{"id": "has_license"}]}]}
    documents = [card, None, {"id": "has_readme", "rule": rule}, track, [{"id": "has_owner", "rule": rule}]]
    draft = draft_of(yaml.safe_dump_all(documents))
    assert draft.format == "2 documents: a Soundcheck file and a Cortex scorecard"
    facts = [check.rule.facts for check in checks_of(draft, tmp_path)]
    assert facts == [("scm.readme.exists",)] * 2 + [("soundcheck.has_license",), ("slo.count",)]


def test_a_file_of_checks_of_ours_holds_one_document():
    faults = []
    assert read_text("org.yaml", "checks: []\n---\nchecks: []\n", faults) is None
    assert str(faults[0]) == "org.yaml: holds more than one document (`---`); put each into a file of its own"


def test_an_empty_field_of_the_entity_is_one_that_does_not_stand_there(tmp_path):
    conditions = [{"property": "$team", "operator": "isNotEmpty"}, {"property": "$title", "operator": "isEmpty"}]
    rule = {"title": "R", "level": "Gold", "query": {"combinator": "and", "conditions": conditions}}
    (check,) = checks_of(draft_of([{"blueprint": "service", "rules": [rule]}]), tmp_path)
    owner, title = leaf("entity.spec.owner", "exists", True), leaf("entity.metadata.title", "exists", True)
    assert check.rule.tree == {"all": [owner, {"not": title}]}


def test_a_relation_of_port_is_a_field_of_the_entity_and_a_number_may_be_written_as_text(tmp_path):
    conditions = [
        {"relation": "domain", "operator": "isNotEmpty"},
        {"relation": "runbook", "operator": "isEmpty"},
        {"property": "replicaCount", "operator": ">=", "value": "4"},
    ]
    rule = {"title": "R", "level": "Gold", "query": {"combinator": "and", "conditions": conditions}}
    (check,) = checks_of(draft_of([{"blueprint": "service", "rules": [rule]}]), tmp_path)
    assert check.rule.tree == {
        "all": [
            leaf("entity.spec.domain", "exists", True),
            leaf("service.runbook", "isEmpty", True),
            leaf("service.replicaCount", "greaterThanInclusive", 4),
        ]
    }
