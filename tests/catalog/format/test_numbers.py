"""Numbers and lengths as JavaScript has them: what Backstage's index holds, filters must ask for."""

import pytest

from catalog.format.numbers import number_text, utf16_length
from catalog.format.yaml_documents import read_documents
from catalog.ingestion.flatten import search_values
from catalog.querying.conditions import Equals
from catalog.querying.predicates import parse_predicate

WRITTEN = [
    (7, "7"), (-7.0, "-7"), (0.0, "0"), (-0.0, "0"), (1.5, "1.5"), (0.1, "0.1"), (100.0, "100"),
    (1e20, "100000000000000000000"), (1e21, "1e+21"), (-1.25e22, "-1.25e+22"), (1e-6, "0.000001"), (1e-7, "1e-7"),
    (12345678901234567890, "12345678901234567000"), (2**53 + 1, "9007199254740992"), (5e-324, "5e-324"),
    (1.7976931348623157e308, "1.7976931348623157e+308"), (float("nan"), "NaN"), (float("-inf"), "-Infinity"),
]  # fmt: skip


@pytest.mark.parametrize(("number", "text"), WRITTEN)
def test_a_number_is_written_as_javascript_writes_it(number, text):
    assert number_text(number) == text


def test_a_filter_finds_a_number_by_what_the_index_holds():
    for number in (1e21, 12345678901234567890, 1e-7, 7):
        entity = {"kind": "Component", "metadata": {"name": "a", "size": number}}
        [(_, value, _, _)] = search_values(entity)
        assert parse_predicate({"metadata.size": number}) == Equals("metadata.size", (value,))


def test_a_number_as_the_key_of_a_mapping_is_the_property_that_javascript_makes_of_it():
    [document] = read_documents(b"{1e21: a, 0.10: b, .nan: c, 0x10: d}")
    assert document.value == {"1e+21": "a", "0.1": "b", "NaN": "c", "16": "d"}


@pytest.mark.parametrize(
    ("text", "is_held"),
    [("x" * 200, True), ("x" * 201, False), ("\U0001f600" * 100, True), ("\U0001f600" * 101, False),
     ("\u0130" * 100, True), ("\u0130" * 101, False), ("\u00e4" * 200, True)],
)  # fmt: skip
def test_a_value_is_held_as_long_as_its_lower_case_has_at_most_200_units_of_utf_16(text, is_held):
    [(_, value, _, _)] = search_values({"metadata": {"note": text}})
    assert (value is not None) is is_held
    assert (utf16_length(text.lower()) <= 200) is is_held
