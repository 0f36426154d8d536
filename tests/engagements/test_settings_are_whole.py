"""Every number of a part is a setting of portal.yaml, with the default that the documentation tells."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from engagements.capacity.schemas import CapacitySettingsSchema
from engagements.capacity.settings import CapacitySettings
from engagements.incident_view.settings import IncidentSettings
from engagements.lifecycle.settings import LifecycleSettings
from engagements.reviews.settings import ReviewSettings
from engagements.settings_schemas import IncidentSettingsSchema, LifecycleSettingsSchema, ReviewSettingsSchema
from engagements.triage.settings import TriageSettings
from engagements.triage_schemas import TriageSettingsSchema

CONFIGURATION = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
PARTS = [
    (TriageSettings, TriageSettingsSchema),
    (CapacitySettings, CapacitySettingsSchema),
    (LifecycleSettings, LifecycleSettingsSchema),
    (ReviewSettings, ReviewSettingsSchema),
    (IncidentSettings, IncidentSettingsSchema),
]


@pytest.mark.parametrize(("plain", "schema"), PARTS, ids=lambda part: part.__name__)
def test_every_number_of_a_part_is_a_setting(plain, schema):
    assert {field.name for field in fields(plain)} == set(schema().fields)


@pytest.mark.parametrize(("plain", "schema"), PARTS, ids=lambda part: part.__name__)
def test_what_is_left_out_keeps_its_default(plain, schema):
    assert schema().load({}) == plain()


def _rows():
    """Return the keys of each row of the tables of triage and capacity, and what stands as their defaults."""
    for part, title in ((TriageSettings, "triage"), (CapacitySettings, "capacity")):
        begin = CONFIGURATION.index(f"`engagements.{title}` ([")
        for line in CONFIGURATION[begin:].split("\n\n")[1].splitlines()[2:]:
            keys, default, _ = line.strip("| ").split(" | ", 2)
            yield part, re.findall(r"`([^`]+)`", keys), default


def _told(value):
    """Return a value as the tables write it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_told(each)}" for key, each in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_told(each) for each in value) + "]"
    if hasattr(value, "total_seconds"):
        hours = value.total_seconds() / 3600
        return f"{hours / 24:g}d" if hours % 24 == 0 else f"{hours:g}h"
    return value if isinstance(value, str) else f"{value:.10g}"


@pytest.mark.parametrize(
    ("part", "keys", "default"), [row for row in _rows() if row[1] != ["weights"]], ids=lambda each: str(each)[:40]
)
def test_the_table_tells_the_default(part, keys, default):
    assert default.replace("`", "") == ", ".join(_told(getattr(part(), key)) for key in keys)


@pytest.mark.parametrize(
    ("schema", "given", "fault"),
    [
        (TriageSettingsSchema, {"full_at_users": 1}, "greater than 1"),
        (TriageSettingsSchema, {"full_at_severe_incidents": 0}, "greater than 0"),
        (TriageSettingsSchema, {"full_at_rps": float("nan")}, "not permitted"),
        (TriageSettingsSchema, {"dependent_weights": {"T9": 1}}, "T0, T1, T2, T3"),
        (TriageSettingsSchema, {"dependent_weights": {"T0": -1}}, "0"),
        (TriageSettingsSchema, {"sre_fixable_axes": []}, "Shorter"),
        (TriageSettingsSchema, {"sre_fixable_axes": ["speed"]}, "observability"),
        (TriageSettingsSchema, {"simple_review_sres": [3, 2]}, "fewest and the most"),
        (TriageSettingsSchema, {"simple_review_quarters": [2]}, "Length must be 2"),
        (TriageSettingsSchema, {"framework_review_sres": [0, 1]}, "1"),
        (TriageSettingsSchema, {"exhausted_windows": 4}, "at most budget_windows, 3"),
        (TriageSettingsSchema, {"budget_windows": 1}, "at most budget_windows, 1"),
        (CapacitySettingsSchema, {"steady_hours_per_quarter": {"some": 1}}, "consult"),
        (CapacitySettingsSchema, {"steady_hours_per_quarter": {"full": -1}}, "0"),
        (CapacitySettingsSchema, {"steady_hours_per_quarter": 40}, "mapping"),
    ],
)
def test_a_number_that_makes_no_sense_is_refused_with_what_would(schema, given, fault):
    found = schema().validate(given)
    assert list(found) in ([next(iter(given))], ["exhausted_windows"])
    assert fault in str(found)


def test_tables_and_spans_are_taken():
    made = TriageSettingsSchema().load(
        {"dependent_weights": {"T0": 8}, "simple_review_sres": [1, 4], "budget_windows": 6, "exhausted_windows": 5,
         "sre_fixable_axes": ["change", "change", "capacity"]}
    )  # fmt: skip
    assert made.dependent_weights == {"T0": 8, "T1": 2, "T2": 1, "T3": 0.5}
    assert (made.simple_review_sres, made.budget_windows) == ((1, 4), 6)
    assert made.sre_fixable_axes == ("change", "capacity")
    hours = CapacitySettingsSchema().load({"steady_hours_per_quarter": {"full": 60}}).steady_hours_per_quarter
    assert hours == {"none": 0, "consult": 10, "platform": 10, "full": 60}
