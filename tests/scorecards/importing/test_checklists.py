"""Checklists read into checks: each line is asked already, answered by facts, attested, or named with its reason."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins import registry
from scorecards.checks.catalogue import load_catalogue
from scorecards.checks.vocabulary import VOCABULARY
from scorecards.importing.drafts import Outcome
from scorecards.importing.making import Options
from scorecards.importing.reading import prefix_of, read_draft
from scorecards.importing.writing import as_yaml, counted, report
from tests.conftest import shared
from tests.scorecards.importing.known_lines import ANSWERED
from tests.scorecards.samples import SPECS

DEFAULTS = {"owner": "sre", "version": 1, "effort": "days", "sources": ["list"]}
KNOWN = {**VOCABULARY, **SPECS, **{spec.key: spec for one in registry.connectors().values() for spec in one.facts}}
OWN = """# Ready for production

## Must
- [ ] **Runbooks**: every alert of the service has a runbook
- [x] Unit tests run in CI on every pull request
- [ ] Test coverage is at least 75 %
- [ ] At least three reviewers approve a change

## Nice to have
* [ ] Consider a CDN in front of static files
  It saves money.
* [ ] Which regions do we serve from?
* [ ] Is a penetration test on file?
* [ ] TODO

```
- [ ] in code
```
| Name | Description | Tier 2 | Tier 1 |
| --- | --- | --- | --- |
| Quotas | Its quotas are set | x | x |
| Shutdown | It stops gracefully |  | ✓ |
"""


def draft_of(text, name="own.md"):
    return read_draft(name, text, Options(prefix_of(name), KNOWN), DEFAULTS)


def loaded(draft, folder):
    (folder / "import.yaml").write_text(as_yaml(draft, DEFAULTS))
    return load_catalogue([folder / "import.yaml"], KNOWN)


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("bregman-arie__sre-checklist__README.md", 142),
        ("mercari__production-readiness-checklist__docs-references-pre-production-checklist.md", 74),
        ("microsoft__code-with-engineering-playbook__docs-engineering-fundamentals-checklist.md", 56),
    ],
)
def test_every_line_of_a_public_checklist_is_said_and_none_by_the_wrong_check(name, lines, tmp_path):
    draft = draft_of(shared("corpus", "checklists", name).read_text(), name)
    catalogue = loaded(draft, tmp_path)
    rules = {one.check: one.definition.get("rule") for one in draft.said if one.definition}
    answered = {
        one.item.line: one.check if one.outcome is Outcome.EXISTING else rules[one.check]
        for one in draft.said
        if one.outcome in {Outcome.EXISTING, Outcome.AUTOMATIC}
    }
    assert len(draft.said) == lines
    assert draft.counts()[Outcome.NOT_SAID] == 0
    assert {one.check for one in draft.said} <= set(catalogue.checks)
    assert answered == ANSWERED[name]


def test_a_document_without_a_list_says_so():
    name = "devopsguys__production-readiness-review__README.md"
    draft = draft_of(shared("corpus", "checklists", name).read_text(), name)
    assert (draft.said, len(draft.notes)) == ([], 1)


@pytest.mark.parametrize(
    "line",
    [
        "Avoid N+1 queries",
        "Every alert has an owner",
        "Cleanup policy (Delete old tags with timeout)",
        "Rollback owner and rollback trigger are defined",
        "Rollout scope (all traffic / canary / internal only) is explicit",
        "Error responses are actionable and consistent",
        "Backups are encrypted",
        "Backup keys and recovery credentials are protected",
        "Metrics distinguish success, failure, timeout, and cancellation paths",
        "Don't use the Vertical Pod Autoscaler while it is in beta",
        "Configure CPU requests ≤ 1 for most workloads",
        "Resource quotas and account limits are documented",
        "Using Components with Known Vulnerabilities",
        "Storage capacity",
        "We understand how failover will occur across multiple availability zones",
        "Runbooks avoid undocumented tribal knowledge",
        "Canary and control populations are comparable",
        "Changelogs and release notes are written",
        "Self health checks",
        "Is the on-call configuration version controlled?",
    ],
)
def test_a_line_that_only_mentions_a_topic_is_attested(line):
    assert [one.outcome for one in draft_of(f"- [ ] {line}\n").said] == [Outcome.ATTESTED]


def test_a_line_that_says_more_than_a_check_names_the_check():
    said = draft_of("- [ ] Every runbook is rehearsed by two newcomers\n").said[0]
    assert (
        said.why == "It says more than the check er.runbook asks (rehearsed, two, newcomers), so a person confirms it."
    )


def test_lines_become_checks_by_what_they_ask():
    said = {one.item.line: one for one in draft_of(OWN).said}
    told = {line: (one.outcome.value, one.check) for line, one in said.items()}
    assert told == {
        4: ("existing", "er.runbook"),
        5: ("existing", "chg.ci"),
        6: ("automatic", "own.test_coverage_is_at_least_75"),
        7: ("automatic", "own.at_least_three_reviewers_approve_a"),
        10: ("attested", "own.consider_a_cdn_in_front_of"),
        12: ("attested", "own.which_regions_do_we_serve_from"),
        13: ("attested", "own.is_a_penetration_test_on_file"),
        14: ("not_said", ""),
        21: ("automatic", "own.quotas"),
        22: ("attested", "own.shutdown"),
    }
    assert said[6].definition["rule"] == "ci.coverage >= 75%"
    assert said[7].definition["rule"] == "repo.required_reviewers >= 3"
    assert said[6].definition["criticality"] == "blocker"
    assert (said[10].definition["level"], said[10].definition["criticality"]) == (4, "minor")
    assert said[10].definition["why"] == "It saves money."
    assert said[12].definition["attest"]["confirms"].startswith("The answer is written down, and up to date: “Which")
    assert said[13].definition["attest"]["confirms"] == "The answer is yes: “Is a penetration test on file?”"
    assert (said[21].definition["level"], said[22].definition["level"]) == (1, 2)
    assert said[14].why == "It states nothing: a placeholder, a mark or a bare link."


def test_a_file_of_checks_says_of_each_where_it_comes_from(tmp_path):
    draft = draft_of(OWN)
    written = as_yaml(draft, DEFAULTS)
    assert "#   line 5: Unit tests run in CI on every pull request → chg.ci" in written
    assert "# Could not be said:\n#   line 14: TODO (It states nothing" in written
    assert "  # line 6: Test coverage is at least 75 %" in written
    assert counted(draft).startswith("10 lines: 2 asked by a check of the catalogue already, 3 answered by facts, 4")
    assert {line["outcome"] for line in report(draft)["lines"]} == {"existing", "automatic", "attested", "not_said"}
    check = loaded(draft, tmp_path).checks["own.test_coverage_is_at_least_75"]
    assert check.passes.endswith("Share of the lines that tests run through: {ci.coverage}.")


def test_lines_that_ask_the_same_are_one_check():
    draft = draft_of("- [ ] The default branch is protected\n- [ ] Merges are done through pull requests\n")
    assert [one.check for one in draft.said] == ["own.the_default_branch_is_protected"] * 2
    assert [bool(one.definition) for one in draft.said] == [True, False]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("# Review\n\n## Who is on call?\n\nText.\n\n## What are the failure modes?\n", 2),
        ("1. The service has an owner\n2) It scales horizontally\n", 2),
        ("# T\n\n## Contents\n- [One](#one)\n\n## One\n- It has a dashboard\n", 1),
        ('<ul><li><input type="checkbox"> Backups are tested\n<li><input type=checkbox> Logs are central\n', 2),
        ("☐ Alerts are actionable\n\n- ☐ Alerts are defined\n[ ] Logs are central\n1.2 [ ] Traces\n", 4),
        ("1. Basics\n1.1 It has an owner\n1.2. It has an SLO\n(a) Someone is on call\n", 4),
        ("|  |  |\n| --- | --- |\n| &#9744; | <details><summary>TLS is on</summary> Why. </details> |\n", 1),
        ("# Manual\n\n### Backup\n\n> Which parts need backing up? How?\n\nIs the restore tested?\n", 2),
        ("# Vault\n\n**Audit log.** Enable an audit device of every type.\n\nProse.\n", 1),
        ("---\ntitle: x\ntags: [a]\n---\n<!-- - [ ] hidden\n- [ ] too -->\n- [ ] It has an owner\n", 1),
        ("| Check | Done | Owner |\n|---|---|---|\n| Load test done | | me |\n", 1),
        ("no list at all", 0),
        ("", 0),
    ],
)
def test_lists_of_many_forms_are_found(text, lines, tmp_path):
    draft = draft_of(text)
    assert len(draft.said) == lines
    assert bool(draft.notes) is (lines == 0)
    assert len(loaded(draft, tmp_path).checks) >= 57


def test_lists_in_json_are_read_with_their_sections(tmp_path):
    text = """{"sections": [{"SectionName": "Logs", "name": "Logs", "Questions": [
        {"QuestionText": "Are logs kept centrally?", "Answers": [{"Answer": "Yes", "Score": 5}]},
        {"QuestionText": "How long are logs kept?"}]}], "rules": ["Every queue has a dead letter queue"]}"""
    draft = draft_of(text, "questions.json")
    assert [(one.item.text, one.outcome) for one in draft.said] == [
        ("Are logs kept centrally?", Outcome.EXISTING),
        ("How long are logs kept?", Outcome.ATTESTED),
        ("Every queue has a dead letter queue", Outcome.ATTESTED),
    ]
    assert draft.said[0].item.section == ("sections", "Logs")
    assert loaded(draft, tmp_path)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("ab{}$%'\"#:|-*[]<>\\\n\t0 ?é", max_size=40), max_size=6))
def test_whatever_stands_in_a_list_loads_or_is_named(lines):
    text = "\n".join(f"- [ ] {line}" for line in lines)
    draft = draft_of(text)
    assert Counter(one.outcome for one in draft.said)[Outcome.AUTOMATIC] == 0
    assert all(one.why for one in draft.said)


OTHER_KINDS = {
    "launch.html": """<!doctype html><html><nav><ul><li>Home</li></ul></nav><h2>Ops</h2>
        <ul><li><input type="checkbox"> The service has an SLO
        <ul><li><input type=checkbox> Alerts for SLO burn rate are configured</li></ul></li></ul>
        <table><tr><th>Check</th><th>Done</th></tr>
        <tr><td><p>Backups are tested</p></td><td></td></tr></table></html>""",
    "launch.csv": "Id;Area;Description;Priority;Status\n1;SLO;The service has an SLO;Must;open\n"
    "2;SLO;Alerts for SLO burn rate are configured;Low;open\n3;Data;Backups are tested;High;open\n",
    "launch.adoc": "= L\n== Ops\n* [ ] The service has an SLO\n** [ ] Alerts for SLO burn rate are configured\n"
    "* [ ] Backups are tested\n",
    "launch.rst": "Launch\n======\n\n#. The service has an SLO\n#. Alerts for SLO burn rate are configured\n"
    "#. Backups are tested\n",
    "launch.org": "* Ops\n- [ ] The service has an SLO\n- [ ] Alerts for SLO burn rate are configured\n"
    "- [ ] Backups are tested\n",
    "launch.yaml": "checks:\n- category: SLO\n  items: [The service has an SLO]\n"
    "- Alerts for SLO burn rate are configured\n"
    "- name: Data\n  checks:\n  - Backups are tested\n  tags: [not one of these]\n",
    "launch.json": '[{"//": "a", "//": "b", "SectionName": "S", "Questions": ['
    '{"Type": "Banner", "QuestionText": "What this is for."}, "The service has an SLO",'
    '{"QuestionText": "Alerts for SLO burn rate are configured"}, {"Backups are tested": false}]}]',
}


@pytest.mark.parametrize("name", OTHER_KINDS)
def test_lists_in_files_of_other_kinds_are_read(name, tmp_path):
    draft = draft_of(OTHER_KINDS[name], name)
    assert [one.check for one in draft.said] == ["obs.slo.defined", "obs.burn_alert", "arch.restore"]
    assert loaded(draft, tmp_path)


def test_a_column_of_priorities_tells_how_much_a_line_matters():
    text = "Requirement,Priority\nThe cache is warm,Must\nThe logo is blue,Low\nIt is fast,L3\nIt is red,Bronze\n"
    made = [one.definition for one in draft_of(text, "list.csv").said]
    assert [(one["level"], one["criticality"]) for one in made] == [
        (2, "blocker"),
        (4, "minor"),
        (3, "major"),
        (1, "major"),
    ]


def test_lines_in_other_scripts_are_said_on_their_axis(tmp_path):
    text = """## 監視（必須）
- [ ] 監視ダッシュボードが作成されている
- [ ] エラー率のアラートがありますか？
- [ ] どのチームが一次対応しますか？
- [ ] バックアップ
- [ ] Die Wiederherstellung aus der Sicherung wurde getestet
- [ ] 롤백 절차가 문서화되어 있다
"""
    draft = draft_of(text)
    made = [one.definition for one in draft.said]
    assert [one["axis"] for one in made] == [
        *("observability", "emergency", "observability", "architecture", "architecture", "change")
    ]
    assert (made[0]["criticality"], made[3]["criticality"]) == ("blocker", "minor")
    assert made[1]["attest"]["confirms"].startswith("The answer is yes")
    assert made[2]["attest"]["confirms"].startswith("The answer is written down")
    assert len(loaded(draft, tmp_path).checks) >= 57 + 6


def test_plain_entries_beside_tasks_are_named_and_not_dropped_in_silence():
    draft = draft_of("- [ ] It has an owner\n\nAlso:\n\n- Somebody feeds the cat\n")
    assert draft.notes == [
        "1 plain entry beside its tasks was not taken for a line of the checklist: “Somebody feeds the cat”."
    ]
