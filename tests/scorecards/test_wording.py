"""Values as a person reads them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorecards.evidence.values import span
from scorecards.wording import placeholders, render, write

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.9994, "ratio", "99.94 %"),
        (0.9995, "ratio", "99.95 %"),
        (0.99999, "ratio", "99.999 %"),
        (0.95, "ratio", "95 %"),
        (1.0, "ratio", "100 %"),
        (0.0, "ratio", "0 %"),
        (1.25, "ratio", "125 %"),
        (0.25, "seconds", "250 ms"),
        (1.2, "seconds", "1.2 s"),
        (300, "seconds", "5 min"),
        (90.0, "days", "90 days"),
        (12, "requests_per_second", "12 requests/s"),
        (3 * 2**30, "bytes", "3 GiB"),
        (4, "count", "4"),
        (True, "", "yes"),
        (None, "", "unknown"),
        ("bards", "", "bards"),
        ((), "", "none"),
        (("a", "b"), "", "a, b"),
        (tuple(f"m{i}" for i in range(15)), "", "m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11 and 3 more"),
        (NOW, "", "2026-11-22 (today)"),
        (NOW - timedelta(days=266), "", "2026-03-01 (266 days ago)"),
        (NOW + timedelta(days=2), "", "2026-11-24 (in 2 days)"),
    ],
)
def test_a_value_is_written_by_its_unit(value, unit, text):
    assert write(value, unit, NOW) == text


def test_values_of_one_sentence_that_differ_read_differently():
    sentence = render("{a} of {b}", {"a": (0.998996, "ratio"), "b": (0.999, "ratio")}, NOW)
    assert sentence == "99.8996 % of 99.9 %"
    assert render("{a}", {"a": (0.70004, "ratio")}, NOW, beside=[0.7]) == "70.004 %"
    assert render("{a}", {"a": (2.0004, "count")}, NOW, beside=[2]) == "2.0004"


@given(st.floats(0, 1), st.floats(0, 1))
def test_two_ratios_a_millionth_apart_never_read_the_same(left, right):
    if abs(left - right) >= 1e-6:
        assert write(left, "ratio", NOW, [left, right]) != write(right, "ratio", NOW, [left, right])


def test_a_placeholder_without_a_value_reads_unknown():
    assert placeholders("{slo.count} and {missing}") == ["slo.count", "missing"]
    assert render("{slo.count} SLOs", {}, NOW) == "unknown SLOs"


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(days=1), "1 day"),
        (timedelta(days=90), "90 days"),
        (timedelta(hours=6), "6 hours"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(seconds=5), "5 seconds"),
    ],
)
def test_a_duration_is_written_in_its_largest_unit(duration, text):
    assert span(duration) == text
