"""The numbers of engagements in portal.yaml: checked at start, each fault by its path, and in force afterwards."""

from datetime import timedelta

import pytest

from engagements import in_force
from engagements.lifecycle.settings import LifecycleSettings
from engagements.settings_schemas import IncidentSettingsSchema, LifecycleSettingsSchema, ReviewSettingsSchema
from portal_backend import settings
from portal_backend.core.config import load_config
from portal_backend.core.errors import InvalidInput
from scorecards.exceptions.settings import ExceptionSettings
from tests.engagements.lifecycle import steps
from tests.engagements.lifecycle.conftest import World, company

__all__ = ["company"]


def parts_of(tmp_path, text):
    (tmp_path / "portal.yaml").write_text(text)
    return settings._engagement_numbers(load_config(tmp_path / "portal.yaml", environment={}))


def test_what_is_left_out_keeps_its_default_and_folders_lie_beside_the_file(tmp_path):
    found = parts_of(tmp_path, "engagements:\n  lifecycle: {notice: 14d, reviewers: [1, 4]}\n"
                               "  reviews: {guide_folder: guide, priority_weights: {axis_gap: 5}}\n"
                               "  incident_view: {changes_shown: 3}\n")  # fmt: skip
    assert (found["lifecycle"].notice, found["lifecycle"].reviewers) == (timedelta(days=14), (1, 4))
    assert found["lifecycle"].post_launch == LifecycleSettings().post_launch
    assert found["reviews"].guide_folder == tmp_path / "guide"
    assert (found["reviews"].priority_weights["axis_gap"], found["reviews"].priority_weights["blast_radius"]) == (5, 1)
    assert found["incident_view"].changes_shown == 3


@pytest.mark.parametrize(("written", "path"), [
    ("lifecycle: {notice: 14}", "engagements.lifecycle.notice"),
    ("lifecycle: {notice: 900w}", "engagements.lifecycle.notice"),
    ("lifecycle: {reviewers: [3, 1]}", "engagements.lifecycle.reviewers"),
    ("lifecycle: {reviewers: 3}", "engagements.lifecycle.reviewers"),
    ("lifecycle: {gate_level: L9}", "engagements.lifecycle.gate_level"),
    ("lifecycle: {training_attendance: 80}", "engagements.lifecycle.training_attendance"),
    ("reviews: {severity_values: {odd: 1}}", "engagements.reviews.severity_values.odd.key"),
    ("reviews: {advice_hours_per_quarter: .nan}", "engagements.reviews.advice_hours_per_quarter"),
    ("incident_view: {changes_shown: 0}", "engagements.incident_view.changes_shown"),
    ("capacity: {lifecycle_loads: {dreaming: 1}}", "engagements.capacity.lifecycle_loads.dreaming.key"),
    ("reviews: {unheard_of: 1}", "engagements.reviews.unheard_of"),
])  # fmt: skip
def test_a_fault_is_named_by_its_path(tmp_path, written, path):
    with pytest.raises(InvalidInput) as refused:
        parts_of(tmp_path, f"engagements:\n  {written}\n")
    assert path in [fault.path for fault in refused.value.faults]


def test_every_number_can_be_configured():
    from engagements.incident_view.settings import IncidentSettings
    from engagements.reviews.settings import ReviewSettings

    for schema, numbers in ((LifecycleSettingsSchema, LifecycleSettings()), (ReviewSettingsSchema, ReviewSettings()),
                            (IncidentSettingsSchema, IncidentSettings())):  # fmt: skip
        assert set(schema().fields) == set(vars(numbers))


def test_exceptions_are_configured_beside_the_checks(tmp_path):
    (tmp_path / "portal.yaml").write_text("scorecards:\n  exceptions: {longest_waiver_days: 30}\n")
    written = load_config(tmp_path / "portal.yaml", environment={}).exceptions
    found = settings._load(settings.ExceptionSettingsSchema(), written, "scorecards.exceptions")
    assert found == ExceptionSettings(longest_waiver=timedelta(days=30))


def test_the_guards_go_by_the_numbers_in_force(app, client, monkeypatch, company):
    world = World(client, monkeypatch)
    in_force.init_app(app, lifecycle=LifecycleSettings(training_attendance=0.2, notice=timedelta(days=3)))
    try:
        one = steps.to_active(world)
        world.moved("sally", one, "disengaging", outcome="importance_fell", reason="replaced")
        assert (world.show(one)["notice"]["until"][:10]) == f"{world.now + timedelta(days=3):%Y-%m-%d}"
        assert world.show(one)["agreement"]["training_attendance"] == 0.2
    finally:
        in_force.init_app(app, lifecycle=LifecycleSettings())
