"""`engagements.lifecycle`, `.reviews` and `.incident_view` of portal.yaml: any of their numbers, checked at start."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate, validates

from engagements.incident_view.settings import IncidentSettings
from engagements.lifecycle.settings import LifecycleSettings
from engagements.reviews.settings import ReviewSettings
from portal_backend.core.config_schema import Duration

YEAR = timedelta(days=366)


def _days(most: timedelta = YEAR) -> Duration:
    return Duration(validate=validate.Range(timedelta(0), most, error=f"must lie between 0d and {most.days}d"))


def _share() -> fields.Float:
    return fields.Float(allow_nan=False, validate=validate.Range(0, 1))


def _count(most: int) -> fields.Integer:
    return fields.Integer(strict=True, validate=validate.Range(1, most))


class _SettingsSchema(Schema):
    """Loads settings: what is left out keeps its default, and so does each entry that a table leaves out."""

    settings: ClassVar[Any]

    class Meta:
        unknown = RAISE

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> Any:
        """Return the settings."""
        plain = self.settings()
        for name, value in data.items():
            if isinstance(value, dict):
                data[name] = {**getattr(plain, name), **value}
        return replace(plain, **data)


class LifecycleSettingsSchema(_SettingsSchema):
    """`engagements.lifecycle:`: thresholds of the guards and of the signals."""

    settings = LifecycleSettings

    gate_level = fields.String(validate=validate.OneOf(["L1", "L2", "L3", "L4"]))
    training_attendance = _share()
    reviewers = fields.List(fields.Integer(strict=True, validate=validate.Range(1, 20)), validate=validate.Length(2, 2))
    notice = _days()
    pager_trial = _days()
    post_launch = _days()
    revision_review_due = _days()
    conformance_due = _days()
    pause_due = _days()
    agreement_due = _days()
    pager_review_due = _days()
    alerts_unrouted_due = _days()
    abandoned_due = _days()
    business_value = fields.Float(allow_nan=False, validate=validate.Range(0, 10))
    complex_dependencies = _count(10_000)

    @validates("reviewers")
    def check_reviewers(self, given: list[int], **_: Any) -> None:
        """Refuse a span that ends before it begins."""
        if len(given) == 2 and given[0] > given[1]:
            raise ValidationError("must be the fewest and the most, such as [1, 3]")

    @post_load
    def make(self, data: dict[str, Any], **more: Any) -> Any:
        """Return the settings."""
        if "reviewers" in data:
            data["reviewers"] = tuple(data["reviewers"])
        return super().make(data, **more)


class ReviewSettingsSchema(_SettingsSchema):
    """`engagements.reviews:`: weights, periods and bounds of reviews, launches, advice and the guide."""

    settings = ReviewSettings

    priority_weights = fields.Dict(
        keys=fields.String(validate=validate.OneOf(list(ReviewSettings().priority_weights))),
        values=fields.Float(allow_nan=False, validate=validate.Range(0, 100)),
    )
    severity_values = fields.Dict(
        keys=fields.String(validate=validate.OneOf(list(ReviewSettings().severity_values))), values=_share()
    )
    full_at_dependents = fields.Float(allow_nan=False, validate=validate.Range(1, 1_000_000))
    incident_window = _days(timedelta(days=3660))
    service_review_every = _days()
    post_launch_window = _days()
    advice_hours_per_quarter = fields.Float(allow_nan=False, validate=validate.Range(0, 10_000))
    largest_launch_step_percent = fields.Float(allow_nan=False, validate=validate.Range(0, 100))
    repeated_fix_services = _count(10_000)
    launch_lead_time_target = _days()
    template_folder = fields.String(validate=validate.Length(1))
    guide_folder = fields.String(validate=validate.Length(1))

    @post_load
    def make(self, data: dict[str, Any], **more: Any) -> Any:
        """Return the settings; the folders are as they were written."""
        for name in ("template_folder", "guide_folder"):
            if name in data:
                data[name] = Path(data[name])
        return super().make(data, **more)


class IncidentSettingsSchema(_SettingsSchema):
    """`engagements.incident_view:`: how much the page shows, and when something on it is late."""

    settings = IncidentSettings

    changes_shown = _count(100)
    dependencies_shown = _count(200)
    dependents_shown = _count(200)
    similar_shown = _count(100)
    ended_shown = _count(100)
    events_of_service = _count(200)
    events_of_dependency = _count(100)
    similar_looked_at = _count(1000)
    patterns_compared = _count(100)
    suspect_before = _days(timedelta(days=7))
    late_after_periods = _count(100)
    late_after = _days(timedelta(days=7))
    runbook_old_after = _days(timedelta(days=3660))
