"""Every concept of the domain that the product promises, and every ruling on it, has a test that carries its number."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize(("word", "last"), [("row", 44), ("ruling", 19)])
def test_each_row_and_each_ruling_has_a_test_with_its_number(word, last):
    named = [
        name
        for path in TESTS.rglob("test_*.py")
        for name in re.findall(rf"def (test_\w*{word}_[0-9]\w*)", path.read_text())
    ]
    found = {int(number) for name in named for number in re.findall(rf"{word}_(\d+)", name)}
    found |= {int(number) for name in named for number in re.findall(r"_and_(\d+)", name)}
    assert sorted(set(range(1, last + 1)) - found) == []
