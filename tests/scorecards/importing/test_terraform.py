"""Scorecards that Terraform sets up in OpsLevel, Port and Cortex read into checks."""

import pytest

from portal_backend.core.errors import InvalidInput
from scorecards.evidence.view import Evidence, EvidenceState
from scorecards.importing.drafts import Outcome
from scorecards.importing.products.predicates import version
from scorecards.importing.products.shared import NotSaid
from scorecards.importing.terraform import read_terraform
from tests.scorecards.importing.test_products import checks_of, draft_of, leaf
from tests.scorecards.samples import NOW

BASE = """
variable "most" {
  type    = number
  default = 5
}
locals {
  first = "bronze"
}
data "opslevel_rubric_level" "bronze" {
  filter {
    field = "name"
    value = "Bronze"
  }
}
resource "opslevel_rubric_category" "security" { name = "Security" }
resource "opslevel_filter" "critical" {
  name = "Critical"
  predicate {
    key   = "tier_index"
    type  = "less_than_or_equal_to"
    value = "1"
  }
  predicate {
    key      = "tags"
    type     = "equals"
    key_data = "env"
    value    = "prod"
  }
  connective = "and"
}
resource "opslevel_filter" "computed" {
  name = "Computed"
  predicate {
    key   = "tags"
    type  = "satisfies_jq_expression"
    value = ".x | length > 1"
    key_data = "env"
  }
}
"""


def resource(kind, rest, level="data.opslevel_rubric_level.bronze.id"):
    return f'resource "opslevel_check_{kind}" "one" {{\n  name = "The check"\n  level = {level}\n{rest}\n}}\n'


def only(text, folder):
    draft = draft_of(BASE + text, "rubric.tf")
    [check] = checks_of(draft, folder)
    return draft, check


@pytest.mark.parametrize(
    ("kind", "rest", "rule"),
    [
        ("tag_defined", 'tag_key = "pci"', leaf("entity.metadata.labels.pci", "exists", True)),
        (
            "tag_defined",
            'tag_key = "env"\n  tag_predicate {\n    type = "does_not_equal"\n    value = "dev"\n  }',
            leaf("entity.metadata.labels.env", "notEqual", "dev"),
        ),
        (
            "service_property",
            'property = "description"\n  predicate = {\n    type = "exists"\n  }',
            leaf("entity.metadata.description", "exists", True),
        ),
        (
            "service_property",
            'property = "custom_property"\n  property_definition = "runtime"\n'
            '  predicate = {\n    type = "starts_with"\n    value = "jvm"\n  }',
            leaf("service.runtime", "startsWith", "jvm"),
        ),
        (
            "relationship",
            "relationship_definition_id = opslevel_relationship_definition.depends_on.id\n"
            '  relationship_count_predicate {\n    type = "greater_than_or_equal_to"\n    value = "2"\n  }',
            leaf("entity.relations.dependsOn", "hasAtLeast", 2),
        ),
        (
            "repository_file",
            'filepaths = ["/README.md"]\n  directory_search = false',
            leaf("repo.file.readme_md", "equal", True),
        ),
        (
            "package_version",
            'package_manager = "maven"\n  package_name = "log4j"\n  package_constraint = "does_not_exist"',
            {"not": leaf("packages.maven", "contains", "log4j")},
        ),
        (
            "code_issue",
            'constraint = "any"\n  issue_type = ["snyk:code"]\n  max_allowed = var.most',
            leaf("code_issues.the_check", "lessThanInclusive", 5),
        ),
        ("has_recent_deploy", "days = 14", leaf("deploys.last_at", "youngerThan", "14d")),
        (
            "service_property",
            'property = "tier_index"\n  predicate {\n    type = "exists"\n  }',
            leaf("catalog.criticality", "isEmpty", False),
        ),
        (
            "alert_source_usage",
            'alert_type = "new_relic"',
            leaf("entity.metadata.annotations.newrelic.com/dashboard-guid", "exists", True),
        ),
    ],
)
def test_a_check_of_opslevel_is_said_by_its_kind(kind, rest, rule, tmp_path):
    draft, check = only(resource(kind, rest), tmp_path)
    assert draft.said[0].outcome is Outcome.AUTOMATIC
    assert (check.rule.tree, check.level) == (rule, 1)


@pytest.mark.parametrize(
    ("kind", "rest"),
    [
        ("custom_event", 'success_condition = ".x | length > 1"'),
        ("code_issue", "max_allowed = var.left_open"),
        ("has_recent_deploy", "days = var.left_open"),
        ("service_property", 'property = "tier_index"\n  predicate {\n    type = "equals"\n    value = "1"\n  }'),
        ("service_property", 'property = "name"\n  predicate {\n    type = "satisfies_jq_expression"\n  }'),
        ("package_version", 'package_manager = "go"\n  package_name = "a.*"\n  package_name_is_regex = true'),
        ("tool_usage", 'tool_category = "logs"'),
    ],
)
def test_what_computes_is_supplied_as_a_fact(kind, rest, tmp_path):
    _, check = only(resource(kind, rest), tmp_path)
    assert check.rule.tree == leaf("opslevel.the_check", "equal", True)


def test_a_check_whose_name_is_left_open_says_so(tmp_path):
    draft = draft_of(
        'resource "opslevel_check_manual" "this" {\n  name = var.name\n  enable_on = var.enable_on\n}', "m.tf"
    )
    assert [(one.outcome, one.why) for one in draft.said] == [
        (Outcome.NOT_SAID, "Its name is a variable that has no value in this file.")
    ]


def test_owners_are_asked_of_their_own_entity(tmp_path):
    _, check = only(resource("service_ownership", 'require_contact_method = true\n  contact_method = "ANY"'), tmp_path)
    [question] = check.related.values()
    assert (question.relation, question.which) == ("owner", "any")
    assert question.looks_at == {"spec.profile.email", "metadata.links"}


def test_a_filter_of_the_file_says_whom_a_check_is_asked_of(tmp_path):
    _, check = only(resource("has_documentation", "filter = opslevel_filter.critical.id"), tmp_path)
    assert check.applies_to.rule.tree == {
        "all": [
            {"field": "criticality", "operator": "atLeastAsCriticalAs", "value": "T1"},
            {"field": "metadata.labels.env", "operator": "equal", "value": "prod"},
        ]
    }


@pytest.mark.parametrize("name", ["computed", "of_another_file"])
def test_a_filter_that_cannot_be_said_is_named(name, tmp_path):
    draft, check = only(resource("has_documentation", f"filter = opslevel_filter.{name}.id"), tmp_path)
    assert check.applies_to is None
    assert any("applies_to" in note and name in note.lower() for note in draft.notes)


def test_what_people_answer_is_attested_for_as_long_as_there(tmp_path):
    often = 'update_frequency = {\n    starting_date = "2024-01-01"\n    time_scale = "week"\n    value = 13\n  }'
    draft, check = only(resource("manual", often), tmp_path)
    assert draft.said[0].outcome is Outcome.ATTESTED
    assert check.attested_for.days == 91


def test_levels_of_the_file_are_a_ladder_and_others_are_known_by_name(tmp_path):
    ladder = "".join(
        f'resource "opslevel_rubric_level" "{name}" {{\n  name = "{name}"\n  index = {index}\n}}\n'
        for index, name in enumerate(["Basic", "Fair", "Fine"], 1)
    )
    checks = resource("has_documentation", "", "opslevel_rubric_level.Fine.id")
    assert only(ladder + checks, tmp_path)[1].level == 3
    assert only(resource("has_documentation", "", "local.first"), tmp_path)[1].level == 1


def test_scorecards_of_port_and_cortex_are_read_with_the_same_file(tmp_path):
    draft = draft_of(
        """
        resource "port_scorecard" "ownership" {
          blueprint  = port_blueprint.microservice.identifier
          identifier = "ownership"
          title      = "Ownership"
          rules = [{
            identifier = "hasSlack"
            title      = "Has Slack"
            level      = "Silver"
            query = {
              combinator = "and"
              conditions = [jsonencode({ operator = "isNotEmpty", property = "slackChannel" })]
            }
          }]
        }
        resource "port_scorecard" "blocks" {
          blueprint  = "service"
          identifier = "blocks"
          title      = "Blocks"
          rules {
            identifier = "replicas"
            title      = "Replicas"
            level      = "Gold"
            query {
              combinator = "and"
              conditions = [jsonencode({ operator = ">=", property = "replicas", value = 2 })]
            }
          }
        }
        resource "cortex_scorecard" "dora" {
          tag  = "dora"
          name = "DORA"
          level {
            name   = "Gold"
            number = 1
          }
          level {
            name   = "Silver"
            number = 2
          }
          rule {
            title           = "Deploys"
            expression      = "deploys.frequency >= 1"
            weight          = 1
            level_name      = "Silver"
            failure_message = "Ship often."
          }
        }
        """,
        "all.tf",
    )
    slack, replicas, deploys = checks_of(draft, tmp_path)
    assert slack.rule.tree == {"not": leaf("microservice.slackChannel", "isEmpty", True)}
    assert replicas.rule.tree == leaf("service.replicas", "greaterThanInclusive", 2)
    assert deploys.rule.tree == leaf("deploys.frequency", "greaterThanInclusive", 1)
    assert (slack.level, replicas.level, deploys.level, deploys.how_to_fix) == (2, 3, 1, ("Ship often.",))


def test_a_module_that_sets_up_a_check_of_opslevel_is_that_check(tmp_path):
    text = """
module "owned" {
  source   = "git::https://code.example/modules//check/service_ownership?ref=v1"
  name     = "Owner is set"
  category = opslevel_rubric_category.all["quality"].id
  level    = opslevel_rubric_level.all["gold"].id
}
module "described" {
  source   = "../check/service_property"
  name     = "Description is set"
  category = opslevel_rubric_category.all["quality"].id
  level    = opslevel_rubric_level.all["silver"].id
  property = "description"
}
module "network" {
  source = "../network"
  name   = "Beside it"
}
"""
    draft = draft_of(text, "rubric.tf")
    assert [(one.item.name, one.item.level, one.outcome) for one in draft.said] == [
        ("Owner is set", 3, Outcome.EXISTING),
        ("Description is set", 2, Outcome.AUTOMATIC),
    ]
    assert draft.said[0].check == "arch.owner"
    assert draft.said[1].definition["rule"] == leaf("entity.metadata.description", "exists", True)


def test_what_terraform_alone_could_compute_stays_as_it_is_written():
    written = 'resource "opslevel_check_manual" "m" {\n  name = "x"\n  notes = <<-EOT\n    One\n      two\n  EOT\n'
    written += '  level = "gold"\n  owner = var.a == 1 ? "x" : "y"\n}\n'
    [document] = read_terraform(written)
    spec = document["checks"][0]["spec"]
    assert (spec["notes"], spec["owner"]) == ("One\n  two", '${var.a == 1 ? "x" : "y"}')


@pytest.mark.parametrize("text", ["resource {", 'a = "', 'x = jsonencode({"a" = ', "{" * 5000, "x = " + "[" * 4000])
def test_what_is_no_terraform_is_refused(text):
    with pytest.raises(InvalidInput, match="cannot be read"):
        draft_of(text, "x.tf")


@pytest.mark.parametrize("text", ["", "# nothing\n", 'resource "aws_instance" "a" {\n  ami = "x"\n}\n'])
def test_a_file_without_scorecards_says_so(text):
    draft = draft_of(text, "x.tf")
    assert (draft.said, len(draft.notes)) == ([], 1)


@pytest.mark.parametrize(
    ("constraint", "holds", "fails"),
    [
        (">= 1.2, < 3", "2.0.1", "3.0"),
        ("~> 2.1", "2.9", "3.0"),
        ("~> 2.1.4", "2.1.9", "2.2"),
        ("^4", "4.9.1", "5.0"),
        ("> 1.0", "1.1", "0.9"),
        ("<= 2", "1.9", "2.1"),
        ("= 7.1", "7.1", "7.2"),
    ],
)
def test_a_constraint_on_versions_is_a_rule(constraint, holds, fails, tmp_path):
    constrained = 'package_constraint = "matches_version"\n  version_constraint_predicate = {\n'
    constrained += f'    type = "satisfies_version_constraint"\n    value = "{constraint}"\n  }}'
    of = 'package_manager = "go"\n  package_name = "grpc"\n'
    _, check = only(resource("package_version", of + constrained), tmp_path)
    [key] = check.facts
    seen = [Evidence(key, EvidenceState.FRESH, value=one) for one in (holds, fails)]
    verdicts = [check.rule.evaluate({key: one}.__getitem__, NOW)[0] for one in seen]
    assert verdicts == [True, False]


def test_a_constraint_that_is_none_is_not_guessed():
    with pytest.raises(NotSaid, match="latest"):
        version("packages.go.grpc", "latest")
