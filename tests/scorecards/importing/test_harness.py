"""Checks and scorecards of Harness IDP, set up by Terraform or as its API has them."""

import json

import pytest

from scorecards.importing.drafts import Outcome
from tests.scorecards.importing.test_products import checks_of, draft_of, leaf

TERRAFORM = """
resource "harness_platform_idp_scorecard_check" "owned" {
  identifier        = "owned"
  name              = "Is owned"
  rule_strategy     = "ANY_OF"
  default_behaviour = "PASS"
  rules {
    data_source_identifier = "catalog"
    data_point_identifier  = "specOwnerExists"
    operator               = "=="
    value                  = "true"
  }
  rules {
    data_source_identifier = "github"
    data_point_identifier  = "isFileExists"
    operator               = "=="
    value                  = "false"
    input_values {
      key   = "filePath"
      value = "CODEOWNERS"
    }
  }
}
resource "harness_platform_idp_scorecard" "gold" {
  identifier         = "gold"
  name               = "Gold"
  published          = false
  weightage_strategy = "CUSTOM"
  filter {
    kind   = "component"
    type   = "service"
    scopes = ["account"]
  }
  checks {
    identifier = harness_platform_idp_scorecard_check.owned.identifier
    weightage  = 4
  }
  checks {
    identifier = "built_in"
    weightage  = 10
  }
}
"""


def rule(point, operator="==", value="true", source="github", **inputs):
    pairs = [{"key": key, "value": one} for key, one in inputs.items()]
    return {
        "dataSourceIdentifier": source,
        "dataPointIdentifier": point,
        "operator": operator,
        "value": value,
        "inputValues": pairs,
    }


def api(*rules, **more):
    details = {"identifier": "one", "name": "The check", "ruleStrategy": "ALL_OF", "rules": list(rules), **more}
    return draft_of(json.dumps({"checkDetails": details}), "check.json")


def test_a_scorecard_weighs_its_checks_and_narrows_them(tmp_path):
    draft = draft_of(TERRAFORM, "idp.tf")
    owned, other = checks_of(draft, tmp_path)
    assert draft.format == "Terraform with Harness checks"
    there = leaf("entity.spec.owner", "exists", True)
    assert owned.rule.tree == {"any": [there, {"not": leaf("repo.file.codeowners", "equal", True)}]}
    assert (owned.weight, other.weight) == (2, 5)
    assert other.rule.tree == leaf("harness.built_in", "equal", True)
    assert set(owned.applies_to.rule.facts) == {"kind", "type"}
    assert draft.notes[:3] == [
        "The filter of the scorecard Gold says `scopes` too: add it to `applies_to`.",
        "The check Is owned passes there without data; here it is unknown then.",
        "The scorecard Gold is not published there.",
    ]


@pytest.mark.parametrize(
    ("asked", "tree"),
    [
        (rule("isBranchProtected"), leaf("repo.branch.protected", "equal", True)),
        (rule("isBranchProtected", "!="), {"not": leaf("repo.branch.protected", "equal", True)}),
        (rule("isOnCallSet", source="pagerduty"), leaf("oncall.schedule.id", "isEmpty", False)),
        (rule("isEscalationPolicySet"), leaf("oncall.escalation.levels", "greaterThanInclusive", 1)),
        (
            rule("techDocsAnnotationExists", source="catalog"),
            leaf("entity.metadata.annotations.backstage.io/techdocs-ref", "exists", True),
        ),
        (
            rule("noOfIncidentsInLastThirtyDays", "<", "5", source="pagerduty"),
            leaf("incidents.count_30d", "lessThan", 5),
        ),
        (rule("replicas", ">=", "2", source="kubernetes"), leaf("runtime.replicas", "greaterThanInclusive", 2)),
        (
            rule("workflowSuccessRate", ">", "95.5", workflow="build.yml"),
            leaf("github.workflow_success_rate.build_yml", "greaterThan", 95.5),
        ),
        (rule("stoStageAdded", source="harness"), leaf("harness.sto_stage_added", "equal", True)),
    ],
)
def test_data_points_are_facts_of_ours_where_one_tells_them(asked, tree, tmp_path):
    (check,) = checks_of(api(asked), tmp_path)
    assert check.rule.tree == tree


@pytest.mark.parametrize(
    ("rules", "more", "why"),
    [
        ([rule("isBranchProtected", ">", "1")], {}, "It compares yes or no by > 1"),
        ([rule("isFileExists", filePath="**/x")], {}, "It looks for files that no source is asked for"),
        ([rule("meanTimeToMerge", "<", "soon")], {}, "It compares with 'soon', which is no number"),
        ([], {"ruleStrategy": "ADVANCED", "expression": "a.b > 1"}, "Its expression computes: `a.b > 1`"),
    ],
)
def test_what_computes_there_is_supplied_as_a_fact(rules, more, why, tmp_path):
    draft = api(*rules, **more)
    (check,) = checks_of(draft, tmp_path)
    assert check.rule.tree == leaf("harness.the_check", "equal", True)
    assert draft.said[0].outcome is Outcome.AUTOMATIC
    assert why in draft.said[0].why


def test_an_answer_of_the_api_lists_the_checks_beside_the_scorecard():
    card = {"identifier": "gold", "name": "Gold", "weightageStrategy": "EQUAL_WEIGHTS", "filter": {"kind": "component"}}
    answer = {"scorecard": card, "checks": [{"identifier": "a", "name": "Has a readme", "weightage": 1}]}
    draft = draft_of(json.dumps(answer), "card.json")
    assert [(one.item.name, one.item.section) for one in draft.said] == [("Has a readme", ("Gold",))]
