"""Checklists read into checks: each line is asked already, answered by facts, attested, or named with its reason."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorecards.checks.catalogue import load_catalogue
from scorecards.checks.vocabulary import VOCABULARY
from scorecards.importing.drafts import Outcome
from scorecards.importing.making import Options
from scorecards.importing.reading import prefix_of, read_draft
from scorecards.importing.writing import as_yaml, counted, report
from tests.conftest import shared
from tests.scorecards.samples import SPECS

DEFAULTS = {"owner": "sre", "version": 1, "effort": "days", "sources": ["list"]}
KNOWN = {**VOCABULARY, **SPECS}
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
    return load_catalogue([folder / "import.yaml"], SPECS)


@pytest.mark.parametrize(
    ("name", "lines", "wanted"),
    [
        ("bregman-arie__sre-checklist__README.md", 142, {"existing": 15, "automatic": 8, "attested": 100}),
        ("devopsguys__production-readiness-review__README.md", 0, {}),
        (
            "mercari__production-readiness-checklist__docs-references-pre-production-checklist.md",
            74,
            {"existing": 25, "automatic": 18, "attested": 15},
        ),
        (
            "microsoft__code-with-engineering-playbook__docs-engineering-fundamentals-checklist.md",
            56,
            {"existing": 4, "automatic": 8, "attested": 30},
        ),
    ],
)
def test_every_line_of_a_public_checklist_is_said(name, lines, wanted, tmp_path):
    draft = draft_of(shared("corpus", "checklists", name).read_text(), name)
    found = draft.counts()
    assert len(draft.said) == lines
    assert found[Outcome.NOT_SAID] == 0
    assert all(found[Outcome(outcome)] >= least for outcome, least in wanted.items()), found
    catalogue = loaded(draft, tmp_path)
    assert {one.check for one in draft.said} <= set(catalogue.checks)


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
        ("☐ Alerts are actionable\n\n- ☐ Alerts are defined\n", 1),
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
