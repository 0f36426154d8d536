"""The page of all facts says what is declared, and leaves no fact without an answer to where it comes from."""

from tools import write_facts_page


def test_the_page_is_as_the_declarations_make_it() -> None:
    assert write_facts_page.PAGE.read_text() == write_facts_page.page(), "run: python -m tools.write_facts_page"


def test_every_fact_is_supplied_or_says_by_what_it_could_be() -> None:
    cells = [[cell.strip() for cell in row.split("|")] for row in write_facts_page.rows()]
    assert len(cells) > 100
    assert [row[1] for row in cells if not row[5] and not row[6]] == []
