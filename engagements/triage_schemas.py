"""JSON shapes of triage."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate, validates, validates_schema

from catalog.services import CRITICALITIES
from engagements.services import links_of
from engagements.text_fields import PlainText
from engagements.tiers import Tier
from engagements.triage.directions import Direction
from engagements.triage.settings import TriageSettings
from portal_backend.core.config_schema import Duration
from portal_backend.core.http import Moment, PageQuery
from scorecards.checks.definitions import Axis

RULES = ("R1", "R2", "value", "D1", "D2", "D3", "D4", "D5")
VERDICTS = ("candidate", "barred", "undecided", "stay", "hand_back", "keep")
MAX_REASON_LENGTH = 2000


def said(text: str, **more: Any) -> dict[str, Any]:
    """Return a field's metadata: its description, and what else its schema says."""
    return {"description": text, **more}


class TriageQuery(PageQuery):
    """Which list to read."""

    class Meta:
        unknown = RAISE

    direction = fields.Enum(
        Direction, by_value=True, load_default=None, metadata=said("Left out: the first page of both lists.")
    )
    owner = fields.List(PlainText(), load_default=list, metadata=said("Full references of owning groups; repeatable."))
    criticality = fields.List(fields.String(validate=validate.OneOf(CRITICALITIES)), load_default=list)
    rule = fields.List(
        fields.String(validate=validate.OneOf(RULES)),
        load_default=list,
        metadata=said(f"Rows of which one of these rules is met, of {', '.join(RULES)}; repeatable."),
    )
    verdict = fields.List(fields.String(validate=validate.OneOf(VERDICTS)), load_default=list)
    dismissed = fields.Boolean(
        load_default=False, metadata=said("The rows that somebody dismissed, instead of the others.")
    )


class TermSchema(Schema):
    """One reason for a service's value."""

    signal = fields.String()
    raw = fields.Raw(allow_none=True, metadata=said("The value as observed; null when unknown."))
    normalised = fields.Float(metadata=said("The share of its points that it earns, 0 to 1."))
    scale = fields.String(metadata=said("How the share follows from the value, with the numbers filled in."))
    weight = fields.Float(metadata=said("The most points that it can earn."))
    points = fields.Float()
    known = fields.Float(metadata=said("The share of the weight that rests on something known, 0 to 1."))
    source = fields.String(allow_none=True)
    observed_at = Moment(allow_none=True)
    simulated = fields.Boolean(metadata=said("The source is not a real system."))
    sentence = fields.String()


class ReasonSchema(Schema):
    """A rule that makes a service a candidate."""

    rule = fields.String(metadata=said("`R1` growth, `R2` dependents, or `value`."))
    state = fields.String(metadata=said("`met`, `not_met` or `unknown`."))
    sentence = fields.String()


class BarrierSchema(Schema):
    """What speaks against taking a service on."""

    barrier = fields.String(metadata=said("`no_owner` or `low_availability_need`."))
    sentence = fields.String()


class CostSchema(Schema):
    """What taking a service on would cost SRE; never part of its value."""

    model = fields.String()
    sres = fields.Tuple((fields.Integer(), fields.Integer()), metadata=said("From, to."))
    quarters = fields.Tuple((fields.Integer(), fields.Integer()), metadata=said("From, to."))
    sre_quarters = fields.Tuple((fields.Integer(), fields.Integer()), metadata=said("From, to."))
    stack = fields.String(metadata=said("Whether SRE knows its framework: `known`, `new` or `unknown`."))
    pages_per_shift = fields.Float(allow_none=True)
    sentence = fields.String()


class DismissalTold(Schema):
    """Why and until when a row is off its list."""

    id = fields.String()
    reason = fields.String()
    dismissed_by = fields.String()
    dismissed_at = Moment()
    until = Moment(metadata=said("After this it is back on the list by itself."))


def _links(ref: str, engagement_id: str | None) -> dict[str, str]:
    return {**links_of(ref), **({"engagement": f"/api/engagements/{engagement_id}"} if engagement_id else {})}


class TriageRowSchema(Schema):
    """What every row says of its service."""

    ref = fields.String(attribute="evidence.ref")
    title = fields.String(attribute="evidence.title")
    owner = fields.String(attribute="evidence.owner", allow_none=True)
    criticality = fields.String(attribute="evidence.criticality", allow_none=True)
    lifecycle = fields.String(attribute="evidence.lifecycle", allow_none=True)
    tier = fields.Enum(Tier, by_value=True, attribute="evidence.tier")
    level = fields.Function(
        lambda row: row.evidence.readiness.level if row.evidence.readiness else None,
        metadata=said("Its overall readiness, `L0` to `L4`; null: never judged.", type=["string", "null"]),
    )
    next_act = fields.String(metadata=said("What to do next."))
    links = fields.Function(
        lambda row: _links(row.evidence.ref, row.evidence.engagement_id),
        metadata=said(
            "Where more stands; `engagement` while one with it is open.",
            type="object",
            additionalProperties={"type": "string"},
        ),
    )


class OnboardRowSchema(TriageRowSchema):
    """A service that might get more support."""

    value = fields.Float(metadata=said("The sum of the points of the terms, 0 to 100."))
    confidence = fields.Float(metadata=said("The share of the whole weight that rests on something known, 0 to 1."))
    verdict = fields.String(
        metadata=said("`candidate`, `barred` (something must change first), `undecided` (too little known) or `stay`.")
    )
    terms = fields.List(fields.Nested(TermSchema))
    reasons = fields.List(fields.Nested(ReasonSchema))
    barriers = fields.List(fields.Nested(BarrierSchema))
    cost = fields.Nested(CostSchema)
    failing_blockers = fields.Function(
        lambda row: list(row.evidence.readiness.failing_blockers) if row.evidence.readiness else [],
        metadata=said("Checks that bar a level up to L3 and fail.", type="array", items={"type": "string"}),
    )


class RuleTermSchema(Schema):
    """One condition of a rule."""

    signal = fields.String()
    state = fields.String(metadata=said("`met`, `not_met` or `unknown`."))
    value = fields.Raw(allow_none=True)
    threshold = fields.Raw(allow_none=True)
    unit = fields.String()
    observed_at = Moment(allow_none=True)
    source = fields.String(allow_none=True)
    simulated = fields.Boolean(metadata=said("The source is not a real system."))
    sentence = fields.String()
    cause = fields.String(metadata=said("Why it is unknown; empty otherwise."))


class RuleSchema(Schema):
    """A rule of handing back."""

    id = fields.String(metadata=said("`D1` to `D5`."))
    outcome = fields.String(metadata=said("The outcome that a disengagement would have."))
    title = fields.String()
    state = fields.String(metadata=said("`met`, `not_met` or `unknown`."))
    sentence = fields.String()
    terms = fields.List(fields.Nested(RuleTermSchema))


class HandBackRowSchema(TriageRowSchema):
    """A service that SRE runs."""

    rules = fields.List(fields.Nested(RuleSchema))
    urgency = fields.Integer(
        metadata=said("0: a rule is met. 1: all that is known of one speaks for it. 2: one is open. 3: none applies.")
    )
    ladder_step = fields.String(
        allow_none=True,
        metadata=said("The next step for a neglected service: `escalate`, `return_pager` or `disengage`."),
    )
    phase = fields.String(attribute="evidence.phase", allow_none=True)


class StoredRowSchema(Schema):
    """What every stored row says of itself."""

    computed_at = Moment(metadata=said("When triage found this."))
    dismissal = fields.Nested(DismissalTold, allow_none=True)


class StoredOnboardRowSchema(OnboardRowSchema, StoredRowSchema):
    """A stored row of a service that might get more support."""


class StoredHandBackRowSchema(HandBackRowSchema, StoredRowSchema):
    """A stored row of a service that SRE runs."""


class TriagePageSchema(Schema):
    """What every page of a list says of itself."""

    next_cursor = fields.String(allow_none=True)
    total = fields.Integer(metadata=said("Rows that match, on all pages."))
    dismissed = fields.Integer(metadata=said("Rows of the list that are left out because somebody dismissed them."))
    computed_at = Moment(allow_none=True, metadata=said("When the oldest row of the list was computed; null: never."))
    newest_at = Moment(allow_none=True, metadata=said("When the newest row of the list was computed."))


class OnboardPageSchema(TriagePageSchema):
    """A page of the services that might get more support, the most valuable first."""

    items = fields.List(fields.Nested(StoredOnboardRowSchema))


class HandBackPageSchema(TriagePageSchema):
    """A page of the services that SRE runs, those to hand back first."""

    items = fields.List(fields.Nested(StoredHandBackRowSchema))


class TriageSchema(Schema):
    """The lists that were asked for; the other is left out."""

    onboard = fields.Nested(OnboardPageSchema)
    hand_back = fields.Nested(HandBackPageSchema)


def _above(least: float) -> fields.Float:
    """Return a number that shares are counted of: on its scale, nothing at or below `least` may earn all points."""
    return fields.Float(validate=validate.Range(least, 1e12, min_inclusive=False))


def _by_criticality(most: float) -> fields.Dict:
    return fields.Dict(
        keys=fields.String(validate=validate.OneOf(CRITICALITIES)),
        values=fields.Float(validate=validate.Range(0, most)),
    )


def _span(most: int) -> "fields.List[int]":
    """Return the fewest and the most of something."""
    return fields.List(
        fields.Integer(strict=True, validate=validate.Range(1, most)), validate=[validate.Length(equal=2), _in_order]
    )


def _in_order(given: list[int]) -> None:
    if given != sorted(given):
        raise ValidationError("must be the fewest and the most, such as [2, 3]")


class TriageSettingsSchema(Schema):
    """`engagements.triage:` of portal.yaml: any of the numbers of triage; what is left out keeps its default."""

    class Meta:
        unknown = RAISE

    weights = fields.Dict(keys=fields.String(), values=fields.Float(validate=validate.Range(0, 100)))
    criticality_values = _by_criticality(1)
    dependent_weights = _by_criticality(1000)
    full_at_weighted_dependents = _above(0)
    full_at_users = _above(1)
    full_at_growth = _above(1)
    full_at_new_dependents = _above(0)
    full_at_severe_incidents = _above(0)
    full_at_pages_per_shift = _above(0)
    full_at_repeated_causes = _above(0)
    full_at_dependencies = _above(0)
    full_at_regions = _above(1)
    full_at_rps = _above(1)
    sre_fixable_axes = fields.List(
        fields.String(validate=validate.OneOf([axis.value for axis in Axis])), validate=validate.Length(1)
    )
    growth_since_launch = fields.Float(validate=validate.Range(1, min_inclusive=False))
    growth_in_180_days = fields.Float(validate=validate.Range(1, min_inclusive=False))
    new_dependents_in_90_days = fields.Integer(strict=True, validate=validate.Range(1))
    important_dependents = fields.Integer(strict=True, validate=validate.Range(1))
    candidate_value = fields.Float(validate=validate.Range(0, 100))
    low_availability_target = fields.Float(validate=validate.Range(0, 1))
    low_confidence = fields.Float(validate=validate.Range(0, 1))
    graduated_budget_left = fields.Float(validate=validate.Range(0, 1))
    graduated_pages_per_shift = fields.Float(validate=validate.Range(0))
    graduated_level = fields.Integer(strict=True, validate=validate.Range(1, 4))
    forecast_share = fields.Float(validate=validate.Range(0, 1))
    budget_windows = fields.Integer(strict=True, validate=validate.Range(1, 12))
    exhausted_windows = fields.Integer(strict=True, validate=validate.Range(1, 12))
    mostly_operations = fields.Float(validate=validate.Range(0, 1))
    simple_review_sres = _span(20)
    simple_review_quarters = _span(12)
    framework_review_sres = _span(20)
    framework_review_quarters = _span(12)
    refresh_after = Duration(validate=validate.Range(timedelta(minutes=1), timedelta(days=1)))
    longest_dismissal = Duration(validate=validate.Range(timedelta(days=1), timedelta(days=180)))

    @validates("weights")
    def check_weights(self, given: dict[str, float], **_: Any) -> None:
        """Refuse terms that do not exist, and weights that do not add up to 100 with the others."""
        known = TriageSettings().weights
        odd = sorted(given.keys() - known.keys())
        if odd:
            raise ValidationError(f"{', '.join(odd)}: no such term; the terms are {', '.join(known)}")
        total = sum({**known, **given}.values())
        if abs(total - 100) > 0.01:
            raise ValidationError(f"must add up to 100 with the weights left out, not to {total:g}")

    @validates_schema
    def check_windows(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse a rule D4 that no service could meet."""
        plain = TriageSettings()
        looked_at = data.get("budget_windows", plain.budget_windows)
        if data.get("exhausted_windows", plain.exhausted_windows) > looked_at:
            raise ValidationError(f"must be at most budget_windows, {looked_at}", "exhausted_windows")

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> TriageSettings:
        """Return the numbers, with the defaults of those left out."""
        plain = TriageSettings()
        for name, given in data.items():
            if isinstance(given, dict):
                data[name] = {**getattr(plain, name), **given}
            elif isinstance(given, list):
                data[name] = tuple(dict.fromkeys(given) if name == "sre_fixable_axes" else given)
        return replace(plain, **data)
