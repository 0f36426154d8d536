"""DX' queries in SQL and Port's paths along relations: what rules here can say of them, and what has to be supplied."""

import json

import pytest

from scorecards.importing.drafts import Outcome
from tests.scorecards.importing.test_products import checks_of, draft_of, leaf

THERE = "SELECT CASE WHEN count(*) > 0 THEN 'PASS' ELSE 'FAIL' END AS status FROM dx_catalog_entities e"
OWNED = f"{THERE} JOIN dx_catalog_entity_owners o ON e.id = o.entity_id WHERE e.identifier = $entity_identifier;"
SET = (
    f"-- is it there?\n{THERE}\n  JOIN dx_catalog_entity_properties ep ON e.id = ep.entity_id\n"
    "  JOIN dx_catalog_properties p ON p.id = ep.property_id\nWHERE e.identifier = $entity_identifier\n"
    "  AND p.identifier = 'service-tier';\n"
)
DEPLOYED = (
    "WITH last AS (SELECT max(d.deployed_at) AS at FROM deployments d "
    "JOIN dx_catalog_entities e ON e.name = d.service)\n"
    "SELECT CASE WHEN at > now() - interval '70 days' THEN 'PASS' WHEN at IS NULL THEN 'WARN' ELSE 'FAIL' END "
    "AS status FROM last"
)


def dx_card(**parts):
    return f"""
resource "dx_scorecard" "ready" {{
  name                           = "Readiness"
  entity_filter_type_identifiers = ["service"]
  levels = {{
    gold   = {{ name = "Gold", rank = 2 }},
    bronze = {{ name = "Bronze", rank = 1 }},
  }}
  checks = {{
    one = {{
      name                = "The check"
      description         = "What it is for."
      scorecard_level_key = "gold"
      estimated_dev_days  = {parts.get("days", 1.5)}
      external_url        = "https://wiki.example/one"
      sql                 = <<-EOT
        {parts["sql"]}
      EOT
    }},
  }}
}}
"""


@pytest.mark.parametrize(
    ("sql", "rule", "why"),
    [
        (OWNED, leaf("entity.relations.ownedBy", "exists", True), "whether the entity has an owner"),
        (SET, leaf("dx.property.service_tier", "isEmpty", False), "supplied as the fact dx.property.service_tier"),
        (DEPLOYED, leaf("dx.the_check", "equal", True), "of DX' tables deployments, dx_catalog_entities. It may warn"),
        ("select 'PASS' as status", leaf("dx.the_check", "equal", True), "of nothing that it reads"),
        (SET.replace("> 0", "= 0"), leaf("dx.the_check", "equal", True), "computes its status of DX' tables"),
        (SET.replace(";", " AND ep.value = 'x';"), leaf("dx.the_check", "equal", True), "computes its status"),
    ],
)
def test_a_check_of_dx_is_said_where_its_query_asks_whether_something_is_there(sql, rule, why, tmp_path):
    draft = draft_of(dx_card(sql=sql), "dx.tf")
    assert draft.format == "Terraform with a DX scorecard"
    assert [one.outcome for one in draft.said] == [Outcome.AUTOMATIC]
    assert why in draft.said[0].why
    [check] = checks_of(draft, tmp_path)
    assert (check.rule.tree, check.level, check.title) == (rule, 2, "The check")
    assert (str(check.effort), check.guide) == ("days", "https://wiki.example/one")
    assert draft.said[0].definition["applies_to"]["when"] == {"field": "type", "operator": "in", "value": ["service"]}


def test_an_answer_of_dx_by_its_api_is_read_and_what_is_not_carried_over_is_named():
    checks = [
        {"name": "One", "sql": OWNED, "points": 10, "level": {"name": "Bronze"}, "filter_sql": "select 1"},
        {"name": "Two", "sql": OWNED, "points": 40, "published": False, "estimated_dev_days": 20},
    ]
    card = {
        "name": "Ready",
        "levels": [{"name": "Bronze", "rank": 1}],
        "entity_filter_sql": "select 2",
        "checks": checks,
    }
    draft = draft_of({"scorecard": card})
    one, two = (said.definition for said in draft.said)
    assert (one["level"], one["weight"], two["weight"], two["effort"]) == (1, 1, 5, "weeks")
    assert [any(words in note for note in draft.notes) for words in ("of One", "of Ready", "Two is not published")] == [
        True
    ] * 3


def port(property_, value="x", operator="matchAny"):
    condition = {"property": property_, "operator": operator, "value": value}
    query = {"combinator": "and", "conditions": [condition]}
    return draft_of([{"title": "Card", "rules": [{"identifier": "r", "title": "The rule", "query": query}]}])


def question(relation, *names):
    return {"related": relation, "which": "any", "have": leaf("name", "in", list(names))}


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        (["team"], "payments", question("owner", "payments")),
        (["system"], ["a", "b"], question("system", "a", "b")),
        (["domain"], "shop", question("system.partOf", "shop")),
        (["system", "domain"], "shop", question("system.partOf", "shop")),
        (["dependsOn", "team"], "x", question("dependsOn.owner", "x")),
        (
            ["team", {"relation": "parent", "maxHops": 2}],
            "x",
            {"any": [question("owner.childOf", "x"), question("owner.childOf.childOf", "x")]},
        ),
    ],
)
def test_a_path_of_port_along_relations_of_the_catalog_is_a_question_about_what_is_around(path, value, rule, tmp_path):
    draft = port({"path": path}, value)
    assert draft.said[0].definition["rule"] == rule
    assert checks_of(draft, tmp_path)[0].related


@pytest.mark.parametrize(
    ("property_", "operator", "why"),
    [
        ({"path": ["deployedOn"]}, "matchAny", "follows the relation deployedOn, which is none of the catalog's"),
        ({"path": ["team"], "fromBlueprint": "workload"}, "matchAny", "begins at entities of workload"),
        ({"path": ["team"]}, "=", "operator = is not asked of the entities"),
        ({"path": [{"relation": "dependsOn", "maxHops": 9}]}, "matchAny", "more than 3 steps"),
        ({"path": []}, "matchAny", "names none"),
    ],
)
def test_other_paths_of_port_are_supplied_as_a_fact_with_the_reason(property_, operator, why, tmp_path):
    draft = port(property_, "x", operator)
    assert why in draft.said[0].why
    assert checks_of(draft, tmp_path)[0].rule.tree == leaf("port.r", "equal", True)


def port_rule(query):
    card = {"title": "Ready", "levels": [{"title": "Basic"}], "rules": [{"title": "r", "level": "A", "query": query}]}
    return draft_of({**card, "levels": [{"title": one} for one in ("Basic", "A", "B", "C", "D", "E")]})


def test_a_query_of_port_keeps_conditions_and_rules_and_the_way_that_they_are_joined():
    members = [{"property": name, "operator": "=", "value": 1} for name in ("a", "b")]
    draft = port_rule({"combinator": "OR", "conditions": members[:1], "rules": members[1:]})
    assert draft.said[0].definition["rule"] == {"any": [leaf("port.a", "equal", 1), leaf("port.b", "equal", 1)]}
    assert draft.notes == ["Ready has 5 levels above its first; those above the fourth stand at L4."]
    other = port_rule({"combinator": "nor", "conditions": members})
    assert "Its combinator nor joins in a way of its own" in other.said[0].why
    assert other.said[0].definition["rule"] == leaf("port.r", "equal", True)


def test_a_draft_of_cortex_is_called_one():
    card = {"name": "Ready", "draft": True, "rules": [{"title": "r", "expression": "git != null"}]}
    assert "The scorecard Ready is a draft there." in draft_of(card).notes


@pytest.mark.parametrize("around", [lambda cards: cards, lambda cards: {"scorecards": cards}])
def test_several_scorecards_of_cortex_are_read_from_one_document(around):
    cards = [{"name": name, "rules": [{"title": name, "expression": f"git.{name} > 1"}]} for name in ("pulls", "tags")]
    draft = draft_of(json.dumps(around(cards)), "cards.json")
    assert draft.format == "a Cortex scorecard"
    assert [one.definition["rule"] for one in draft.said] == [
        leaf("git.pulls", "greaterThan", 1),
        leaf("git.tags", "greaterThan", 1),
    ]


DATADOG = """
resource "datadog_service_scorecard_rule" "oncall" {
  name           = "On-call is defined"
  description    = "Each service has an on-call rotation"
  scorecard_name = "Production Readiness"
  level          = 3
  scope_query    = "kind:service"
}
"""


def test_a_rule_of_datadog_is_answered_by_its_outcome():
    draft = draft_of(DATADOG, "rules.tf")
    assert draft.format == "Terraform with Datadog rules"
    check = draft.said[0].definition
    assert (check["title"], check["level"]) == ("On-call is defined", 3)
    assert check["rule"] == leaf("datadog.on_call_is_defined", "equal", True)
    assert draft.notes == ["The rule On-call is defined is asked of what `kind:service` finds: add it to `applies_to`."]
    answer = {"data": [{"type": "rule", "attributes": {"name": "SLO", "scorecard_name": "Obs", "enabled": False}}]}
    told = draft_of(json.dumps(answer), "rules.json")
    assert told.said[0].definition["rule"] == leaf("datadog.slo", "equal", True)
    assert told.notes == ["The rule SLO is switched off there."]


@pytest.mark.parametrize("content", ["5", "true", "2024-01-01", "[5, [1]]", "{data: 5}", "{data: {attributes: 7}}"])
def test_a_document_that_holds_nothing_of_the_kind_is_no_rule_of_any_product(content):
    assert draft_of(content, "rules.yaml").said == []
