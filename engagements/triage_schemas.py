"""JSON shapes of triage."""

from typing import Any

from marshmallow import RAISE, Schema, fields

from engagements.services import links_of
from engagements.tiers import Tier
from engagements.triage_list import Direction
from portal_backend.core.http import Moment, PageQuery


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
    ladder_step = fields.String(
        allow_none=True, metadata=said("The next step for a neglected service: `escalate` or `disengage`.")
    )
    phase = fields.String(attribute="evidence.phase", allow_none=True)


class OnboardPageSchema(Schema):
    """A page of the services that might get more support, the most valuable first."""

    items = fields.List(fields.Nested(OnboardRowSchema))
    next_cursor = fields.String(allow_none=True)
    total = fields.Integer()


class HandBackPageSchema(Schema):
    """A page of the services that SRE runs, those to hand back first."""

    items = fields.List(fields.Nested(HandBackRowSchema))
    next_cursor = fields.String(allow_none=True)
    total = fields.Integer()


class TriageSchema(Schema):
    """The lists that were asked for; the other is left out."""

    onboard = fields.Nested(OnboardPageSchema)
    hand_back = fields.Nested(HandBackPageSchema)
