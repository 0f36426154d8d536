"""JSON shapes of triage."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate, validates

from catalog.services import CRITICALITIES
from engagements.services import links_of
from engagements.text_fields import PlainText, in_range
from engagements.tiers import Tier
from engagements.triage.directions import Direction
from engagements.triage.settings import TriageSettings
from portal_backend.core.config_schema import Duration
from portal_backend.core.http import Moment, PageQuery

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
        lambda row: links_of(row.evidence.ref),
        metadata=said("Where more stands.", type="object", additionalProperties={"type": "string"}),
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
        allow_none=True, metadata=said("The next step for a neglected service: `escalate` or `disengage`.")
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


class ChangesQuery(Schema):
    """Since when."""

    class Meta:
        unknown = RAISE

    since = fields.Date(load_default=None, metadata=said("A day in UTC; a week ago by default."))
    limit = fields.Integer(load_default=100, validate=validate.Range(1, 500))


class TriageChangeSchema(Schema):
    """What became of a service's place."""

    ref = fields.String()
    change = fields.String(metadata=said("`entered`, `left` or `moved`."))
    direction = fields.String(metadata=said("The list: `onboard` or `hand_back`."))
    rank_before = fields.Integer(allow_none=True)
    rank = fields.Integer(allow_none=True)
    value_before = fields.Float(allow_none=True)
    value = fields.Float(allow_none=True)
    cause = fields.String(
        allow_none=True, metadata=said("The term or the rule that changed most; null: other services changed.")
    )
    sentence = fields.String()


class TriageChangesSchema(Schema):
    """What changed on the lists, entries and departures first."""

    since = fields.Date(metadata=said("The day whose end today is compared with."))
    asked = fields.Date()
    complete = fields.Boolean(metadata=said("False when the record begins only after the day asked for."))
    items = fields.List(fields.Nested(TriageChangeSchema))
    total = fields.Integer()


class NewDismissalSchema(Schema):
    """What to dismiss."""

    class Meta:
        unknown = RAISE

    ref = PlainText(
        required=True,
        validate=validate.Regexp(
            r"^[^:/]+:[^:/]+/[^/]+$", error="must be a full reference, component:default/checkout"
        ),
    )
    direction = fields.Enum(Direction, by_value=True, required=True)
    reason = PlainText(required=True, validate=validate.Length(1, MAX_REASON_LENGTH))
    until = Moment(required=True, validate=in_range, metadata=said("At most 180 days ahead (a setting)."))


class DismissalSchema(DismissalTold):
    """A dismissal."""

    ref = fields.String(attribute="entity_ref")
    direction = fields.String()
    ended_at = Moment(allow_none=True, metadata=said("When somebody ended it before its end."))
    ended_by = fields.String(allow_none=True)


class DismissalQuery(PageQuery):
    """Which dismissals to list."""

    class Meta:
        unknown = RAISE

    ended = fields.Boolean(load_default=False, metadata=said("Also those that ended."))


class DismissalPageSchema(Schema):
    """A page of dismissals."""

    items = fields.List(fields.Nested(DismissalSchema))
    next_cursor = fields.String(allow_none=True)


class WhereaboutsSchema(Schema):
    """Where a service is on the lists, or why it is on none."""

    ref = fields.String()
    direction = fields.String(allow_none=True)
    on_list = fields.Boolean()
    rank = fields.Integer(allow_none=True, metadata=said("1 is the first of its list."))
    sentence = fields.String()
    computed_at = Moment(allow_none=True)
    dismissal = fields.Nested(DismissalTold, allow_none=True)
    row = fields.Dict(allow_none=True, metadata=said("The row with its reasons, as on the list."))


class TriageQueueQuery(PageQuery):
    """Which page of the queue."""

    class Meta:
        unknown = RAISE


class TriageQueueEntrySchema(Schema):
    """An accepted engagement that waits for room."""

    place = fields.Integer(metadata=said("Its place among all that wait."))
    rank = fields.Integer(metadata=said("1 starts first in its team."))
    engagement = fields.String(attribute="engagement.id")
    ref = fields.String(attribute="engagement.entity_ref")
    model = fields.String(attribute="engagement.model")
    team = fields.String(attribute="engagement.sre_team", allow_none=True)
    value = fields.Float(allow_none=True, metadata=said("What the service would gain from SRE; null: not triaged yet."))
    criticality = fields.String(allow_none=True)
    reasons = fields.List(fields.String())
    waiting_since = Moment()
    waiting_days = fields.Float()


class TriageQueuePageSchema(Schema):
    """A page of the queue."""

    items = fields.List(fields.Nested(TriageQueueEntrySchema))
    next_cursor = fields.String(allow_none=True)


class TriageSettingsSchema(Schema):
    """`engagements.triage:` of portal.yaml: any of the numbers of triage; what is left out keeps its default."""

    class Meta:
        unknown = RAISE

    weights = fields.Dict(keys=fields.String(), values=fields.Float(validate=validate.Range(0, 100)))
    criticality_values = fields.Dict(
        keys=fields.String(validate=validate.OneOf(CRITICALITIES)), values=fields.Float(validate=validate.Range(0, 1))
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
    exhausted_windows = fields.Integer(strict=True, validate=validate.Range(1, 3))
    mostly_operations = fields.Float(validate=validate.Range(0, 1))
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

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> TriageSettings:
        """Return the numbers, with the defaults of those left out."""
        plain = TriageSettings()
        if "weights" in data:
            data["weights"] = {**plain.weights, **data["weights"]}
        if "criticality_values" in data:
            data["criticality_values"] = {**plain.criticality_values, **data["criticality_values"]}
        return replace(plain, **data)
