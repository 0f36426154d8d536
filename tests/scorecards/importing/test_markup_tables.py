"""Tables of AsciiDoc, Org and reStructuredText: each row is a line, and none is lost beside a task list."""

import pytest

from scorecards.importing.markup_tables import tables_as_markdown
from tests.scorecards.importing.test_checklists import draft_of

ROWS = ["| Check | Level |", "| --- | --- |", "| Backups are restored | Must |", "| Chaos test | Should |"]
ASCIIDOC = """
[%header,cols="2*"]
|===
|Check
|Level

|Backups
are restored
|Must

a|Chaos test | Should
|===
"""
LINE_BY_LINE = """
|===
|Check |Level
|Backups are restored |Must
|Chaos test |Should
|===
"""
LIST_TABLE = """
.. list-table::
   :header-rows: 1

   * - Check
     - Level
   * - Backups are
       restored
     - Must
   * - Chaos test
     - Should
"""
GRID = """
+-----------------+--------+
| Check           | Level  |
+=================+========+
| Backups are     | Must   |
| restored        |        |
+-----------------+--------+
| Chaos test      | Should |
+-----------------+--------+
"""
SIMPLE = """
===============  ======
Check            Level
===============  ======
Backups are      Must
restored
Chaos test       Should
===============  ======
"""
ORG = "| Check | Level |\n|---+---|\n| Backups are restored | Must |\n| Chaos test | Should |"


@pytest.mark.parametrize(
    ("ending", "text"),
    [("adoc", ASCIIDOC), ("asciidoc", LINE_BY_LINE), ("rst", LIST_TABLE), ("rst", GRID), ("org", ORG)],
)
def test_a_table_is_written_as_markdowns(ending, text):
    lines = text.splitlines()
    made = tables_as_markdown(ending, lines)
    assert len(made) == len(lines)
    told = [line.replace("|---|---|", ROWS[1]) for line in made if line.startswith("|")]
    assert told == ROWS


def test_a_simple_table_goes_on_where_its_first_cell_is_empty():
    text = SIMPLE.replace("restored\n", "                 always\n")
    told = [line for line in tables_as_markdown("rst", text.splitlines()) if line.startswith("|")]
    assert told[2] == "| Backups are | Must always |"


def test_rows_of_one_line_keep_their_numbers():
    draft = draft_of(f"= Ready\n{LINE_BY_LINE}", "ready.adoc")
    assert [(one.item.text, one.item.line, one.item.grade) for one in draft.said] == [
        ("Backups are restored", 5, "Must"),
        ("Chaos test", 6, "Should"),
    ]


def test_cells_that_span_or_repeat_keep_the_columns():
    lines = ["|===", "|Check |Level |Owner", "2+|Backups are restored |DBA", "3*|x", "|==="]
    told = [line for line in tables_as_markdown("adoc", lines) if line]
    assert told[2:] == ["| Backups are restored |  | DBA |", "| x | x | x |"]


def test_a_table_without_a_head_loses_no_row():
    lines = ["|===", "|Every backup of every store is restored twice a year |yes", "|Chaos test |no", "|==="]
    told = [line for line in tables_as_markdown("adoc", lines) if line]
    assert told[0] == "|  |  |"
    assert len(told) == 4


def test_tables_that_are_no_checklist_are_named_beside_tasks():
    draft = draft_of("- [ ] Rollback is automated\n\n| Colour | Meaning |\n|---|---|\n| red | It burns badly |\n")
    assert len(draft.said) == 1
    assert "“It burns badly”" in draft.notes[0]


def test_columns_are_known_in_other_languages_too():
    draft = draft_of("| Prüfung | Pflicht | Stufe |\n|---|---|---|\n| Sicherungen werden getestet | ja | 1 |\n")
    assert [one.item.text for one in draft.said] == ["Sicherungen werden getestet"]
