"""Every concept of the domain that the product promises has a test that carries its number."""

import re
from pathlib import Path

ROWS = range(1, 45)
TESTS = Path(__file__).parents[1]


def test_each_of_the_44_rows_has_a_test_with_its_number():
    named = [
        name for path in TESTS.rglob("test_*.py") for name in re.findall(r"def (test_\w*row_\w+)", path.read_text())
    ]
    found = {int(number) for name in named for number in re.findall(r"row_(\d+)", name)}
    assert sorted(set(ROWS) - found) == []
