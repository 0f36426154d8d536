"""Markdown as people write it: marks that are left open, rules of one dash, signs that are escaped."""

import pytest

from scorecards.importing.drafts import Outcome
from tests.scorecards.importing.test_products import draft_of


def lines_of(text):
    return [one.item.text for one in draft_of(text, "list.md").said]


def test_a_block_of_code_that_holds_tasks_may_have_no_end():
    tasks = "- [ ] Alerts are routed to the team\n- [ ] Backups are restored once a year\n"
    expected = ["Alerts are routed to the team", "Backups are restored once a year"]
    assert lines_of(f"2. Create a checklist:\n\n```markdown\n# Launch\n\n{tasks}") == expected
    assert lines_of(f"```markdown\n{tasks}```\n\n```sh\nmake\n```\n") == expected
    assert "make all" not in " ".join(lines_of(f"{tasks}\n```sh\n# make all\n"))


@pytest.mark.parametrize("rule", ["| - | --- | --- |", "|:-|:--:|-|", "| --- | --- | --- |", "-- | - | -"])
def test_the_rule_below_the_head_of_a_table_may_be_one_dash(rule):
    text = f"| i | Item | Item Description |\n{rule}\n| 1 | Monitoring | Is every component monitored? |\n"
    text += "| 2 | Change | Is the service in version control? |\n"
    assert lines_of(text) == ["Is every component monitored?", "Is the service in version control?"]


def test_a_cell_may_be_an_entry_of_a_list_and_signs_may_be_escaped():
    text = "| Item | Description |\n|---|---|\n| CI | Which tests run? |\n|  | - \\[End-to-end\\] |\n|  | - A \\> B |\n"
    assert lines_of(text) == ["Which tests run?", "End-to-end", "A > B"]


def test_a_column_of_boxes_is_no_line_whatever_its_head():
    head = "| # | Risk | Checked | Notes |\n|---|---|---|---|\n"
    text = f"{head}| A1 | Broken access | [ ] | |\n| A2 | Injection | [x] | late |\n"
    assert [one.item.text for one in draft_of(text, "list.md").said] == ["Broken access", "Injection"]


@pytest.mark.parametrize(
    ("name", "text", "answered"),
    [
        ("Runbooks tested", "Runbooks are tested", ""),
        ("Runbooks", "Runbooks exist", "er.runbook"),
        ("Checkout deploys", "Rollback of checkout deploys is tested", "chg.rollback"),
    ],
)
def test_what_a_name_says_of_the_topic_itself_is_asked_with_it(name, text, answered):
    said = draft_of(f"| Name | Requirement | Status |\n|---|---|---|\n| {name} | {text} | |\n", "list.md").said[0]
    assert (said.check if said.outcome is Outcome.EXISTING else "") == answered


def test_a_line_that_speaks_of_placeholders_is_none():
    lines = ("Placeholder text has a contrast of 4.5 to 1", "placeholder", "Placeholder for the diagram")
    said = draft_of("".join(f"- [ ] {line}\n" for line in lines), "a.md").said
    assert [one.outcome.value for one in said] == ["attested", "not_said", "not_said"]


def test_what_an_entry_says_of_the_one_above_is_no_line_of_its_own():
    text = """
1. Backups are encrypted at rest
   - **Owner**: database team
   - Evidence:
     - the report of the last audit
   - Priority: P0
   - Keys are rotated
2. Links:
   - The runbook is linked from each alert
"""
    draft = draft_of(text, "list.md")
    assert [one.item.text for one in draft.said] == [
        "Backups are encrypted at rest",
        "Keys are rotated",
        "Links",
        "The runbook is linked from each alert",
    ]
    item = draft.said[0].item
    assert (item.grade, item.detail) == ("P0", "Owner: database team Evidence the report of the last audit")
