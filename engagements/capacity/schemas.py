"""JSON shapes of teams, their capacity, and the plan."""

from dataclasses import replace
from typing import Any

from marshmallow import RAISE, Schema, fields, post_load, validate

from catalog.services import LIFECYCLES
from engagements.capacity.limits import UNITS, Limit, TeamKind
from engagements.capacity.planner.plan import Method
from engagements.capacity.planner.problem import Option
from engagements.capacity.settings import CapacitySettings
from engagements.text_fields import PlainText, in_range
from engagements.triage_schemas import said
from portal_backend.core.http import Moment, PageQuery
from portal_backend.core.whole_lists import PagedSchema

MAX_REASON_LENGTH = 2000
MAX_HEADCOUNT = 100_000


class TeamLimitsSchema(Schema):
    """What a team can carry."""

    title = PlainText(load_default="", validate=validate.Length(max=200))
    kind = fields.Enum(
        TeamKind,
        by_value=True,
        load_default=TeamKind.SERVICE,
        metadata=said("`platform`: its size follows the needs of the platform, not the number of services."),
    )
    headcount = fields.Integer(required=True, strict=True, validate=validate.Range(0, MAX_HEADCOUNT))
    sites = fields.Integer(load_default=1, strict=True, validate=validate.Range(1, 20))
    hours_per_shift = fields.Float(load_default=12.0, validate=validate.Range(1, 24))
    pages_per_shift_limit = fields.Float(
        load_default=2.0,
        validate=validate.Range(0, 1000),
        metadata=said("Pages in a shift of twelve hours that one rotation can take (SRE book, chapter 11)."),
    )
    ops_share_limit = fields.Float(
        load_default=0.5, validate=validate.Range(0, 1), metadata=said("The most of its time spent on operations.")
    )
    project_sres = fields.Float(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0, MAX_HEADCOUNT),
        metadata=said(
            "SREs on projects at once, which is SRE-quarters in a quarter; null: all time beside operations."
        ),
    )
    max_stacks = fields.Integer(load_default=5, strict=True, validate=validate.Range(0, 1000))


class PutTeamSchema(TeamLimitsSchema):
    """What a team can carry from a moment on, and why that changes."""

    class Meta:
        unknown = RAISE

    reason = PlainText(required=True, validate=validate.Length(1, MAX_REASON_LENGTH))
    effective_at = Moment(
        load_default=None, allow_none=True, validate=in_range, metadata=said("Now by default; may lie in the future.")
    )


class TeamSchema(TeamLimitsSchema):
    """A team as it is now."""

    ref = fields.String()
    version = fields.Integer(metadata=said("Entries of its ledger; also its ETag."))


class CapacityEntrySchema(Schema):
    """An entry of a team's ledger."""

    sequence = fields.Integer()
    kind = fields.String(metadata=said("`limits` or `freed`."))
    effective_at = Moment()
    recorded_at = Moment()
    actor = fields.String()
    reason = fields.String()
    details = fields.Dict(metadata=said("The limits that changed, or what became free."))


class TeamDetailSchema(TeamSchema):
    """A team with its ledger."""

    ledger = fields.List(fields.Nested(CapacityEntrySchema), metadata=said("The newest 200 entries, the oldest first."))


class TeamListSchema(PagedSchema):
    """All teams."""

    items = fields.List(fields.Nested(TeamSchema))


class LimitStateSchema(Schema):
    """One limit of a team."""

    limit = fields.Enum(Limit, by_value=True)
    unit = fields.Function(lambda state: UNITS[state.limit], metadata={"type": "string"})
    cap = fields.Float()
    used = fields.Float()
    free = fields.Float(metadata=said("Below 0: over the cap."))
    full = fields.Boolean()
    basis = fields.String(metadata=said("How the cap follows, with the numbers filled in."))


class UseSchema(Schema):
    """What takes a team's capacity."""

    ref = fields.String()
    what = fields.String(
        metadata=said("Steady support `full`, `platform`, `consult`; a project `review`, `onboarding`, `framework`.")
    )
    pages_per_shift = fields.Float()
    hours_per_quarter = fields.Float()
    sres = fields.Float()
    quarters_left = fields.Float()
    stack = fields.String(allow_none=True)
    engagement = fields.String(allow_none=True)
    basis = fields.String(metadata=said("How its hours, or its SREs, follow, with the numbers filled in."))
    pages_assumed = fields.Boolean(metadata=said("Nobody measures its pages; an assumed number was counted."))
    remark = fields.String(metadata=said("What of it is assumed, or counts less or more in its lifecycle."))


class TeamCapacitySchema(Schema):
    """The state of a team's limits."""

    ref = fields.String(attribute="team.ref")
    title = fields.String(attribute="team.title")
    kind = fields.Enum(TeamKind, by_value=True, attribute="team.kind")
    headcount = fields.Integer(attribute="team.headcount")
    full = fields.Function(lambda state: bool(state.binding), metadata={"type": "boolean"})
    binding = fields.List(fields.Enum(Limit, by_value=True), metadata=said("The limits that are at their cap."))
    limits = fields.List(fields.Nested(LimitStateSchema))
    uses = fields.List(fields.Nested(UseSchema))
    remarks = fields.List(fields.String())


class CapacitySchema(PagedSchema):
    """Every team's capacity, and supported services whose team nobody knows."""

    items = fields.List(fields.Nested(TeamCapacitySchema))
    unassigned = fields.List(fields.Nested(UseSchema), metadata=said("The first 200."))
    unassigned_count = fields.Integer()
    triaged_at = Moment(allow_none=True, metadata=said("When the oldest page load counted here was seen."))


class PlanQuery(Schema):
    """What kind of plan."""

    class Meta:
        unknown = RAISE

    method = fields.Enum(Method, by_value=True, load_default=Method.GREEDY)
    assume_consent = fields.Boolean(
        load_default=False,
        metadata=said("Plan as if every service's developers had agreed and staffed it: to see whom to ask."),
    )
    one_more = fields.Boolean(load_default=True, metadata=said("Also answer what one more SRE in each team would buy."))
    seconds = fields.Float(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0.1, 30),
        metadata=said("How long the solver may search for the optimum."),
    )


class RejectionSchema(Schema):
    """An option that would bring more, and what bars it."""

    option = fields.String()
    gain = fields.Float()
    binding = fields.List(
        fields.String(),
        metadata=said(
            "`gate`, `pages_per_shift`, `operations_hours`, `project_sres`, `stacks`, `consultation_hours`, `moves`, "
            "`switch_cost` or `search`."
        ),
    )
    sentence = fields.String()


class PlanRowSchema(Schema):
    """What the plan proposes for a service."""

    ref = fields.String()
    act = fields.String(metadata=said("`start`, `raise`, `lower`, `hand_back`, `move_team` or `keep`."))
    option = fields.String(validate=validate.OneOf([option.value for option in Option]))
    tier = fields.String(metadata=said("The support tier that the option stands for."))
    team = fields.String(allow_none=True)
    current = fields.String()
    current_team = fields.String(allow_none=True)
    value = fields.Float(metadata=said("What it would gain from SRE, 0 to 100."))
    confidence = fields.Float()
    points = fields.Float(metadata=said("Value times the option's share, less the cost of the change."))
    points_basis = fields.String(metadata=said("How the points follow, with the numbers filled in."))
    uses = fields.Dict(keys=fields.String(), values=fields.Float(), metadata=said("What it takes of each limit."))
    pages_assumed = fields.Boolean(metadata=said("Nobody measures its pages; an assumed number was counted."))
    stands = fields.String(metadata=said("Why there was no choice; empty where there was."))
    hand_back_rules = fields.List(fields.String())
    queue_rank = fields.Integer(allow_none=True)
    rejected = fields.List(fields.Nested(RejectionSchema))
    sentence = fields.String()


class PlanLimitSchema(Schema):
    """A limit under the plan."""

    limit = fields.String()
    whose = fields.String()
    cap = fields.Float()
    used = fields.Float()
    words = fields.String()
    basis = fields.String(metadata=said("How the cap follows, with the numbers filled in."))
    binds = fields.Boolean()


class OneMoreSchema(Schema):
    """What one more SRE would buy."""

    team = fields.String()
    gain = fields.Float()
    services = fields.List(fields.String())
    sentence = fields.String()


class PlanTeamSchema(Schema):
    """A team in the plan."""

    ref = fields.String()
    title = fields.String()
    kind = fields.String()
    headcount = fields.Integer()
    committed_sre_quarters = fields.Float()


class QueueDifferenceSchema(Schema):
    """Where the plan takes a waiting service before another that waits ahead of it."""

    taken = fields.String()
    taken_rank = fields.Integer()
    waits = fields.String()
    waits_rank = fields.Integer()
    sentence = fields.String()


class CapacityPlanSchema(Schema):
    """A plan: a recommendation on which people decide."""

    id = fields.String(metadata=said("Digest of the plan: the same input gives the same id."))
    triaged_at = Moment(allow_none=True, metadata=said("When the oldest triage result in it was computed."))
    method = fields.String()
    solver = fields.String(
        allow_none=True, metadata=said("The version of HiGHS that searched: another one may find another plan.")
    )
    gap = fields.Float(allow_none=True, metadata=said("At most so far below the optimum; null: not searched for."))
    reproducible = fields.Boolean(metadata=said("False: the solver's time ended its search."))
    sentence = fields.String()
    inputs_digest = fields.String()
    assume_consent = fields.Boolean()
    horizon_quarters = fields.Integer()
    value = fields.Float()
    value_today = fields.Float(allow_none=True, metadata=said("Null: today's support passes a limit."))
    moves = fields.Integer()
    moves_cap = fields.Integer()
    overruns = fields.List(fields.String(), metadata=said("Limits that what stands exceeds already."))
    teams = fields.List(fields.Nested(PlanTeamSchema))
    limits = fields.List(fields.Nested(PlanLimitSchema))
    one_more = fields.List(fields.Nested(OneMoreSchema))
    differs_from_queue = fields.List(fields.Nested(QueueDifferenceSchema))
    rows = fields.List(fields.Nested(PlanRowSchema))


class PlanDecisionSchema(Schema):
    """What somebody decided on a row."""

    plan_id = fields.String()
    ref = fields.String(attribute="entity_ref")
    accepted = fields.Boolean()
    option = fields.String()
    team = fields.String(attribute="team_ref", allow_none=True)
    reason = fields.String()
    decided_by = fields.String()
    decided_at = Moment()
    released_at = Moment(allow_none=True)


class SavedPlanSchema(Schema):
    """A saved plan with the decisions on it."""

    saved_at = Moment()
    saved_by = fields.String()
    plan = fields.Nested(CapacityPlanSchema)
    decisions = fields.List(fields.Nested(PlanDecisionSchema))


class SavedPlanListItemSchema(Schema):
    """A saved plan in the list."""

    id = fields.String()
    method = fields.String()
    inputs_digest = fields.String()
    saved_at = Moment()
    saved_by = fields.String()


class SavedPlanQuery(PageQuery):
    """Which page of the saved plans."""

    class Meta:
        unknown = RAISE


class SavedPlanPageSchema(Schema):
    """A page of saved plans, the newest first."""

    items = fields.List(fields.Nested(SavedPlanListItemSchema))
    next_cursor = fields.String(allow_none=True)


class DecideSchema(Schema):
    """A decision on a row of a plan."""

    class Meta:
        unknown = RAISE

    accepted = fields.Boolean(required=True, truthy={True}, falsy={False})
    reason = PlainText(required=True, validate=validate.Length(1, MAX_REASON_LENGTH))


class ReleasePinSchema(Schema):
    """Why a decision is taken back."""

    class Meta:
        unknown = RAISE

    reason = PlainText(required=True, validate=validate.Length(1, MAX_REASON_LENGTH))


class ReleasedPinSchema(Schema):
    """How many decisions were taken back."""

    released = fields.Integer()


_SHARES = fields.Dict(
    keys=fields.String(validate=validate.OneOf([option.value for option in Option])),
    values=fields.Float(validate=validate.Range(0, 1)),
)


class CapacitySettingsSchema(Schema):
    """`engagements.capacity:` of portal.yaml; what is left out keeps its default."""

    class Meta:
        unknown = RAISE

    review_sres = fields.Integer(strict=True, validate=validate.Range(1, 10))
    onboarding_sres = fields.Integer(strict=True, validate=validate.Range(1, 10))
    onboarding_quarters = fields.Integer(strict=True, validate=validate.Range(1, 12))
    framework_sres = fields.Integer(strict=True, validate=validate.Range(1, 10))
    framework_quarters = fields.Integer(strict=True, validate=validate.Range(1, 12))
    hours_per_week = fields.Float(validate=validate.Range(1, 80))
    hours_per_page = fields.Float(validate=validate.Range(0, 100))
    steady_hours_per_quarter = fields.Dict(
        keys=fields.String(validate=validate.OneOf([option.value for option in Option])),
        values=fields.Float(validate=validate.Range(0, 10_000)),
    )
    assumed_pages_per_shift = fields.Float(validate=validate.Range(0, 100))
    single_site_rotation = fields.Integer(strict=True, validate=validate.Range(1, 100))
    two_site_rotation = fields.Integer(strict=True, validate=validate.Range(1, 100))
    option_gains = _SHARES
    page_shares = _SHARES
    lifecycle_loads = fields.Dict(
        keys=fields.String(validate=validate.OneOf(LIFECYCLES)), values=fields.Float(validate=validate.Range(0, 10))
    )
    switch_cost = fields.Float(validate=validate.Range(0, 100))
    horizon_quarters = fields.Integer(strict=True, validate=validate.Range(1, 12))
    moves_per_quarter = fields.Integer(strict=True, validate=validate.Range(0, 10_000))
    optimum_seconds = fields.Float(validate=validate.Range(0.1, 60))

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> CapacitySettings:
        """Return the numbers, with the defaults of those left out."""
        plain = CapacitySettings()
        for name in ("steady_hours_per_quarter", "option_gains", "page_shares", "lifecycle_loads"):
            if name in data:
                data[name] = {**getattr(plain, name), **data[name]}
        return replace(plain, **data)
