"""Catalogues of checks in YAML and JSON, and forms, read into checks: one for each entry, whatever stands beside."""

import json

import pytest

from portal_backend.core.errors import InvalidInput
from scorecards.importing.drafts import Outcome
from tests.scorecards.importing.test_checklists import draft_of, loaded


def test_an_entry_with_reasons_and_remedies_beside_it_is_one_check(tmp_path):
    text = """
_meta: {source: a public list, total_controls: 2}
id: timeouts
severity: high
title: Calls have deadlines
description: Every outgoing call has a deadline of its own.
why_it_matters: [Slowness spreads., Threads run out.]
remediation: [Set a deadline., Alert when it is met.]
detect: {none_of: [{code_contains: a deadline of sorts}, {file_exists: "**/client.py"}]}
"""
    draft = draft_of(text, "own.yaml")
    check = loaded(draft, tmp_path).checks["own.calls_have_deadlines"]
    assert len(draft.said) == 1
    assert (check.title, check.criticality) == ("Calls have deadlines", "blocker")
    assert check.why == "Slowness spreads. Threads run out."
    assert check.how_to_fix[0] == "Set a deadline. Alert when it is met."


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("checks:\n  Maintained: {risk: Low, short: It was changed}\n", [("It was changed", "low")]),
        (
            "--- !!omap\n- Basics: !!omap\n  - Docs: !!omap\n    - has_manual: {category: MUST, why: Users ask.}\n",
            [("has manual", "must")],
        ),
        ("group:\n  runbook: {required: true}\n  motto: {text: red}\n", [("runbook", "true"), ("red", "")]),
        ("has_runbook: true\nhas_alerts: no\nlast_updated: today at noon\n", [("has runbook", ""), ("has alerts", "")]),
        ("categories: [{name: Logs}]\nitems: [{text: Logs last, category: Logs}]\n", [("Logs last", "")]),
        (
            "{title: Ready, recommendations: [Logs are kept, Pages are few]}",
            [("Logs are kept", ""), ("Pages are few", "")],
        ),
        ("rules: [{name: Owner known, description: '-'}]\n", [("Owner known", "")]),
        (
            "questions:\n- title: How do you scale?\n  description: About load.\n  choices:\n"
            "  - {title: It scales alone, helpfulResource: {}}\n  - {title: We add machines, improvementPlan: {}}\n",
            [("It scales alone", ""), ("We add machines", "")],
        ),
        (
            "questions: [{title: Is it backed up?, description: About data., answers: [{answer: Yes}]}]\n",
            [("Is it backed up?", "")],
        ),
    ],
)
def test_catalogues_of_many_forms_are_read_entry_by_entry(text, lines):
    draft = draft_of(text, "own.yaml")
    assert [(one.item.text, one.item.grade.lower()) for one in draft.said] == lines


def test_the_choice_that_denies_the_others_asks_nothing():
    text = (
        "questions:\n- title: Backups\n  choices:\n"
        "  - {id: kept, title: Backups are kept apart, improvementPlan: {displayText: Keep them apart.}}\n"
        "  - {id: noneofthese, title: Not yet looked at., improvementPlan: {displayText: Look.}}\n"
        "  - {id: other, title: None of these., improvementPlan: {displayText: Look.}}\n"
    )
    draft = draft_of(text, "lens.yaml")
    assert [one.item.text for one in draft.said] == ["Backups are kept apart"]
    assert draft.notes == ["2 of its entries inform and ask nothing."]


def test_rules_of_datadog_are_lines_of_their_scorecard():
    rule = {"name": "Cache is warm", "description": "", "scorecard_name": "Operations", "enabled": True}
    (said,) = draft_of(json.dumps({"data": [{"id": "a", "type": "rule", "attributes": rule}]}), "rules.json").said
    assert (said.item.text, said.item.section[-1]) == ("Cache is warm", "Operations")


def test_a_rule_of_a_linter_says_what_would_be_found():
    text = (
        "id: one-region\ntitle: Single region\nseverity: high\n"
        "description: The system seems to run in one region only.\ndetect:\n  none_of: [{signal: regions}]\n"
    )
    (said,) = draft_of(text, "rule.yaml").said
    assert said.definition["attest"]["confirms"] == "This is not so: “The system seems to run in one region only”"


def test_a_template_of_open_answers_is_asked_by_its_keys():
    text = (
        "product:\nsubjects:\n  sourceControl:\n    readme:\n      exists:\n      urls:\n"
        "    app_architecture_diagram:\n      exists: no\n      urls:\n"
    )
    said = draft_of(text, "template.yaml").said
    assert [(one.item.text, one.check or one.item.section) for one in said] == [
        ("readme", "template.readme"),
        ("app architecture diagram", "arch.design_doc"),
    ]


def test_a_name_that_only_numbers_a_line_makes_its_id_and_not_its_title(tmp_path):
    draft = draft_of("- [ ] **PRC-02-001** — Sessions end when their user is removed\n")
    check = loaded(draft, tmp_path).checks["own.prc_02_001"]
    assert check.title == "Sessions end when their user is removed"


@pytest.mark.parametrize(
    ("text", "confirmed"),
    [
        ("## No-go conditions\n- [ ] Backups cannot be restored\n", "This is not so: “Backups cannot be restored”"),
        ("## Do not launch if any of these holds\n- [ ] It pages nobody.\n", "This is not so: “It pages nobody”"),
        ("## Don'ts\n- No shared accounts\n- Shared accounts\n", "No shared accounts."),
        ("## Red flags\n- No rollback plan exists.\n", "This is not so: “No rollback plan exists”"),
        ("## Anti-patterns\n- No index is kept twice.\n", "No index is kept twice."),
        ("## Anti-patterns\n- Indexes are kept twice.\n", "This is not so: “Indexes are kept twice”"),
        ("## Red flags\n- Never let a person deploy by hand.\n", "Never let a person deploy by hand."),
        ("## Findings to flag\n- Logs that expose secrets\n", "This is not so: “Logs that expose secrets”"),
        (
            "# Lint\n- No explicit timeout was detected.\n- x\n",
            "This is not so: “No explicit timeout was detected”",
        ),
        ("# Pods\n- Fails when no liveness probe is set.\n", "This is not so: “no liveness probe is set”"),
        ("# Us\n- When it is merged, tests must have passed.\n", "When it is merged, tests must have passed."),
        (
            "# Us\n- Will it result in new calls?\n",
            "The answer is written down, and it stands in nothing's way: “Will it result in new calls?”",
        ),
    ],
)
def test_what_must_not_be_is_confirmed_as_such(text, confirmed):
    said = draft_of(text).said[0]
    assert said.outcome is Outcome.ATTESTED
    assert said.definition["attest"]["confirms"] == confirmed


def test_questions_in_headings_stand_beside_the_tasks_of_a_questionnaire():
    asked = "".join(
        f"### Is part {number} looked after?\n- [ ] Part {number} has an owner who answers\n" for number in range(5)
    )
    draft = draft_of(f"# Review\n## How to use this?\n## Parts\n{asked}")
    assert sum(one.item.text.endswith("?") for one in draft.said) == 5
    assert len(draft.said) == 10


def test_a_form_of_boxes_and_fields_is_read_by_its_labels(tmp_path):
    text = """
name: Readiness
body:
  - {type: markdown, attributes: {value: Thank you!}}
  - {type: input, attributes: {label: Which regions does it run in?}, validations: {required: true}}
  - type: checkboxes
    attributes:
      label: On call
      description: Before anybody is paged.
      options:
        - {label: Somebody answers at night, required: true}
        - {label: Every alert has a runbook}
        - A box without more
  - {type: textarea, attributes: {label: Backups, value: "- [ ] Nightly copies are kept apart"}}
  - {type: dropdown}
"""
    draft = draft_of(text, "form.yml")
    said = {one.item.text: one for one in draft.said}
    assert draft.format == "a form of questions"
    assert list(said) == [
        "Which regions does it run in?",
        "Somebody answers at night",
        "Every alert has a runbook",
        "A box without more",
        "Nightly copies are kept apart",
    ]
    assert said["Somebody answers at night"].definition["criticality"] == "blocker"
    assert said["Somebody answers at night"].item.section == ("Readiness", "On call")
    assert said["Every alert has a runbook"].check == "er.runbook"
    assert len(loaded(draft, tmp_path).checks) > 57


def test_a_tech_insights_check_written_as_an_entity_is_taken_as_it_stands(tmp_path):
    text = """
apiVersion: techinsights.backstage.io/v1alpha1
kind: Check
metadata: {name: golden-path, title: Golden path}
spec:
  type: json-rules-engine
  description: It follows the golden path.
  factIds: [platform]
  rule: {conditions: {all: [{fact: has-monitoring, operator: equal, value: true}]}}
"""
    catalogue = loaded(draft_of(text, "check.yaml"), tmp_path)
    assert catalogue.checks["golden-path"].title == "Golden path"


def test_a_catalogue_of_opslevel_needs_no_category():
    text = "version: 1\nkind: repo_file\nspec: {name: It has a manual, filePaths: [MANUAL.md]}\n"
    draft = draft_of(text, "check.yaml")
    assert draft.said[0].definition["rule"] == {"fact": "repo.file.manual_md", "operator": "equal", "value": True}


def test_columns_of_marks_may_number_their_levels_without_a_gap():
    text = "req_id,req_description,level1,level2,level3\nV1,Sessions end,,x,x\nV2,Passwords are salted,x,x,x\n"
    assert [one.definition["level"] for one in draft_of(text, "list.csv").said] == [2, 1]


@pytest.mark.parametrize(
    ("line", "answered"),
    [
        ("Dashboards configured", "obs.slo.on_dashboard"),
        ("Alerting configured", "obs.burn_alert"),
        ("Logging structured (JSON format)", "obs.reqlog"),
        ("Restore tested", "arch.restore"),
        ("Backups automated", "data.backup.last_success_at younger than 2d"),
        ("TLS certificates valid and current", "tls.expires_at at least 30d ahead"),
        ("Alert routing configured (email, pager)", "er.oncall_scope"),
        ("Disaster recovery plan tested", "er.drill"),
        ("License file present", "repo.files contains LICENSE"),
        ("Changelog maintained", "any member of repo.files =~ '(?i)(^|/)changelog'"),
        ("License per file", None),
        ("Dashboards configured for finance", None),
        ("Alert routing reviewed by legal", None),
        ("Disaster recovery plan written", None),
        ("Service owner identified", "arch.owner"),
        ("On-call escalation path clear", "er.rotation"),
        ("Backups", "data.backup.last_success_at younger than 2d"),
        ("Has backups enabled", "data.backup.last_success_at younger than 2d"),
        ("PII redacted from logs", "obs.no_secrets"),
        ("Container images scanned", "chg.vulns"),
        ("Load-testing complete", "cap.load_test"),
        ("Kubernetes probes configured", "runtime.probes.set"),
        ("Healthchecks: liveness & readiness", "runtime.probes.set"),
        ("Error-monitoring configured", "obs.central_errors"),
        ("Deployed via the CI pipeline", "chg.deploy_auto"),
        ("P95 latency within SLO targets", "perf.latency"),
        ("Transaction tracing is implemented", "traces.last_span_at younger than 24h"),
        ("The renewal of certificates is automated", "tls.expires_at at least 30d ahead"),
        ("OpenAPI / Swagger spec published", "every related.providesApi has (spec.definition exists)"),
        ("RED metrics exposed", "not metrics.signals.missing overlaps [latency, traffic, errors]"),
        ("Metrics: latency, errors, throughput", "not metrics.signals.missing overlaps [latency, traffic, errors]"),
        ("Latency is monitored.", "metrics.signals.missing does not contain latency"),
        ("Error rate is monitored", "metrics.signals.missing does not contain errors"),
        ("Request volume is measured", "metrics.signals.missing does not contain traffic"),
        ("Tests run before deployment.", "chg.ci"),
        ("API keys are not stored in source code.", "repo.secret_findings == 0"),
        ("Logs do not expose secrets.", "obs.no_secrets"),
        ("Rollbacks are possible", "chg.rollback"),
        ("Latency of the cache is monitored", None),
        ("Prompt rollbacks are possible", None),
        ("Readiness checklist", None),
        ("Certificate validation enabled", None),
        ("Circuit breakers for external calls", None),
        ("Blue-green or canary deployment", None),
        ("Load balancer health checks implemented", None),
    ],
)
def test_short_lines_without_a_verb_are_told_by_their_words(line, answered):
    said = draft_of(f"- [ ] {line}\n").said[0]
    assert (said.definition.get("rule") or (said.check if said.outcome is Outcome.EXISTING else None)) == answered


@pytest.mark.parametrize("name", ["deep.yaml", "deep.json"])
def test_a_document_nested_beyond_reason_is_refused(name):
    with pytest.raises(InvalidInput, match="nested too deeply|cannot be read"):
        draft_of("[" * 3000 + '"It has an owner"' + "]" * 3000, name)
